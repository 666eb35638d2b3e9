"""The part of a lab's README that is generated: the tree of its new files, and why each exists."""

import ast
import tomllib
from pathlib import Path

from curriculum import tree
from curriculum.manifest import Lab, Manifest
from text_recognizer.errors import UserError

START, END = "<!-- new files -->", "<!-- end of new files -->"
README = "README.md"


def readme(manifest: Manifest, lab: Lab) -> bytes | None:
    """Return a lab's README with its tree of new files up to date; None where there is no place for one.

    Raises:
        UserError: the README says where the tree begins and not where it ends, or the other way round.
    """
    path = manifest.root / lab.folder / README
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if START not in text and END not in text:
        return None
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise UserError(f"{lab.folder}/{README} needs both lines, '{START}' and '{END}': its tree stands between them.")
    return f"{before}{START}\n{_tree(manifest, lab)}\n{END}{after}".encode()


def write(manifest: Manifest) -> list[str]:
    """Bring the README of each lab up to date; returns the labs whose README changed."""
    changed = []
    for lab in manifest.labs:
        path, content = manifest.root / lab.folder / README, readme(manifest, lab)
        if content is not None and path.read_bytes() != content:
            tree.write_whole(path, content)
            changed.append(lab.folder)
    return changed


def _tree(manifest: Manifest, lab: Lab) -> str:
    files = manifest.added(lab)
    folders = list(dict.fromkeys(name.rpartition("/")[0] for name in files))
    width = max(len(name.rpartition("/")[2]) for name in files) + 6
    lines = []
    for folder in folders:
        lines.append(f"{folder}/")
        for name in files:
            parent, _, file = name.rpartition("/")
            if parent == folder:
                lines.append(f"    {file:<{width - 4}}{purpose(manifest.root / name)}".rstrip())
    return "\n".join(["```text", *lines, "```"])


def purpose(path: Path) -> str:
    """Return what a file says of itself: the first line of its docstring, or else its first comment or heading."""
    text = path.read_text(encoding="utf-8")
    if path.name == "metadata.toml":
        return f"Where {tomllib.loads(text)['name']} comes from: addresses, sizes, hashes."
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    headings = (line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#"))
    return next(headings, "")
