"""The quarantine of a data set: a folder beside it for pictures that were taken out, with a report of the reasons."""

import csv
import io
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab_kit.atomic_write import write_text
from lab_kit.curation.csv_table import read_table
from lab_kit.datasets.picture_files import files_of_classes
from lab_kit.datasets.picture_layout import class_names
from lab_kit.errors import UserError
from lab_kit.paths import readable


def quarantine_folder(folder: Path) -> Path:
    """Return the quarantine folder of the data set in `folder`: `pictures` -> `pictures-quarantine`."""
    folder = Path(folder).expanduser().absolute()
    return folder.with_name(f"{folder.name}-quarantine")


def list_picture_files(folder: Path, left_out: dict[Path, str] | None = None) -> list[str]:
    """Return the paths of all files in the class folders of a data set, relative to it, sorted.

    Files beside the class folders are reports, and hidden ones (.DS_Store) belong to the system: both are left out.

    Args:
        folder: the data set's folder.
        left_out: pictures that lie in no class folder, and files whose names are not text, are added to this.

    Raises:
        UserError: the folder does not exist, or has no class folders.
    """
    class_names(folder)
    return list(files_of_classes(folder, {} if left_out is None else left_out))


def reserve_path(folder: Path, file: str, reason: str, taken: Iterable[str] = ()) -> str:
    """Return an unused path in the quarantine, relative to it, for `file` of the data set in `folder`.

    It is `<reason>/<file>`, with a number in it if that exists already, or is in `taken`.
    """
    wanted = Path(reason.replace(" ", "_"), file)
    taken = {place.casefold() for place in taken}
    place, number = wanted, 1
    while place.as_posix().casefold() in taken or (quarantine_folder(folder) / place).exists():
        number += 1
        place = wanted.with_name(f"{wanted.stem}~{number}{wanted.suffix}")
    return place.as_posix()


def move_to_quarantine(folder: Path, file: str, path: str) -> None:
    """Move `file` of the data set in `folder` to `path` in its quarantine; do nothing if the file does not exist."""
    target = quarantine_folder(folder) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        (folder / file).rename(target)
    except FileNotFoundError:
        return
    except OSError:  # the quarantine is on another disk
        shutil.move(folder / file, target)


def read_report_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a report, [] if it does not exist; raise UserError if the file is not such a report."""
    try:
        names, rows = read_table(path, by_hand=False)
    except FileNotFoundError:
        return []
    except UserError as error:
        raise UserError(f"{readable(path)} is not a report of this program: move it away. ({error})") from None
    if not set(columns) <= set(names):
        raise UserError(f"{readable(path)} is not a report of this program: it needs the columns {', '.join(columns)}.")
    return [{column: row[column] for column in columns} for row in rows]


def write_report_rows(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    """Write a report, completely or not at all."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(text.getvalue(), path)
