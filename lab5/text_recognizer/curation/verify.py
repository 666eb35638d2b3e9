"""Verify a collection: set aside what is no whole picture of a sensible size, and what is there twice.

python -m text_recognizer.curation.verify pictures

Nothing is deleted. What is set aside goes to `pictures-quarantine/<reason>/`, and `pictures-quarantine/verified.csv`
says why:

    file       as it was called, relative to the data set's folder
    reason     broken, not an image, tiny, animated, too large, unfinished, duplicate;
               unreadable, in two classes: these stay where they are, for a person to look at
    detail     in words; for a duplicate, what it is a copy of
    moved_to   where it is now, relative to the quarantine; empty if it was not moved
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from text_recognizer.curation.check_picture import Checked, check_picture
from text_recognizer.curation.duplicates import find_duplicates, place_of, which_stay
from text_recognizer.curation.guarded import Died, guarded_map
from text_recognizer.curation.quarantine import (
    picture_files,
    quarantine_of,
    read_rows,
    reserve,
    set_aside,
    write_rows,
)
from text_recognizer.curation.shrink import shrink
from text_recognizer.errors import UserError
from text_recognizer.paths import readable
from text_recognizer.program import run

COLUMNS = ("file", "reason", "detail", "moved_to")
STAY = ("unreadable", "in two classes")

log = logging.getLogger("text_recognizer.curation.verify")  # not __name__, which is __main__ in a program


def verify(folder: Path, min_size: int = 24, max_size: int | None = None, processes: int | None = None) -> None:
    """Check every picture, and set aside what is broken, tiny, animated, no picture, or there twice.

    Args:
        folder: class folders with pictures, or train/, valid/ and test/ with class folders.
        min_size: pixels that both sides of a picture must have.
        max_size: shrink pictures whose longer side has more pixels than this; they are overwritten, upright.
        processes: how many to work with; one for each core if not given.
    """
    folder = Path(folder)
    if min_size < 1:
        raise UserError(f"--min_size {min_size}: a picture has at least 1 pixel on each side.")
    if max_size is not None and max_size < max(min_size, 16):
        raise UserError(f"--max_size {max_size}: it must be at least {max(min_size, 16)} pixels.")
    files = picture_files(folder)
    seen = check_all(folder, files, min_size, processes)
    rows = faults(folder, seen) + copies(folder, seen)
    move_with_report(folder, rows)
    gone = {row["file"] for row in rows if row["moved_to"]}
    shrunk = {}
    if max_size is not None:
        large = [f for f in files if f not in gone and max(seen[f].width, seen[f].height) > max_size]
        shrunk = shrink_all(folder, large, max_size, processes)
    _summary(folder, files, rows, shrunk)


def check_all(folder: Path, files: Sequence[str], min_size: int, processes: int | None) -> dict[str, Checked]:
    """Check files in parallel processes, of which none can take the rest along; {file: what is known of it}."""
    check = partial(_check_file, folder, min_size)
    seen: dict[str, Checked] = {}
    results = guarded_map(check, files, _processes(processes, len(files)))
    for place, result in tqdm(results, "checking", len(files), unit=" files", leave=False, disable=None):
        if isinstance(result, Died):
            result = Checked("broken", f"the program that decoded it died: {result.how}")
        seen[files[place]] = result
    return {file: seen[file] for file in files}


def faults(folder: Path, seen: dict[str, Checked]) -> list[dict[str, str]]:
    """The report's rows about files that are no sound pictures."""
    rows = []
    for file, checked in seen.items():
        if checked.reason:
            place = "" if checked.reason in STAY else reserve(folder, file, checked.reason)
            rows.append({"file": file, "reason": checked.reason, "detail": checked.detail, "moved_to": place})
    return rows


def copies(folder: Path, seen: dict[str, Checked]) -> list[dict[str, str]]:
    """The report's rows about pictures that are there twice."""
    rows = []
    sound = [(file, checked) for file, checked in seen.items() if not checked.reason]
    for group in find_duplicates([checked for _, checked in sound]):
        stay, aside = which_stay(sound[place] for place in group)
        for file, best in aside:
            detail = f"copy of {best}"
            rows.append(
                {"file": file, "reason": "duplicate", "detail": detail, "moved_to": reserve(folder, file, "duplicate")}
            )
        for file in stay if len(stay) > 1 else ():
            others = ", ".join(other for other in stay if other != file)
            rows.append(
                {"file": file, "reason": "in two classes", "detail": f"same picture as {others}", "moved_to": ""}
            )
    return rows


def move_with_report(folder: Path, rows: list[dict[str, str]]) -> None:
    """Set files aside as `rows` say, and add the rows to the report.

    The report is written first: whenever this is interrupted, everything in the quarantine is in the report, and what
    has not been moved yet will be found again. Rows of earlier runs stay as long as the file is in the quarantine.
    """
    quarantine = quarantine_of(folder)
    report = quarantine / "verified.csv"
    before = read_rows(report, COLUMNS)
    kept = [row for row in before if row["moved_to"] and (quarantine / row["moved_to"]).exists()]
    if before or rows:
        write_rows(report, COLUMNS, [*kept, *rows])
    for row in rows:
        if row["moved_to"]:
            set_aside(folder, row["file"], row["moved_to"])


def shrink_all(folder: Path, files: Sequence[str], max_size: int, processes: int | None) -> dict[str, str]:
    """Shrink files in parallel; {file: "" or why it could not be shrunk}."""
    done = {}
    results = guarded_map(partial(_shrink_file, folder, max_size), files, _processes(processes, len(files)))
    for place, result in tqdm(results, "shrinking", len(files), unit=" files", leave=False, disable=None):
        done[files[place]] = f"the program died: {result.how}" if isinstance(result, Died) else result
    return done


def _check_file(folder: Path, min_size: int, file: str) -> Checked:
    return check_picture(folder / file, min_size)


def _shrink_file(folder: Path, max_size: int, file: str) -> str:
    return shrink(folder / file, max_size)


def _processes(wanted: int | None, files: int) -> int:
    if wanted is not None and wanted < 1:
        raise UserError(f"--processes {wanted}: at least one is needed.")
    return min(wanted or os.cpu_count() or 1, max(1, files // 20))


def _summary(folder: Path, files: Sequence[str], rows: list[dict[str, str]], shrunk: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    moved = Counter((_class_of(row["file"]), row["reason"]) for row in rows if row["moved_to"])
    reasons = sorted({reason for _, reason in moved})
    table = Table(title=f"{readable(folder)}, verified", title_justify="left")
    table.add_column("class")
    for column in ("files", *reasons, "left"):
        table.add_column(column, justify="right")
    total = Counter(_class_of(file) for file in files)
    for name, count in total.items():
        numbers = [moved[name, reason] for reason in reasons]
        table.add_row(name, str(count), *(str(n or "") for n in numbers), str(count - sum(numbers)))
    numbers = [sum(moved[name, reason] for name in total) for reason in reasons]
    table.add_section()
    table.add_row("all", str(len(files)), *map(str, numbers), str(len(files) - sum(numbers)))
    console = Console()
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    if shrunk:
        say(f"Shrunk: {sum(not why for why in shrunk.values())} pictures.")
    for file, why in shrunk.items():
        if why:
            log.warning("%s could not be shrunk: %s.", file, why)
    _warn_of(row for row in rows if row["reason"] in STAY)
    quarantine = readable(quarantine_of(folder))
    if sum(numbers):
        say(f"Set aside, not deleted: {sum(numbers)} files, in {quarantine}. Why: {quarantine}/verified.csv")
    else:
        say("Nothing to set aside.")


def _warn_of(rows: Iterable[dict[str, str]], most: int = 10) -> None:
    """Point at what only a person can decide."""
    rows = list(rows)
    pairs = {frozenset((row["file"], *row["detail"].removeprefix("same picture as ").split(", "))) for row in rows
             if row["reason"] == "in two classes"}  # fmt: skip
    if pairs:
        listed = "\n".join("  " + " = ".join(sorted(pair)) for pair in sorted(pairs, key=sorted)[:most])
        more = f"\n  and {len(pairs) - most} more: see verified.csv" if len(pairs) > most else ""
        log.warning(
            "%d pictures lie in two classes, and at most one can be right. They were left there: look at them, and "
            "delete the wrong one.\n%s%s", len(pairs), listed, more,
        )  # fmt: skip
    for row in rows:
        if row["reason"] == "unreadable":
            log.warning("%s cannot be read, and was left there: %s.", row["file"], row["detail"])


def _class_of(file: str) -> str:
    place = place_of(file)
    return f"{place.split}/{place.label}" if place.split else place.label


if __name__ == "__main__":
    run(verify)
