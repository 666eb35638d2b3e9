"""Read and write the file of a review: a CSV with a row for each picture and the proposal for it.

People edit this file, too. So it is read strictly: the usual changes by spreadsheets (a byte order mark, other line
endings, semicolons with decimal commas, columns in another order) are understood, and anything that is not clear is
refused with the number of its line.
"""

import csv
import io
import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from lab_kit.atomic_write import UNFINISHED
from lab_kit.curation.csv_table import decode, delimiter_of
from lab_kit.datasets.picture_layout import split_of
from lab_kit.errors import UserError, nearest

PROPOSALS = ("", "keep", "delete", "relabel")
GRADES = (1, 2, 3, 4, 5)  # after the study group's tool, whose user sorted pictures by "four grades of quality"

COLUMNS = ("file", "split", "label", "predicted", "loss", "confidence", "proposal", "new_label", "grade")
HEADER = ",".join(COLUMNS) + "\n"
REQUIRED_COLUMNS = COLUMNS[:6]  # without the other columns, a file has no proposals yet


@dataclass
class Picture:
    """One picture of a review, what the model says about it, and what a person proposes.

    Args:
        file: its path relative to the data set's folder, in posix form: `star/0012.jpg` or `valid/star/0012.jpg`.
        split: train, valid or test: what the model used it for.
        label: the class whose folder it is in.
        predicted: the class that the model predicts.
        loss: the model's loss for this label; the higher it is, the more the model disagrees with the label.
        confidence: the model's probability of the predicted class, from 0 to 1.
        proposal: empty (nobody has looked at it), keep, delete or relabel.
        new_label: the class to relabel it to; empty for other proposals.
        grade: 1 (the best) to 5, or None.
    """

    file: str
    split: str
    label: str
    predicted: str
    loss: float
    confidence: float
    proposal: str = ""
    new_label: str = ""
    grade: int | None = None


def path_under_label(file: str, label: str) -> str:
    """Return the path of `file` in the class folder of `label`, with the same split and the same name."""
    parts = file.split("/")
    parts[1 if split_of(parts[0]) and len(parts) > 2 else 0] = label
    return "/".join(parts)


def is_folder_name(name: str) -> bool:
    """Return whether a class can have this name: whether it is valid for a folder, on any operating system."""
    return name not in ("", ".", "..") and not any(character in "/\\:\0\r\n" for character in name)


def validate(picture: Picture, classes: Collection[str] | None) -> Picture:
    """Check a picture's values, and return it with a complete proposal.

    A grade without a proposal means keep, a new label without a proposal means relabel, and a relabel to the picture's
    own label means keep.

    Args:
        picture: the picture.
        classes: the labels that exist, or None to accept any.

    Raises:
        UserError: a value is not allowed; the message is a sentence about this picture.
    """
    _check_file(picture.file)
    for name in (picture.label, picture.new_label):
        if name and classes is not None and name not in classes:
            raise UserError(f"'{name}' is not a class here.{nearest(name, classes)}")
    if not picture.label:
        raise UserError(f"{picture.file} has no label.")
    if not math.isfinite(picture.loss):
        raise UserError(f"The loss of {picture.file} is {picture.loss}: it must be a finite number.")
    if not 0 <= picture.confidence <= 1:
        raise UserError(f"The confidence for {picture.file} is {picture.confidence}: it must be from 0 to 1.")
    if picture.grade is not None and (isinstance(picture.grade, bool) or picture.grade not in GRADES):
        raise UserError(f"There is no grade {picture.grade}: grades are 1 (the best) to 5.")
    if picture.proposal not in PROPOSALS:
        raise UserError(f"'{picture.proposal}' cannot be proposed: keep, delete and relabel can.")
    proposal = picture.proposal or ("relabel" if picture.new_label else "keep" if picture.grade else "")
    if proposal == "relabel" and not picture.new_label:
        raise UserError(f"{picture.file} is to be relabelled: the new label is missing.")
    if proposal != "relabel" and picture.new_label:
        raise UserError(f"{picture.file} has a new label, '{picture.new_label}', but the proposal is to {proposal} it.")
    if picture.new_label == picture.label:
        return replace(picture, proposal="keep", new_label="")
    return picture if proposal == picture.proposal else replace(picture, proposal=proposal)


def _check_file(file: str) -> None:
    parts = file.split("/")
    if {"", ".", ".."} & set(parts) or file[1:2] == ":" or file[:1] == "\\" or "\0" in file:
        raise UserError(f"'{file}' is not a file's path relative to the data set's folder, like star/0012.jpg.")
    try:
        file.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"The name of the file {file!a} is not text: give it another name.") from None
    if len(parts) < 2:
        raise UserError(f"'{file}' does not lie in a class folder, as star/0012.jpg does.")


def sort_by_loss(pictures: Iterable[Picture]) -> list[Picture]:
    """Return the pictures sorted by loss, the highest first; those with equal losses by file."""
    return sorted(pictures, key=lambda picture: (-picture.loss, picture.file))


def remove_leftovers(path: Path) -> None:
    """Remove the unfinished files that killed processes left beside `path`; the caller holds its lock."""
    for entry in path.parent.iterdir():
        if entry.name.startswith(f"{path.name}.") and entry.name.endswith(UNFINISHED):
            with suppress(OSError):
                entry.unlink()


def to_csv_lines(pictures: Iterable[Picture]) -> list[str]:
    """Return a line of the CSV file for each of the pictures, with its line end."""
    lines = _Lines()
    csv.writer(lines, lineterminator="\n").writerows(map(attrgetter(*COLUMNS), pictures))
    return lines


class _Lines(list):
    """A list that a CSV writer can write to, row by row."""

    write = list.append


def parse(content: bytes, name: str, classes: Collection[str] | None) -> list[Picture]:
    """Parse a review's file; return its pictures, sorted by loss.

    Args:
        content: the content of the file.
        name: the name of the file, for messages.
        classes: the labels that exist, or None to accept any.

    Raises:
        UserError: something in the file is wrong; the message names the line.
    """
    rows = _Rows(decode(content, name), name)
    pictures: dict[str, Picture] = {}
    lines: dict[str, int] = {}
    for row in rows:
        try:
            picture = validate(rows.picture(row), classes)
        except UserError as error:
            raise UserError(f"{name}, line {rows.line}: {error}") from None
        if picture.file in pictures:
            raise UserError(f"{name}, line {rows.line}: {picture.file} is in line {lines[picture.file]} already.")
        pictures[picture.file], lines[picture.file] = picture, rows.line
    return sort_by_loss(pictures.values())


class _Rows:
    """Iterates over the rows of a CSV file after its header, as dictionaries; `line` is the current line's number."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._delimiter = delimiter_of(text)
        # newline="": a line break within a field must stay as it is.
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True)
        self._columns = next(self._nonblank_rows(), [])
        self._check_columns()

    @property
    def line(self) -> int:
        return self._reader.line_num

    def __iter__(self) -> Iterator[dict[str, str]]:
        for row in self._nonblank_rows():
            if any(row[len(self._columns) :]):
                raise UserError(f"{self._name}, line {self.line}: has more fields than there are columns.")
            row += [""] * (len(self._columns) - len(row))  # spreadsheets leave out empty fields at the end
            yield dict(zip(self._columns, row, strict=False))

    def picture(self, row: dict[str, str]) -> Picture:
        """Return the picture of a row, not yet validated; raise UserError if a number cannot be read."""
        grade = row.get("grade", "").strip()
        return Picture(
            file=row["file"],
            split=row["split"].strip(),
            label=row["label"],
            predicted=row["predicted"],
            loss=self._parse_number(row, "loss"),
            confidence=self._parse_number(row, "confidence"),
            proposal=row.get("proposal", "").strip().lower(),
            new_label=row.get("new_label", ""),
            grade=self._parse_grade(grade) if grade else None,
        )

    def _parse_number(self, row: dict[str, str], column: str) -> float:
        # Where fields are separated by semicolons, the comma is the decimal mark.
        text = row[column].replace(",", ".") if self._delimiter != "," else row[column]
        try:
            return float(text)
        except ValueError:
            raise UserError(f"the {column} is '{row[column]}', which is not a number.") from None

    @staticmethod
    def _parse_grade(text: str) -> int:
        try:
            return GRADES[[str(grade) for grade in GRADES].index(text)]
        except ValueError:
            raise UserError(f"There is no grade {text}: grades are 1 (the best) to 5.") from None

    def _nonblank_rows(self) -> Iterator[list[str]]:
        """Yield the rows that are not blank."""
        try:
            yield from (row for row in self._reader if any(row))
        except csv.Error as error:
            raise UserError(f"{self._name}, line {self.line}: is not CSV ({error}).") from None

    def _check_columns(self) -> None:
        self._columns = [column.strip().lower() for column in self._columns]
        where = f"{self._name}, line {max(1, self.line)}:"
        if missing := [column for column in REQUIRED_COLUMNS if column not in self._columns]:
            raise UserError(f"{where} is not the header of a review: the column {missing[0]} is missing.")
        if unknown := [column for column in self._columns if column not in COLUMNS]:
            raise UserError(f"{where} a review has no column '{unknown[0]}': remove it.")
        if len(set(self._columns)) < len(self._columns):
            raise UserError(f"{where} a column is there twice.")
