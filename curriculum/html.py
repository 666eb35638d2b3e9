"""Write a page that shows in class what a lab adds and changes, side by side."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from html import escape
from itertools import zip_longest
from pathlib import Path
from string import Template

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

from curriculum.diff import Change
from curriculum.manifest import Lab
from curriculum.tree import write_whole
from lab_kit.errors import UserError

PAGE = Path(__file__).resolve().parent / "page.html"
LIGHT, DARK = "friendly", "native"  # styles of Pygments that can be read from the last row

Row = tuple[str, int | None, str, int | None, str]  # kind, then line number and text on the left and on the right


def write(path: Path, changes: list[Change], before: Lab, after: Lab) -> None:
    """Write the page; raises UserError where that cannot be done."""
    try:
        write_whole(path, page(changes, before, after).encode())
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from error


def page(changes: list[Change], before: Lab, after: Lab) -> str:
    """Return the page: a table of contents, then each file that is new or has changed, in the order of `changes`."""
    shown = [change for change in changes if change.kind != "unchanged"]
    unchanged = [change.name for change in changes if change.kind == "unchanged"]
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        before=escape(before.folder),
        after=escape(after.folder),
        title=escape(after.title),
        colours=HtmlFormatter(style=LIGHT).get_style_defs(".code"),
        dark_colours=HtmlFormatter(style=DARK).get_style_defs(".dark .code"),
        contents="\n".join(_entry(number, change) for number, change in enumerate(shown)),
        unchanged="\n".join(f"<li>{escape(name)}</li>" for name in unchanged),
        num_unchanged=len(unchanged),
        files="\n".join(_file(number, change, before, after) for number, change in enumerate(shown)),
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


def _entry(number: int, change: Change) -> str:
    lines = len(change.after.splitlines())
    return (
        f'<li class="{change.kind}"><a href="#file{number}">{escape(change.name)}</a> '
        f"<small>{change.kind}, {lines} lines</small></li>"
    )


def _file(number: int, change: Change, before: Lab, after: Lab) -> str:
    head = f"<summary><span>{escape(change.name)}</span> <b>{change.kind}</b></summary>"
    new = _coloured(change.name, change.after)
    if change.before is None:
        body = "".join(f"<tr><th>{line}</th><td>{text}</td></tr>" for line, text in enumerate(new, start=1))
        return _details(number, change, head, f"<tbody>{body}</tbody>")
    old = _coloured(change.name, change.before)
    body = "".join(
        f'<tr class="{kind}"><th>{left or ""}</th><td>{text}</td><th>{right or ""}</th><td>{other}</td></tr>'
        for kind, left, text, right, other in rows(change.before.splitlines(), change.after.splitlines(), old, new)
    )
    titles = f"<thead><tr><th></th><td>{before.folder}</td><th></th><td>{after.folder}</td></tr></thead>"
    return _details(number, change, head, f"{titles}<tbody>{body}</tbody>")


def _details(number: int, change: Change, head: str, table: str) -> str:
    return f'<details open id="file{number}" class="{change.kind}">{head}<table class="code">{table}</table></details>'


def _coloured(name: str, text: str) -> list[str]:
    """Return the lines of a file as HTML, coloured as its language."""
    try:
        lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return [escape(line) for line in text.splitlines()]
    return highlight(text, lexer, HtmlFormatter(nowrap=True)).removesuffix("\n").split("\n")
