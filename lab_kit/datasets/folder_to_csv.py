"""Read all pictures of a folder with a model, and write the readings to a CSV file."""

import csv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lab_kit import atomic_write
from lab_kit.errors import UserError
from lab_kit.paths import readable

Prepare = Callable[[Path], np.ndarray]
Read = Callable[[np.ndarray], list[Any]]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".npy"}
COLUMNS = ("file", "text", "confidence", "second", "second_confidence", "error")


def read_folder(prepare: Prepare, read: Read, folder: Path, table: Path, chunk: int) -> dict[str, int]:
    """Read the pictures of a folder and its sub-folders, sorted by name, and write a CSV file with a row for each.

    A picture that cannot be read gets a row with the error, and the others are still read. At most `chunk` pictures are
    in memory at a time. The CSV file is written completely or not at all.

    Args:
        prepare: returns the input of the network for a picture file, or raises UserError.
        read: returns the readings of stacked inputs: each has `text`, `confidence` and `guesses`.
        folder: the folder with pictures.
        table: the CSV file, with the columns `COLUMNS`.
        chunk: pictures at a time.

    Returns:
        How many pictures were `read` and how many were `refused`.

    Raises:
        UserError: there is no such folder, it has no pictures, or `chunk` is not at least 1.
    """
    if chunk < 1:
        raise UserError(f"chunk must be at least 1, not {chunk}.")
    if not folder.is_dir():
        raise UserError(f"There is no folder {readable(folder)}.")
    files = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        raise UserError(f"There are no pictures in {readable(folder)}: {', '.join(sorted(SUFFIXES))}.")
    counts = {"read": 0, "refused": 0}
    with atomic_write.replaced(table) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        # disable=None: a progress bar in a terminal, nothing in a log file.
        with tqdm(total=len(files), desc="Reading", unit=" pictures", disable=None) as progress:
            for rows in _rows(prepare, read, folder, files, chunk):
                writer.writerows(rows)
                refused = sum(bool(row[-1]) for row in rows)
                counts["refused"] += refused
                counts["read"] += len(rows) - refused
                progress.update(len(rows))
    return counts


def _rows(prepare: Prepare, read: Read, folder: Path, files: list[Path], chunk: int) -> Iterator[list[tuple]]:
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(files), chunk):
            part = files[start : start + chunk]
            prepared = list(threads.map(lambda path: _try_prepare(prepare, path), part))
            usable = [item for item in prepared if not isinstance(item, str)]
            readings = iter(read(np.stack(usable)) if usable else [])
            rows = []
            for path, item in zip(part, prepared, strict=True):
                name = path.relative_to(folder).as_posix()
                if isinstance(item, str):
                    rows.append((name, "", "", "", "", item))
                    continue
                reading = next(readings)
                second, second_confidence = reading.guesses[1] if len(reading.guesses) > 1 else ("", 0.0)
                rows.append((name, reading.text, f"{reading.confidence:.4f}", second, f"{second_confidence:.4f}", ""))
            yield rows


def _try_prepare(prepare: Prepare, path: Path) -> np.ndarray | str:
    """Return the input of the network for a picture, or an error message."""
    try:
        return prepare(path)
    except UserError as error:
        return str(error)
