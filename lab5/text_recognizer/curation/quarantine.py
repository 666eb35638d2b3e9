"""Where pictures go that are taken out of a data set: beside it, never deleted, and with a report that says why."""

import csv
import io
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from text_recognizer.atomic import write_text
from text_recognizer.errors import UserError
from text_recognizer.paths import readable


def quarantine_of(folder: Path) -> Path:
    """Return where the data set in `folder` has its quarantine: `pictures` -> `pictures-quarantine`."""
    folder = Path(folder).expanduser().absolute()
    return folder.with_name(f"{folder.name}-quarantine")


def picture_files(folder: Path) -> list[str]:
    """Return all files in the class folders of a data set, relative to it, in order.

    Files that lie beside the class folders are reports, and hidden ones (.DS_Store) belong to the system.

    Raises:
        UserError: there is no such folder, or no class folder in it.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {readable(folder)}.")
    classes = [place for place in folder.iterdir() if place.is_dir() and not place.name.startswith(".")]
    if not classes:
        raise UserError(
            f"{readable(folder)} has no class folders: it should hold one folder for each class, such as "
            f"{readable(folder / 'star')}, with the pictures in it."
        )
    files = []
    for place in classes:
        for here, folders, names in os.walk(place):
            folders[:] = [name for name in folders if not name.startswith(".")]
            files += [Path(here, name).relative_to(folder).as_posix() for name in names if _counts(name)]
    return sorted(files)


def _counts(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in ("thumbs.db", "desktop.ini")


def reserve(folder: Path, file: str, reason: str, taken: Iterable[str] = ()) -> str:
    """Return a free place in the quarantine, relative to it, for `file` of the data set in `folder`.

    It is `<reason>/<file>`, with a number in it if something of this name was set aside before, or is `taken`.
    """
    wanted = Path(reason.replace(" ", "_"), file)
    taken = {place.casefold() for place in taken}
    place, number = wanted, 1
    while place.as_posix().casefold() in taken or (quarantine_of(folder) / place).exists():
        number += 1
        place = wanted.with_name(f"{wanted.stem}~{number}{wanted.suffix}")
    return place.as_posix()


def set_aside(folder: Path, file: str, place: str) -> None:
    """Move `file` of the data set in `folder` to `place` in its quarantine; a file that is gone is no error."""
    target = quarantine_of(folder) / place
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        (folder / file).rename(target)
    except FileNotFoundError:
        return
    except OSError:  # the quarantine is on another disk
        shutil.move(folder / file, target)


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a report; none at all is an empty one. UserError if the file is something else."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            rows = list(table)
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{readable(path)} is not a report of this program: {error}. Move it away.") from None
    if not set(columns) <= set(table.fieldnames or ()) or any(None in row.values() for row in rows):
        raise UserError(f"{readable(path)} is not a report of this program: it needs the columns {', '.join(columns)}.")
    return [{column: row[column] for column in columns} for row in rows]


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    """Write a report whole or not at all."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(text.getvalue(), path)
