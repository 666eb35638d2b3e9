"""Make an empty list of addresses for each search term: the first step of a collection.

python -m lab_kit.curation.search_terms terms.csv lists

`terms.csv` has the columns term and leave_out: what to search for, and which of these words should not be in the name
of the class, because they only help the search:

    term,leave_out
    gibson les paul guitar,guitar

makes the class gibson_les_paul and its list, `lists/gibson_les_paul.txt`, which explains how to fill it.
"""

from pathlib import Path
from urllib.parse import quote_plus

from rich.table import Table

from lab_kit.atomic_write import write_text
from lab_kit.command_line import command_line
from lab_kit.curation.csv_table import read_table
from lab_kit.curation.names import class_name_from_term
from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.program import run

LIST = """\
# {label}: write the addresses of pictures, one on each line, below these lines that begin with #.
#
# Search for: {term}
#   https://commons.wikimedia.org/w/index.php?ns6=1&search={query}
#   https://www.bing.com/images/search?q={query}
#   or on any other site with such pictures. Check what you may use them for.
# One address: right-click on a picture, "Copy image address", and paste it here.
# Many at once: scroll down for as long as the pictures are what you want. Press F12, choose "Console", paste the next
#   line there without its #, press Enter, and paste the result here:
#   copy([...document.images].filter(i => i.naturalWidth > 99).map(i => i.src).filter(u => /^http/.test(u)).join("\\n"))
# Then: python -m lab_kit.curation.collect {lists} pictures
"""


def search_terms(terms: Path, lists: Path, pictures: Path | None = None) -> None:
    """Make an empty list of addresses for each search term; you fill the lists and give them to collect.

    A list that is not empty stays as it is.

    Args:
        terms: a CSV file with the columns term and leave_out.
        lists: the folder for the lists.
        pictures: also make a folder for each class in this folder, for pictures that you save by hand.
    """
    lists = Path(lists)
    labels = read_terms(Path(terms))
    if lists.exists() and not lists.is_dir():
        raise UserError(f"{readable(lists)} is a file: name a folder for the lists.")
    lists.mkdir(parents=True, exist_ok=True)
    table = Table(title=f"Lists in {readable(lists)}", title_justify="left")
    for column in ("list", "search for", ""):
        table.add_column(column)
    for label, term in labels.items():
        path = lists / f"{label}.txt"
        new = not path.exists() or not path.read_bytes().strip()
        if new:
            write_text(LIST.format(label=label, term=term, query=quote_plus(term), lists=readable(lists)), path)
        if pictures is not None:
            Path(pictures, label).mkdir(parents=True, exist_ok=True)
        table.add_row(path.name, term, "to be filled" if new else "existed already, not changed")
    console = PlainConsole()
    console.print(table)
    console.print("Each list explains how to fill it.")
    command = "Then: " + command_line("python", "-m", "lab_kit.curation.collect", lists, "pictures")
    console.print(command, soft_wrap=True)


def read_terms(path: Path) -> dict[str, str]:
    """Read the search terms: {class: term}.

    Raises:
        UserError: the file cannot be read, or two terms make the same class.
    """
    try:
        columns, rows = read_table(path, by_hand=True)
    except FileNotFoundError:
        raise UserError(
            f"There is no {readable(path)}: write a CSV file with the columns term and leave_out."
        ) from None
    if not {"term", "leave_out"} <= set(columns):
        raise UserError(f"{readable(path)} needs the columns term and leave_out; its first line: term,leave_out")
    rows = [row for row in rows if row["term"].strip()]
    if not rows:
        raise UserError(f"{readable(path)} has no terms: write one on each line, below term,leave_out")
    labels: dict[str, str] = {}
    for row in rows:
        term = " ".join(row["term"].split())
        label = class_name_from_term(term, row["leave_out"])
        if label in labels:
            raise UserError(f"'{labels[label]}' and '{term}' would both be called {label}: leave out less.")
        labels[label] = term
    return labels


if __name__ == "__main__":
    run(search_terms)
