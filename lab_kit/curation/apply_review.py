"""Apply a review: write a new data set with the proposed changes, and a report on it.

python -m lab_kit.curation.apply_review review.csv pictures pictures-reviewed

The new data set is a copy. Hard links would need no space, but then a program that overwrites a picture of the new data
set would change the old one, too.

The copy is written to a temporary folder beside the new one. When it is complete, and the report is written, the folder
is renamed. So the new folder is complete and has a report, or it does not exist.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from lab_kit import atomic_write, locks
from lab_kit.command_line import command_line
from lab_kit.curation.review_file import remove_leftovers
from lab_kit.curation.review_plan import Step, parse_grades, plan
from lab_kit.curation.review_queue import ReviewQueue
from lab_kit.curation.review_report import print_summary, report_file, write_report
from lab_kit.errors import UserError
from lab_kit.plain_console import PlainConsole
from lab_kit.program import run

RESERVED_SPACE = 1 << 20  # bytes of the disk that are left free


def apply_review(review: Path, folder: Path, new_folder: Path, grades: str = "") -> None:
    """Write a new data set in which the proposals of a review are carried out; the old one stays as it is.

    Args:
        review: the review's CSV file.
        folder: the data set that was reviewed.
        new_folder: the data set to write; it must not exist yet. The report goes beside it, to <new_folder>-report.csv.
        grades: take only pictures with these grades, like 1,2,3. Pictures without a grade are then left out, unless
            'none' is among the grades: 1,2,none. Files that are not in the review are always copied.
    """
    queue = ReviewQueue.open(review, folder)
    chosen = parse_grades(grades)
    steps = apply(queue, new_folder, chosen)
    print_summary(steps, queue.folder, Path(new_folder), PlainConsole())


def apply(queue: ReviewQueue, new_folder: Path, grades: frozenset[int | None] | None = None) -> list[Step]:
    """Write the new data set and its report; return what was done with each file.

    Args:
        queue: the review.
        new_folder: the data set to write.
        grades: take only pictures with these grades; None among them is for pictures without a grade. None takes all.

    Raises:
        UserError: `new_folder` exists, or is inside the old folder, or contains it; or the disk is full. Nothing is
            left on the disk then.
    """
    new_folder = Path(new_folder)
    _check_location(queue.folder, new_folder)
    new_folder.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_folder(new_folder) as unfinished:
        files = _list_files(queue)
        steps = plan(queue, files, grades)
        _check_space(queue.folder, steps, new_folder)
        try:
            _copy(queue.folder, unfinished, steps)
            remove_leftovers(report_file(new_folder))
            write_report(steps, report_file(new_folder))
            if hasattr(os, "sync"):
                os.sync()  # so that a power cut cannot leave the renamed folder without its pictures
            unfinished.rename(new_folder)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UserError(
                f"The disk is full: {new_folder} was not written. Free some space, or name a folder on another disk."
            ) from error
    return steps


def progress_text(queue: ReviewQueue) -> str:
    """Return a sentence with the progress of a review: how many pictures of how many, and the proposals."""
    counts = queue.counts()
    proposed = f"{counts['keep']} to keep, {counts['delete']} to delete, {counts['relabel']} to relabel"
    return f"{counts['seen']} of {counts['all']} pictures looked at: {proposed}."


def apply_command(queue: ReviewQueue) -> str:
    """Return the command line that applies this review, with a new folder that does not exist yet."""
    folder = queue.folder.resolve()
    new_folder, number = folder.with_name(f"{folder.name}-reviewed"), 1
    while new_folder.exists():
        number += 1
        new_folder = folder.with_name(f"{folder.name}-reviewed-{number}")
    places = [path.resolve() for path in (queue.path, folder, new_folder)]
    return command_line("python", "-m", "lab_kit.curation.apply_review", *places)


def _list_files(queue: ReviewQueue) -> list[str]:
    """Return the paths of all data files in the old folder, relative to it.

    The review's own files are left out, if they are there, and so are unfinished files of killed programs.
    """
    own = {queue.path.resolve(), queue.path.with_name(f".{queue.path.name}.lock").resolve()}
    files = []
    for here, folders, names in os.walk(queue.folder, followlinks=True):
        for name in folders:
            inner = Path(here, name)
            if inner.is_symlink() and Path(here).resolve().is_relative_to(inner.resolve()):
                raise UserError(f"{inner} is a link to a folder that it is in itself: remove the link.")
        inside = Path(here).relative_to(queue.folder)
        names = [name for name in names if not name.endswith(atomic_write.UNFINISHED)]
        files += [(inside / name).as_posix() for name in names if Path(here, name).resolve() not in own]
    return files


def _check_location(folder: Path, new_folder: Path) -> None:
    old, new = folder.resolve(), new_folder.resolve()
    if new == old:
        raise UserError(f"{new_folder} is the data set that was reviewed: name a new folder.")
    if new.is_relative_to(old):
        raise UserError(
            f"{new_folder} is inside {folder}, the data set that was reviewed: name a folder outside of it."
        )
    if old.is_relative_to(new):
        raise UserError(f"{folder}, the data set that was reviewed, is inside {new_folder}: name another folder.")
    if os.path.lexists(new_folder):
        raise UserError(f"{new_folder} exists already: name a folder that does not exist, or remove this one.")


@contextmanager
def _temporary_folder(new_folder: Path) -> Iterator[Path]:
    """Provide an empty temporary folder beside `new_folder`, under a lock; at the end, remove it if it still exists."""
    unfinished = new_folder.with_name(f"{new_folder.name}{atomic_write.UNFINISHED}")
    lock = new_folder.with_name(f".{new_folder.name}.lock")
    with locks.held(lock, f"Another program is writing {new_folder}: wait until it has ended.", timeout=0):
        try:
            if unfinished.exists():  # a run that was killed has left it
                shutil.rmtree(unfinished)
            unfinished.mkdir()
            yield unfinished
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            with suppress(OSError):
                lock.unlink()  # while it is held: a program that waits for it takes a new one


def _check_space(folder: Path, steps: list[Step], new_folder: Path) -> None:
    needed = sum((folder / step.file).stat().st_size for step in steps if step.new_file)
    free = shutil.disk_usage(new_folder.parent).free - RESERVED_SPACE
    if needed > free:
        raise UserError(
            f"{new_folder} needs {needed / 1e6:,.0f} MB, and its disk has only {max(0, free) / 1e6:,.0f} MB free. "
            "Free some space, or name a folder on another disk."
        )


def _copy(folder: Path, new_folder: Path, steps: list[Step]) -> None:
    copied = [step for step in steps if step.new_file]
    for step in tqdm(copied, "Copying", unit=" pictures", disable=None, leave=False):
        target = new_folder / step.new_file
        target.parent.mkdir(parents=True, exist_ok=True)
        with (folder / step.file).open("rb") as source, target.open("xb") as copy:  # x: never overwrites a file
            shutil.copyfileobj(source, copy, 1 << 20)


if __name__ == "__main__":
    run(apply_review)
