"""Read tables as spreadsheets write them: with commas, semicolons or tabs, in UTF-8 or UTF-16."""

import csv
import io
from pathlib import Path

from lab_kit.errors import UserError
from lab_kit.paths import readable

DELIMITERS = ";\t,"  # where a comma is the decimal mark, spreadsheets put semicolons between fields


def read_text(path: Path) -> str:
    """Return the text in a file; raise UserError if it is in neither UTF-8 nor UTF-16."""
    return decode(path.read_bytes(), readable(path))


def decode(content: bytes, name: str) -> str:
    """Return text in UTF-8, with or without a byte order mark, or in UTF-16 (a spreadsheet's "Unicode text").

    Raises:
        UserError: it is in neither; the message gives the line in the file called `name`.
    """
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: is not UTF-8 text. Save it as 'CSV UTF-8'.") from None


def delimiter_of(text: str) -> str:
    """Return what is between the fields of a table: the mark that is most often in its first line, a comma if none."""
    start = text.lstrip("\r\n").split("\n", 1)[0].split("\r", 1)[0]
    if start.casefold().startswith("sep=") and start[4:5]:  # a line that tells Excel what it is
        return start[4]
    return max(DELIMITERS, key=lambda mark: (start.count(mark), mark == ","))


def read_table(path: Path, by_hand: bool) -> tuple[list[str], list[dict[str, str]]]:
    """Return the names of a table's columns, in small letters, and its rows that are not blank.

    Args:
        path: a CSV file.
        by_hand: people have written it: spaces after a delimiter do not count, and if there are too many fields in a
            row, its last column has text, such as an address, with delimiters that should have been quoted.

    Raises:
        UserError: it is not a CSV file, or a row has too many fields.
    """
    text = read_text(path)
    delimiter = delimiter_of(text)
    if text.casefold().startswith("sep="):
        text = text.partition("\n")[2]
    try:
        # newline="": a line break within a field must stay as it is.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=by_hand)
        lines = [line for line in reader if any(field.strip() for field in line)]
    except csv.Error as error:
        raise UserError(f"{readable(path)} is not a CSV file: {error}.") from None
    columns = [name.strip().casefold() for name in lines[0]] if lines else []
    while columns and not columns[-1]:  # left by columns that somebody has emptied
        columns.pop()
    if not columns:
        return [], []
    return columns, [_row(columns, line, delimiter if by_hand else "", path) for line in lines[1:]]


def _row(columns: list[str], line: list[str], delimiter: str, path: Path) -> dict[str, str]:
    count = len(columns)
    while len(line) > count and not line[-1]:
        line = line[:-1]
    if len(line) > count:
        if not delimiter:
            raise UserError(f"{readable(path)} has a row with more fields than there are columns: {line[0]}.")
        line = [*line[: count - 1], delimiter.join(line[count - 1 :])]
    return dict(zip(columns, [*line, *[""] * (count - len(line))], strict=True))
