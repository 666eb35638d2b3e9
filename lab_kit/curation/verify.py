"""Verify a collection: move broken, tiny and other unusable files, and copies, to a quarantine.

python -m lab_kit.curation.verify pictures

Nothing is deleted. Files are moved to `pictures-quarantine/<reason>/`, and `pictures-quarantine/verified.csv` lists:

    file       its old path, relative to the data set's folder
    reason     broken, not an image, tiny, animated, too large, unfinished, duplicate;
               unreadable, in two classes: these files stay where they are, for a person to look at
    detail     explains the reason; for a duplicate, which file it is a copy of
    moved_to   its new path, relative to the quarantine; empty if it was not moved
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from lab_kit.curation.check_picture import PictureCheck, check_picture
from lab_kit.curation.duplicates import choose_kept, find_duplicates, parse_location
from lab_kit.curation.process_pool import ProcessDied, map_in_processes
from lab_kit.curation.quarantine import (
    list_picture_files,
    move_to_quarantine,
    quarantine_folder,
    read_report_rows,
    reserve_path,
    write_report_rows,
)
from lab_kit.curation.shrink import shrink
from lab_kit.datasets.picture_files import describe
from lab_kit.datasets.picture_layout import split_folders
from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.program import run

COLUMNS = ("file", "reason", "detail", "moved_to")
LEFT_IN_PLACE = ("unreadable", "in two classes")

log = logging.getLogger("lab_kit.curation.verify")  # not __name__, which is __main__ in a program


def verify(folder: Path, min_size: int = 24, max_size: int | None = None, processes: int | None = None) -> None:
    """Check every picture; move those that are broken, tiny, animated, no pictures, or copies to a quarantine.

    Args:
        folder: a folder of class folders with pictures, or of train/, valid/ and test/ with class folders.
        min_size: pixels that both sides of a picture must have.
        max_size: reduce pictures whose longer side has more pixels than this; they are overwritten, and become upright.
        processes: number of parallel processes; one for each core if not given.
    """
    folder = Path(folder)
    if min_size < 1:
        raise UserError(f"--min_size {min_size}: a picture has at least 1 pixel on each side.")
    if max_size is not None and max_size < max(min_size, 16):
        raise UserError(f"--max_size {max_size}: it must be at least {max(min_size, 16)} pixels.")
    left_out: dict[Path, str] = {}
    files = list_picture_files(folder, left_out)
    checks = check_all(folder, files, min_size, processes)
    rows = find_faults(folder, checks) + find_copies(folder, checks)
    move_with_report(folder, rows)
    gone = {row["file"] for row in rows if row["moved_to"]}
    shrunk = {}
    if max_size is not None:
        large = [f for f in files if f not in gone and max(checks[f].width, checks[f].height) > max_size]
        shrunk = shrink_all(folder, large, max_size, processes)
    _summary(folder, files, rows, shrunk)
    if left_out:
        log.warning("%s", describe(left_out))


def check_all(folder: Path, files: Sequence[str], min_size: int, processes: int | None) -> dict[str, PictureCheck]:
    """Check files in parallel processes; return {file: result}. If a file crashes a process, the others go on."""
    check = partial(_check_file, folder, min_size)
    checks: dict[str, PictureCheck] = {}
    results = map_in_processes(check, files, _process_count(processes, len(files)))
    for index, result in tqdm(results, "checking", len(files), unit=" files", leave=False, disable=None):
        if isinstance(result, ProcessDied):
            result = PictureCheck("broken", f"the process that decoded it died: {result.how}")
        checks[files[index]] = result
    return {file: checks[file] for file in files}


def find_faults(folder: Path, checks: dict[str, PictureCheck]) -> list[dict[str, str]]:
    """Return the report's rows for files that are not sound pictures."""
    rows = []
    for file, check in checks.items():
        if check.reason:
            place = "" if check.reason in LEFT_IN_PLACE else reserve_path(folder, file, check.reason)
            rows.append({"file": file, "reason": check.reason, "detail": check.detail, "moved_to": place})
    return rows


def find_copies(folder: Path, checks: dict[str, PictureCheck]) -> list[dict[str, str]]:
    """Return the report's rows for copies, and for pictures that are in two classes."""
    rows, splits = [], split_folders(folder)
    sound = [(file, check) for file, check in checks.items() if not check.reason]
    for group in find_duplicates([check for _, check in sound]):
        kept, copies = choose_kept((sound[index] for index in group), splits)
        for file, best in copies:
            detail = f"copy of {best}"
            rows.append(
                {
                    "file": file,
                    "reason": "duplicate",
                    "detail": detail,
                    "moved_to": reserve_path(folder, file, "duplicate"),
                }
            )
        for file in kept if len(kept) > 1 else ():
            others = ", ".join(other for other in kept if other != file)
            rows.append(
                {"file": file, "reason": "in two classes", "detail": f"same picture as {others}", "moved_to": ""}
            )
    return rows


def move_with_report(folder: Path, rows: list[dict[str, str]]) -> None:
    """Move files to the quarantine as `rows` say, and add the rows to the report.

    The report is written first. So if this is interrupted, every file in the quarantine is in the report, and the
    others will be found again by the next run. Rows of earlier runs stay as long as their file is in the quarantine.
    """
    quarantine = quarantine_folder(folder)
    report = quarantine / "verified.csv"
    before = read_report_rows(report, COLUMNS)
    kept = [row for row in before if row["moved_to"] and (quarantine / row["moved_to"]).exists()]
    if before or rows:
        write_report_rows(report, COLUMNS, [*kept, *rows])
    for row in rows:
        if row["moved_to"]:
            move_to_quarantine(folder, row["file"], row["moved_to"])


def shrink_all(folder: Path, files: Sequence[str], max_size: int, processes: int | None) -> dict[str, str]:
    """Reduce files in parallel processes; return {file: "" or the reason why it could not be reduced}."""
    done = {}
    results = map_in_processes(partial(_shrink_file, folder, max_size), files, _process_count(processes, len(files)))
    for index, result in tqdm(results, "shrinking", len(files), unit=" files", leave=False, disable=None):
        done[files[index]] = f"the process died: {result.how}" if isinstance(result, ProcessDied) else result
    return done


def _check_file(folder: Path, min_size: int, file: str) -> PictureCheck:
    return check_picture(folder / file, min_size)


def _shrink_file(folder: Path, max_size: int, file: str) -> str:
    return shrink(folder / file, max_size)


def _process_count(wanted: int | None, files: int) -> int:
    if wanted is not None and wanted < 1:
        raise UserError(f"--processes {wanted}: at least one is needed.")
    return min(wanted or os.cpu_count() or 1, max(1, files // 20))


def _summary(folder: Path, files: Sequence[str], rows: list[dict[str, str]], shrunk: dict[str, str]) -> None:
    from rich.table import Table

    from lab_kit.plain_console import PlainConsole

    splits = split_folders(folder)
    gone = [row for row in rows if row["moved_to"] or row["reason"] == "unreadable"]
    count = Counter((_class_of(row["file"], splits), row["reason"]) for row in gone)
    reasons = sorted({reason for _, reason in count})
    table = Table(title=f"{readable(folder)}, verified", title_justify="left")
    table.add_column("class")
    for column in ("files", *reasons, "left"):
        table.add_column(column, justify="right")
    total = Counter(_class_of(file, splits) for file in files)
    for name, number in total.items():
        numbers = [count[name, reason] for reason in reasons]
        table.add_row(name, str(number), *(str(n or "") for n in numbers), str(number - sum(numbers)))
    numbers = [sum(count[name, reason] for name in total) for reason in reasons]
    table.add_section()
    table.add_row("all", str(len(files)), *map(str, numbers), str(len(files) - sum(numbers)))
    console = PlainConsole()
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    if shrunk:
        say(f"Reduced: {sum(not why for why in shrunk.values())} pictures.")
    for file, why in shrunk.items():
        if why:
            log.warning("%s could not be reduced: %s.", file, why)
    _warn_of(row for row in rows if row["reason"] in LEFT_IN_PLACE)
    quarantine = readable(quarantine_folder(folder))
    if moved := sum(bool(row["moved_to"]) for row in rows):
        say(f"Moved, not deleted: {moved} files, to {quarantine}. The reasons are in {quarantine}/verified.csv")
    else:
        say("No file had to be moved to the quarantine.")


def _warn_of(rows: Iterable[dict[str, str]], most: int = 10) -> None:
    """Warn about the files that only a person can decide about."""
    rows = list(rows)
    pairs = {frozenset((row["file"], *row["detail"].removeprefix("same picture as ").split(", "))) for row in rows
             if row["reason"] == "in two classes"}  # fmt: skip
    if pairs:
        listed = "\n".join("  " + " = ".join(sorted(pair)) for pair in sorted(pairs, key=sorted)[:most])
        more = f"\n  and {len(pairs) - most} more: see verified.csv" if len(pairs) > most else ""
        log.warning(
            "%d pictures are in two classes, and at most one can be right. They were not moved: look at them, and "
            "delete the wrong one.\n%s%s", len(pairs), listed, more,
        )  # fmt: skip
    for row in rows:
        if row["reason"] == "unreadable":
            log.warning("%s cannot be read, and was not moved: %s.", row["file"], row["detail"])


def _class_of(file: str, splits: Mapping[str, str]) -> str:
    place = parse_location(file, splits)
    return f"{file.partition('/')[0]}/{place.label}" if place.split else place.label


if __name__ == "__main__":
    run(verify)
