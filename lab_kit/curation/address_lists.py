"""Read lists of addresses: a text file for each class, or one CSV file with the columns class and url."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab_kit.curation.csv_table import read_table, read_text
from lab_kit.curation.names import class_folder_name
from lab_kit.errors import UserError
from lab_kit.paths import readable


@dataclass(frozen=True)
class ListEntry:
    """A line of the lists, with the path of its picture (`file`), or the `reason` why there is none."""

    label: str
    url: str
    file: str = ""
    reason: str = ""

    def row(self) -> dict[str, str]:
        """Return it as a row of the report."""
        return {"class": self.label, "url": self.url, "file": self.file, "reason": self.reason}


def read_lists(lists: Path) -> list[ListEntry]:
    """Read all addresses of a folder of lists, or of a CSV file, in order.

    Raises:
        UserError: there are no lists, or they cannot be read, or a class cannot have its name.
    """
    if lists.is_dir():
        files = sorted(lists.glob("*.txt"))
        if not files:
            raise UserError(f"{readable(lists)} has no lists: put a file <class>.txt there for each class.")
        entries = [ListEntry(class_folder_name(file.stem), url) for file in files for url in _read_addresses(file)]
    elif lists.is_file():
        entries = _read_table(lists)
    else:
        raise UserError(f"There is no {readable(lists)}: name a folder with lists, or a CSV file.")
    if not entries:
        raise UserError(f"There is no address in {readable(lists)}: write one on each line.")
    names = {entry.label.casefold(): entry.label for entry in entries}
    for label in {entry.label for entry in entries}:
        if (other := names[label.casefold()]) != label:
            raise UserError(f"'{label}' and '{other}' differ in capitals only: use one of them.")
    return entries


def _read_addresses(file: Path) -> Iterable[str]:
    for line in read_text(file).splitlines():
        if line.strip() and not line.strip().startswith("#"):
            yield line.strip().strip('"<>,')  # which surround addresses that were copied from a program


def _read_table(path: Path) -> list[ListEntry]:
    columns, rows = read_table(path, by_hand=True)
    if not {"class", "url"} <= set(columns):
        raise UserError(f"{readable(path)} needs the columns class and url; its first line should be: class,url")
    return [ListEntry(class_folder_name(row["class"]), row["url"].strip()) for row in rows]
