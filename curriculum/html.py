"""Write a page that shows in class what a lab adds and changes, or how homework is solved, side by side."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from curriculum.diff import INIT, Change, Side
from curriculum.manifest import Lab
from curriculum.tree import write_whole
from lab_kit.errors import UserError
from lab_kit.html_page import template

PAGE = Path(__file__).resolve().parent / "page.html"
LIGHT, DARK = "xcode", "native"  # styles of Pygments that can be read from the last row, and by all people

Row = tuple[str, int | None, str, int | None, str]  # kind, then line number and text on the left and on the right


def write(path: Path, changes: list[Change], before: Lab | Side, after: Lab | Side) -> None:
    """Write the page; raises UserError where that cannot be done."""
    try:
        write_whole(path, page(changes, before, after).encode())
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from error


def page(changes: list[Change], before: Lab | Side, after: Lab | Side) -> str:
    """Return the page: a table of contents, then each file that is new or has changed, in the order of `changes`.

    Generated `__init__.py` are counted and not shown: no lesson is about them.
    """
    different = [change for change in changes if change.kind != "unchanged"]
    shown = [change for change in different if not change.name.endswith(INIT)]
    unchanged = [change.name for change in changes if change.kind == "unchanged"]
    return template(PAGE).render(
        before=before,
        after=after,
        colours=HtmlFormatter(style=LIGHT).get_style_defs(".code"),
        dark_colours=HtmlFormatter(style=DARK).get_style_defs(".dark .code"),
        unchanged=unchanged,
        hidden=[change.name for change in different if change not in shown],
        files=[(change, _rows(change)) for change in shown],
    )


def rows(before: list[str], after: list[str], old: list[str], new: list[str]) -> Iterator[Row]:
    """Yield the rows of a side-by-side view.

    Args:
        before, after: the lines to compare.
        old, new: the same lines, as they are to be shown.
    """
    for kind, a, a_end, b, b_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for left, right in zip_longest(range(a, a_end), range(b, b_end)):
            yield (
                kind,
                None if left is None else left + 1,
                "" if left is None else old[left],
                None if right is None else right + 1,
                "" if right is None else new[right],
            )


def _rows(change: Change) -> list[Row]:
    """Return the rows that show a file, all of them on the right if it is new."""
    new = _coloured(change.name, change.after)
    if change.before is None:
        return [("insert", None, "", line, text) for line, text in enumerate(new, start=1)]
    old = _coloured(change.name, change.before)
    return list(rows(change.before.splitlines(), change.after.splitlines(), old, new))


def _coloured(name: str, text: str) -> list[str]:
    """Return the lines of a file as HTML, coloured as its language."""
    try:
        lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    return highlight(text, lexer, HtmlFormatter(nowrap=True)).removesuffix("\n").split("\n")
