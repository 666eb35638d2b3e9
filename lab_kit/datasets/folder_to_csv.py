"""Read all pictures of a folder with a model, and write the readings to a CSV file."""

import csv
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lab_kit import atomic_write
from lab_kit.datasets.picture_files import describe, find_channels
from lab_kit.datasets.picture_formats import BrokenPicture
from lab_kit.datasets.picture_layout import list_files
from lab_kit.errors import UserError
from lab_kit.paths import readable

log = logging.getLogger(__name__)

Prepare = Callable[[Path], Any]
Read = Callable[[list[Any]], list[Any]]

COLUMNS = ("file", "text", "confidence", "second", "second_confidence", "error")


def read_folder(prepare: Prepare, read: Read, folder: Path, table: Path, chunk: int) -> dict[str, int]:
    """Read the pictures of a folder and its sub-folders, sorted by name, and write a CSV file with a row for each.

    A file that is no picture, or cannot be read, gets a row with the reason, and the others are still read. At most
    `chunk` pictures are in memory at a time. The CSV file is written completely or not at all.

    Args:
        prepare: returns the input for a picture file, for a page that of all its lines, or raises UserError.
        read: returns the readings of several inputs: each has `text`, `confidence` and `guesses`.
        folder: the folder with pictures.
        table: the CSV file, with the columns `COLUMNS`.
        chunk: pictures at a time.

    Returns:
        How many pictures were `read` and how many files were `refused`.

    Raises:
        UserError: there is no such folder, it has no pictures, or `chunk` is not at least 1.
    """
    if chunk < 1:
        raise UserError(f"chunk must be at least 1, not {chunk}.")
    files = sorted(list_files(folder))
    left_out: dict[Path, str] = {}
    if not find_channels(folder, files, left_out):
        raise UserError(f"There are no pictures in {readable(folder)}. {describe(left_out)}".strip())
    counts = {"read": 0, "refused": 0}
    with atomic_write.replaced(table) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        # disable=None: a progress bar in a terminal, nothing in a log file.
        with tqdm(total=len(files), desc="Reading", unit=" pictures", disable=None) as progress:
            for rows in _rows(prepare, read, folder, files, left_out, chunk):
                writer.writerows(rows)
                refused = sum(bool(row[-1]) for row in rows)
                counts["refused"] += refused
                counts["read"] += len(rows) - refused
                progress.update(len(rows))
    if left_out:
        log.warning("%s", describe(left_out))
    return counts


def _rows(
    prepare: Prepare, read: Read, folder: Path, files: list[str], left_out: dict[Path, str], chunk: int
) -> Iterator[list[tuple]]:
    def attempt(file: str) -> Any:
        """Return the input for a picture, or why there is none: a str."""
        path = folder / file
        try:
            return left_out[path] if path in left_out else prepare(path)
        except BrokenPicture as error:
            left_out[path] = "broken, or cut off"
            return str(error)
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor() as threads:
        for start in range(0, len(files), chunk):
            part = files[start : start + chunk]
            prepared = list(threads.map(attempt, part))
            usable = [item for item in prepared if not isinstance(item, str)]
            readings = iter(read(usable) if usable else [])
            rows = []
            for file, item in zip(part, prepared, strict=True):
                name = file.encode("utf-8", "backslashreplace").decode()  # it may have bytes that are not text
                if isinstance(item, str):
                    rows.append((name, "", "", "", "", item))
                    continue
                reading = next(readings)
                second, second_confidence = reading.guesses[1] if len(reading.guesses) > 1 else ("", 0.0)
                rows.append((name, reading.text, f"{reading.confidence:.4f}", second, f"{second_confidence:.4f}", ""))
            yield rows
