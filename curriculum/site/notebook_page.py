"""A notebook with its results, as a page: nothing is run."""

import re
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode

from curriculum import alternative_texts

# What stands in the outputs for programs that can show it; a page has no kernel behind it.
NEEDS_A_KERNEL = "application/vnd.jupyter.widget-view+json"


def page(notebook: NotebookNode, source: str, fitted: Callable[[str, str], str]) -> tuple[str, list[str]]:
    """Return a notebook for the site, as JSON, and a line for each of its pictures that has no alternative text.

    Args:
        notebook: as it is in the repository; it is changed.
        source: its path there.
        fitted: gives, for Markdown and its place ("cell 3"), the same with links that fit the site.
    """
    problems = []
    for number, output, text in alternative_texts.described(notebook):
        if not text:
            problems.append(
                f"{source}:cell {number}: a picture without an alternative text: give the plot a title, or write "
                "`# alt: what one sees` into the cell"
            )
        if "text/html" in output.data:
            output.data["text/html"] = _player(output.data["text/html"], text)
        output.cell_alt = text
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            cell.source = fitted(cell.source, f"cell {number}")
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(NEEDS_A_KERNEL, None)
            if text := output.pop("cell_alt", ""):
                cell.metadata["mystnb"] = {"image": {"alt": text}}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}  # with commands of the shell
    return nbformat.writes(notebook), problems


def _player(html: str, text: str) -> str:
    """Name the picture and the slider of matplotlib's player of animations, which have no names of their own."""
    name = text.replace("&", "&amp;").replace('"', "&quot;")
    html = re.sub(r"<img(?![^>]*\balt=)", f'<img alt="{name}"', html)
    return re.sub(r'<input(?=[^>]*type="range")(?![^>]*aria-label)', '<input aria-label="Which picture"', html)
