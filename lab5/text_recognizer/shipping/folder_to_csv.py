"""Read all pictures below a folder, however many there are, into a table."""

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from text_recognizer import atomic
from text_recognizer.errors import UserError
from text_recognizer.paths import readable

if TYPE_CHECKING:
    from text_recognizer.recognizer import Recognizer

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".npy"}
COLUMNS = ("file", "text", "confidence", "second", "second_confidence", "error")


def read_folder(recognizer: "Recognizer", folder: Path, table: Path, chunk: int) -> dict[str, int]:
    """Read the pictures of a folder and its sub-folders, in the order of their names, into a CSV file.

    A picture that cannot be read gets a row with the reason, and does not stop the others. There are never more than
    `chunk` pictures in memory. The file is written whole or not at all.

    Args:
        recognizer: reads them.
        folder: with pictures.
        table: the CSV file: file, text, confidence, second best, its confidence, error.
        chunk: pictures at a time.

    Returns:
        how many were `read` and how many were `refused`.

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
    with atomic.replaced(table) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        # disable=None: a bar in a terminal, nothing in a log.
        with tqdm(total=len(files), desc="Reading", unit=" pictures", disable=None) as progress:
            for rows in _rows(recognizer, folder, files, chunk):
                writer.writerows(rows)
                refused = sum(bool(row[-1]) for row in rows)
                counts["refused"] += refused
                counts["read"] += len(rows) - refused
                progress.update(len(rows))
    return counts


def _rows(recognizer: "Recognizer", folder: Path, files: list[Path], chunk: int) -> Iterator[list[tuple]]:
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(files), chunk):
            part = files[start : start + chunk]
            prepared = list(threads.map(lambda path: _prepared(recognizer, path), part))
            usable = [item for item in prepared if not isinstance(item, str)]
            readings = iter(recognizer.read(np.stack(usable)) if usable else [])
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


def _prepared(recognizer: "Recognizer", path: Path) -> np.ndarray | str:
    """Return what the network sees of a picture, or why it cannot."""
    try:
        return recognizer.prepare(path)
    except UserError as error:
        return str(error)
