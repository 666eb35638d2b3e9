"""Plan what becomes of each file of a data set when a review is applied: kept, relabelled, deleted or left out."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from lab_kit.curation.review_file import GRADES, Picture, path_under_label
from lab_kit.curation.review_queue import ReviewQueue
from lab_kit.errors import UserError


@dataclass(frozen=True)
class Step:
    """What is done with one file when a review is applied.

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


def plan(queue: ReviewQueue, files: list[str], grades: frozenset[int | None] | None = None) -> list[Step]:
    """Return a step for each of the `files` of the old folder, and for each picture of the review that is missing.

    No picture gets a name that another one has or had, because a later review identifies pictures by their names.

    Args:
        queue: the review.
        files: paths of all files, relative to the old folder.
        grades: take only pictures with these grades; None among them is for pictures without a grade. None takes all.
    """
    reviewed = {picture.file: picture for picture in queue.pictures}
    existing = set(files)
    taken = {file.casefold() for file in (*files, *reviewed)}  # on some systems A.jpg is a.jpg
    steps = []
    for file in sorted(existing | reviewed.keys()):
        picture = reviewed.get(file)
        done = _done(picture, file in existing, grades)
        new_file = "" if done in ("deleted", "other grade", "missing") else file
        if done == "relabelled":
            new_file = _unused_name(path_under_label(file, picture.new_label), taken)
        label, grade = (picture.label, picture.grade) if picture else ("", None)
        new_label = "" if not new_file else picture.new_label or label if picture else ""
        steps.append(Step(file, done, label, new_label, grade, new_file))
    return steps


def parse_grades(text: str) -> frozenset[int | None] | None:
    """Parse a list of grades like `1,2,none`; None in the result is for pictures without a grade. Empty: None.

    Raises:
        UserError: one of the words is not a grade.
    """
    words = [word.strip().lower() for word in str(text).strip("[] ").split(",")]
    known: dict[str, int | None] = {str(grade): grade for grade in GRADES} | {"none": None}
    if words == [""]:
        return None
    for word in words:
        if word not in known:
            raise UserError(
                f"'{word}' is not a grade: --grades takes numbers from 1 (the best) to 5, like 1,2,3, and none."
            )
    return frozenset(known[word] for word in words)


def _done(picture: Picture | None, exists: bool, grades: frozenset[int | None] | None) -> str:
    """Return what is done with a file, as in `Step.done`."""
    if picture is None:
        return "not in review"
    if not exists:
        return "missing"
    if picture.proposal == "delete":
        return "deleted"
    if grades is not None and picture.grade not in grades:
        return "other grade"
    return {"": "not looked at", "keep": "kept", "relabel": "relabelled"}[picture.proposal]


def _unused_name(file: str, taken: set[str]) -> str:
    """Return `file`, with a number in its name if it is in `taken`; add the result to `taken`."""
    path, number, name = PurePosixPath(file), 1, file
    while name.casefold() in taken:
        number += 1
        name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
    taken.add(name.casefold())
    return name
