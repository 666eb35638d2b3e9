"""Do what a review proposes: write a new data set, and a report on it.

python -m text_recognizer.curation.apply_review review.csv pictures pictures-reviewed

The new data set is a copy. Hard links would take no room, but a program that writes into a picture of one tree would
change the other: nothing that is done to the new one may reach the old one.

It is built under an unfinished name beside its own, which it takes when it is complete, after its report has taken its
place: so the new folder is whole, with a report, or not there.
"""

import csv
import errno
import io
import os
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from text_recognizer import atomic
from text_recognizer.curation.review_file import GRADES, Picture, refiled, remove_leftovers
from text_recognizer.curation.review_queue import ReviewQueue
from text_recognizer.errors import UserError
from text_recognizer.paths import readable
from text_recognizer.program import run

REPORT_COLUMNS = ("file", "done", "label", "new_label", "grade", "new_file")
ROOM_LEFT = 1 << 20  # bytes of the disk that are not counted on


@dataclass(frozen=True)
class Step:
    """What becomes of one file.

    Args:
        file: its path relative to the old folder.
        done: kept, relabelled, deleted, other grade (left out for its grade), not looked at (copied), not in review
            (copied), or missing (there is no such file).
        label: its old class; empty for a file that is not in the review.
        new_label: its new class; empty if it is left out.
        grade: 1 (the best) to 5, or None.
        new_file: its path relative to the new folder; empty if it is left out.
    """

    file: str
    done: str
    label: str
    new_label: str
    grade: int | None
    new_file: str


def apply_review(review: Path, folder: Path, new_folder: Path, grades: str = "") -> None:
    """Write a new data set in which what a review proposes is done; the old one stays as it is.

    Args:
        review: the review's CSV file.
        folder: the data set that was reviewed.
        new_folder: the data set to write; it must not exist yet. The report goes beside it, to <new_folder>-report.csv.
        grades: take only pictures with these grades, like 1,2,3. Pictures without a grade are left out then, unless
            'none' is among the grades: 1,2,none. What is not in the review is copied all the same.
    """
    queue = ReviewQueue.open(review, folder)
    chosen = parse_grades(grades)
    steps = apply(queue, new_folder, chosen)
    _summary(queue, steps, Path(new_folder), Console(soft_wrap=False))


def parse_grades(text: str) -> frozenset[int | None] | None:
    """Return the grades in a list like `1,2,none`, where None is for pictures without one; None for an empty list.

    Raises:
        UserError: something in it is not a grade.
    """
    words = [word.strip().lower() for word in str(text).strip("[] ").split(",")]
    known: dict[str, int | None] = {str(grade): grade for grade in GRADES} | {"none": None}
    if words == [""]:
        return None
    for word in words:
        if word not in known:
            raise UserError(f"'{word}' is not a grade: --grades takes numbers from 1 (the best) to 5, like 1,2,3.")
    return frozenset(known[word] for word in words)


def apply(queue: ReviewQueue, new_folder: Path, grades: frozenset[int | None] | None = None) -> list[Step]:
    """Write the new data set and its report; return what was done, file by file.

    Args:
        queue: the review.
        new_folder: the data set to write.
        grades: of the pictures to take, None among them for those without; None takes all.

    Raises:
        UserError: `new_folder` exists, or lies in the old one or around it; or there is no room; nothing is there then
            that was not there before.
    """
    new_folder = Path(new_folder)
    _check_place(queue.folder, new_folder)
    new_folder.parent.mkdir(parents=True, exist_ok=True)
    with _being_written(new_folder) as unfinished:
        files = _files(queue)
        steps = plan(queue, files, grades)
        _check_room(queue.folder, steps, new_folder)
        try:
            _copy(queue.folder, unfinished, steps)
            remove_leftovers(report_file(new_folder))
            _write_report(steps, report_file(new_folder))
            if hasattr(os, "sync"):
                os.sync()  # or, after a power cut, the folder's name could be there before the pictures
            unfinished.rename(new_folder)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UserError(
                f"The disk is full: {new_folder} was not written. Make room, or name another disk."
            ) from error
    return steps


def report_file(new_folder: Path) -> Path:
    """Return where the report on `new_folder` goes: beside it, where nothing takes it for a part of the data."""
    return new_folder.with_name(f"{new_folder.name}-report.csv")


def plan(queue: ReviewQueue, files: list[str], grades: frozenset[int | None] | None = None) -> list[Step]:
    """Return what is to become of each of the `files` of the old folder, and of what the review has besides.

    No picture gets a name that another one has or had: a later review knows pictures by their names.
    """
    reviewed = {picture.file: picture for picture in queue.pictures}
    there = set(files)
    taken = {file.casefold() for file in (*files, *reviewed)}  # on some systems A.jpg is a.jpg
    steps = []
    for file in sorted(there | reviewed.keys()):
        picture = reviewed.get(file)
        done = _done(picture, file in there, grades)
        new_file = "" if done in ("deleted", "other grade", "missing") else file
        if done == "relabelled":
            new_file = _free(refiled(file, picture.new_label), taken)
        label, grade = (picture.label, picture.grade) if picture else ("", None)
        new_label = "" if not new_file else picture.new_label or label if picture else ""
        steps.append(Step(file, done, label, new_label, grade, new_file))
    return steps


def in_words(queue: ReviewQueue) -> str:
    """Return a sentence on how far a review is."""
    counts = queue.counts()
    proposed = f"{counts['keep']} to keep, {counts['delete']} to delete, {counts['relabel']} to relabel"
    return f"{counts['seen']} of {counts['all']} pictures looked at: {proposed}."


def command(queue: ReviewQueue) -> str:
    """Return the command line that applies this review, to a folder that is not there yet."""
    folder = queue.folder.resolve()
    new_folder, number = folder.with_name(f"{folder.name}-reviewed"), 1
    while new_folder.exists():
        number += 1
        new_folder = folder.with_name(f"{folder.name}-reviewed-{number}")
    places = [readable(path.resolve()) for path in (queue.path, folder, new_folder)]
    words = ["python", "-m", "text_recognizer.curation.apply_review", *places]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _done(picture: Picture | None, there: bool, grades: frozenset[int | None] | None) -> str:
    if picture is None:
        return "not in review"
    if not there:
        return "missing"
    if picture.proposal == "delete":
        return "deleted"
    if grades is not None and picture.grade not in grades:
        return "other grade"
    return {"": "not looked at", "keep": "kept", "relabel": "relabelled"}[picture.proposal]


def _free(file: str, taken: set[str]) -> str:
    """Return `file`, or with a number in its name if that is taken; it is taken then."""
    path, number, free = PurePosixPath(file), 1, file
    while free.casefold() in taken:
        number += 1
        free = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
    taken.add(free.casefold())
    return free


def _files(queue: ReviewQueue) -> list[str]:
    """Return the paths of all files in the old folder that are part of the data.

    The review's own files, if they lie there, are not, nor are files that a program has left unfinished.
    """
    own = {queue.path.resolve(), queue.path.with_name(f".{queue.path.name}.lock").resolve()}
    files = []
    for here, folders, names in os.walk(queue.folder, followlinks=True):
        for name in folders:
            inner = Path(here, name)
            if inner.is_symlink() and Path(here).resolve().is_relative_to(inner.resolve()):
                raise UserError(f"{inner} is a link to a folder that it lies in itself: remove it.")
        inside = Path(here).relative_to(queue.folder)
        names = [name for name in names if not name.endswith(atomic.UNFINISHED)]
        files += [(inside / name).as_posix() for name in names if Path(here, name).resolve() not in own]
    return files


def _check_place(folder: Path, new_folder: Path) -> None:
    old, new = folder.resolve(), new_folder.resolve()
    if new == old:
        raise UserError(f"{new_folder} is the data set that was reviewed: name a new folder.")
    if new.is_relative_to(old):
        raise UserError(f"{new_folder} lies in {folder}, the data set that was reviewed: name a folder outside of it.")
    if old.is_relative_to(new):
        raise UserError(f"{folder}, the data set that was reviewed, lies in {new_folder}: name another folder.")
    if os.path.lexists(new_folder):
        raise UserError(f"{new_folder} exists already: name a folder that does not, or remove it.")


@contextmanager
def _being_written(new_folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `new_folder` to write to, while nobody else does; it is gone afterwards."""
    unfinished = new_folder.with_name(f"{new_folder.name}{atomic.UNFINISHED}")
    lock = FileLock(new_folder.with_name(f".{new_folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"Another program is writing {new_folder}: wait for it.") from None
    try:
        if unfinished.exists():  # a run that was killed has left it
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        with suppress(OSError):
            Path(lock.lock_file).unlink()  # while it is held: who waits for it tries the new one
        lock.release()


def _check_room(folder: Path, steps: list[Step], new_folder: Path) -> None:
    needed = sum((folder / step.file).stat().st_size for step in steps if step.new_file)
    free = shutil.disk_usage(new_folder.parent).free - ROOM_LEFT
    if needed > free:
        raise UserError(
            f"{new_folder} needs {needed / 1e6:,.0f} MB, and its disk has room for {max(0, free) / 1e6:,.0f}."
        )


def _copy(folder: Path, new_folder: Path, steps: list[Step]) -> None:
    copied = [step for step in steps if step.new_file]
    for step in tqdm(copied, "Copying", unit=" pictures", disable=None, leave=False):
        target = new_folder / step.new_file
        target.parent.mkdir(parents=True, exist_ok=True)
        with (folder / step.file).open("rb") as source, target.open("xb") as copy:  # x: never over another one
            shutil.copyfileobj(source, copy, 1 << 20)


def _write_report(steps: list[Step], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(REPORT_COLUMNS)
    writer.writerows([getattr(step, column) for column in REPORT_COLUMNS] for step in steps)
    atomic.write_bytes(text.getvalue().encode("utf-8", "backslashreplace"), path)  # names may hold what is not text


def summary(steps: list[Step]) -> dict[str, Counter]:
    """Count, for each class of the reviewed pictures, what there was, what was done, and what there is."""
    counts: dict[str, Counter] = {}
    for step in steps:
        if step.label and step.done != "missing":
            counts.setdefault(step.label, Counter()).update(["before", step.done])
        if step.new_label:
            counts.setdefault(step.new_label, Counter()).update(["after"])
            if step.done == "relabelled":
                counts[step.new_label]["moved in"] += 1
    return counts


SUMMARY_COLUMNS = {
    "before": "before",
    "deleted": "deleted",
    "relabelled": "moved out",
    "moved in": "moved in",
    "other grade": "other grade",
    "after": "after",
}


def _summary(queue: ReviewQueue, steps: list[Step], new_folder: Path, console: Console) -> None:
    counts = summary(steps)
    done = Counter(step.done for step in steps)
    table = Table(title=f"Pictures in {readable(new_folder)}", title_justify="left", title_style="bold")
    table.add_column("class", style="cyan", no_wrap=True)
    for heading in SUMMARY_COLUMNS.values():
        table.add_column(heading, justify="right")
    rows = {label: counts[label] for label in sorted(counts)}
    rows["all"] = sum(counts.values(), Counter())
    for label, row in rows.items():
        if label == "all":
            table.add_section()
        table.add_row(label, *(str(row[column]) if row[column] else "-" for column in SUMMARY_COLUMNS))
    console.print(table)
    for what, sentence in _REMARKS.items():
        if done[what]:
            console.print(sentence.format(done[what]), highlight=False)
    for label, row in counts.items():
        if row["before"] and not row["after"]:
            console.print(f"Nothing is left of the class {label}.", highlight=False, style="bold red")
    console.print(f"What became of each picture: {readable(report_file(new_folder))}", highlight=False)
    console.print(f"{readable(queue.folder)} is as it was. Train again on {readable(new_folder)}.", highlight=False)


_REMARKS = {
    "not looked at": "{} pictures that nobody has looked at were copied as they are.",
    "not in review": "{} files that are not in the review were copied as they are.",
    "missing": "{} pictures of the review are not in the folder any more.",
}


if __name__ == "__main__":
    run(apply_review)
