"""Pages of a lab's code: which files it adds, what each of them says, and what changes in the others."""

import re

from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

from curriculum import diff
from curriculum.manifest import Lab, Manifest
from curriculum.tour import purpose

SIDE_BY_SIDE = "side-by-side.html"  # in a lab's folder of the site: curriculum/html.py writes it


def contents(manifest: Manifest, lab: Lab) -> str:
    """Return the page that lists a lab's new files, in the order in which they are taught."""
    rows = [f"- [`{name}`]({name}): {purpose(manifest.root / name)}" for name in manifest.added(lab)]
    about = (
        "The files that this lab adds, in the order in which they are taught. What it has from the labs before it is "
        "there, unchanged."
    )
    return "\n".join([f"# Code of lab {lab.number}", "", about, "", *rows, ""])


def listing(manifest: Manifest, name: str) -> str:
    """Return the page that shows one file, its lines numbered."""
    text = (manifest.root / name).read_text(encoding="utf-8")
    try:
        language = get_lexer_for_filename(name).aliases[0]
    except ClassNotFound:
        language = "text"
    fence = "`" * max([3, *(len(found) + 1 for found in re.findall(r"`{3,}", text))])
    block = [f"{fence}{{code-block}} {language}", ":linenos:", "", text.rstrip("\n"), fence]
    return "\n".join([f"# `{name}`", "", *block, ""])


def changes(manifest: Manifest, lab: Lab) -> str:
    """Return the page that says which files a lab adds and changes, and leads to all their lines."""
    before = manifest.lab(lab.number - 1)
    found = diff.changes(manifest, before.number, lab.number)
    rows = [
        f"| `{change.name}` | {change.kind} | {len(change.after.splitlines())} |"
        for change in found
        if change.kind != "unchanged"
    ]
    same = sum(change.kind == "unchanged" for change in found)
    return "\n".join(
        [
            f"# From lab {before.number} to lab {lab.number}",
            "",
            "The difference between two labs is the lesson.",
            "",
            f'<p><a class="course-button" href="{SIDE_BY_SIDE}">Show all lines, side by side</a></p>',
            "",
            "| file | what | lines |",
            "| --- | --- | --- |",
            *rows,
            "",
            f"{same} files are as in lab {before.number}.",
            "",
        ]
    )
