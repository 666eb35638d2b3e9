"""What those are told who cannot see a picture in a notebook: its title and axes, or what its author wrote in the cell.

The author writes a comment in the cell that draws the picture, `# alt: a curve that falls`. Without one, the titles and
the axes that the code gives to its plots say what is to be seen.
"""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

WRITTEN = re.compile(r"^\s*#\s*alt:\s*(.+(?:\n\s*#\s{2,}.+)*)", re.MULTILINE)
TITLES = ("title", "suptitle", "set_title")
AXES = {"xlabel": "x axis", "set_xlabel": "x axis", "ylabel": "y axis", "set_ylabel": "y axis"}
PICTURES = ("image/png", "image/jpeg")


def described(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode, str]]:
    """Yield each picture of a notebook: its cell's number, from 1, the output, and its text; empty if there is none."""
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if any(kind in output.get("data", {}) for kind in PICTURES) or "<img" in _html(output):
                yield number, output, text_of(cell.source)


def text_of(code: str) -> str:
    """Return the alternative text of what a cell draws; empty if the cell says nothing about it."""
    if written := WRITTEN.search(code):
        return " ".join(re.sub(r"^\s*#", "", line).strip() for line in written[1].splitlines())
    try:
        calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    except SyntaxError:  # as with a command of the notebook's own
        return ""
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    found = [pair for call in calls for pair in _labels(call)]
    titles = list(dict.fromkeys(text for kind, text in found if kind in TITLES))
    axes = dict.fromkeys(f"{AXES[kind]}: {text}" for kind, text in found if kind in AXES)
    return "; ".join(titles) + (f" ({', '.join(axes)})" if axes else "") if titles else ""


def write_into(notebook: NotebookNode) -> None:
    """Write the texts into the notebook, where Jupyter's converters look for them."""
    for _, output, text in described(notebook):
        for kind in PICTURES:
            if text and kind in output.data:
                output.metadata.setdefault(kind, {})["alt"] = text


def _labels(call: ast.Call) -> Iterator[tuple[str, str]]:
    """Yield the titles and the names of axes in a call, as (kind, text)."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if call.args and (name in TITLES or name in AXES):
        yield from ((name, text) for text in [_text(call.args[0])] if text)
    elif name.startswith(("plot_", "show_")):  # a function of our own that draws: its words are a title
        yield from (("title", text) for text in map(_text, call.args) if " " in text)
    for keyword in call.keywords:
        if keyword.arg in (*TITLES, *AXES) and (text := _text(keyword.value)):
            yield keyword.arg, text


def _text(value: ast.expr) -> str:
    """Return a string as it stands in the code, with "…" for what is calculated; empty if there are no words in it."""
    if isinstance(value, ast.Constant):
        return value.value if isinstance(value.value, str) else ""
    if not isinstance(value, ast.JoinedStr):
        return ""
    parts = [part.value if isinstance(part, ast.Constant) else "…" for part in value.values]
    return "".join(parts) if any(re.search(r"\w{2}", part) for part in parts) else ""


def _html(output: NotebookNode) -> str:
    return output.get("data", {}).get("text/html", "")
