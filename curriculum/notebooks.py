"""Notebooks: canonical text in notebooks/labN/*.py, and what labN/notebooks/*.ipynb must hold because of it.

The text is jupytext's percent format. Each notebook gets a badge and a set-up cell, which are the same everywhere and
stand in no source. Outputs differ from machine to machine, so the cells' sources alone are compared.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from curriculum.manifest import NAME, Lab, Manifest
from lab_kit.errors import UserError

FOLDER = "notebooks"
SETUP = f"{FOLDER}/setup.txt"
HOMEWORK = f"{FOLDER}/homework.py"  # the same in every lab
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
LARGEST = 1_500_000  # bytes of a notebook: GitHub shows no larger ones
LARGEST_LAB = 4_000_000  # bytes of a lab's notebooks together


@dataclass(frozen=True)
class Source:
    """The canonical text of a notebook; `built` is its place in the repository."""

    lab: Lab
    path: Path

    @property
    def built(self) -> str:
        return f"{self.lab.folder}/{FOLDER}/{self.path.stem}.ipynb"


def sources(manifest: Manifest, lab: Lab | None = None) -> list[Source]:
    """Return the canonical notebooks of one lab, or of all, in the order in which they are taught, homework last."""
    found = []
    for one in [lab] if lab else manifest.labs:
        found += [Source(one, path) for path in sorted((manifest.root / FOLDER / one.folder).glob("*.py"))]
        if (homework := manifest.root / HOMEWORK).is_file():
            found.append(Source(one, homework))
    return found


def text(manifest: Manifest, source: Source) -> str:
    """Return the text of a notebook, with the names of its lab and of the repository put in."""
    return _filled(source.path.read_text(encoding="utf-8"), manifest, source.lab)


def assemble(manifest: Manifest, source: Source) -> NotebookNode:
    """Return a notebook without outputs: the badge, the first text cell, the set-up cell, and the rest.

    Raises:
        UserError: the source does not begin with text.
    """
    cells = jupytext.reads(text(manifest, source), fmt="py:percent").cells
    if not cells or cells[0].cell_type != "markdown":
        raise UserError(f"{source.path} must begin with a text cell: `# %% [markdown]`.")
    cells[0].source = f"{badge(manifest, source)}\n\n{cells[0].source}"
    cells.insert(1, nbformat.v4.new_code_cell(_setup(manifest, source.lab)))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02}"  # the same in every build
        cell.metadata.clear()
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    notebook.metadata["course"] = {"sources": fingerprint(notebook)}
    return notebook


def fingerprint(notebook: NotebookNode) -> str:
    """Return a hash of everything in a notebook but its outputs."""
    return hashlib.sha256(json.dumps(_cells(notebook)).encode()).hexdigest()[:16]


def faults(manifest: Manifest) -> list[str]:
    """Say where the notebooks in the labs are not those of the canonical text, or too large, a line each."""
    found = []
    known = sources(manifest)
    for lab in manifest.labs:
        mine = [source for source in known if source.lab is lab]
        there = {f"{lab.folder}/{FOLDER}/{path.name}": path for path in _built_files(manifest, lab)}
        stale = sorted(there.keys() - {source.built for source in mine})
        found += [f"{name} is stale: {FOLDER}/{lab.folder} has no such source. Remove it." for name in stale]
        for source in mine:
            found += _differences(manifest, source)
        sizes = {name: path.stat().st_size for name, path in there.items()}
        found += [f"{name} has {size:,} bytes: at most {LARGEST:,}." for name, size in sizes.items() if size > LARGEST]
        if sum(sizes.values()) > LARGEST_LAB:
            found.append(f"{lab.folder}/{FOLDER} has {sum(sizes.values()):,} bytes: at most {LARGEST_LAB:,}.")
    folders = {path.parent.name for path in (manifest.root / FOLDER).glob("*/*.py")}
    strange = sorted(folders - {lab.folder for lab in manifest.labs})
    return found + [f"{FOLDER}/{name} holds notebooks, but {NAME} has no lab of this name." for name in strange]


def built(manifest: Manifest, lab: Lab) -> dict[str, bytes]:
    """Return the notebooks in a lab's folder, name in that folder -> content."""
    return {f"{FOLDER}/{path.name}": path.read_bytes() for path in _built_files(manifest, lab)}


def words(name: str, content: bytes) -> bytes:
    """Return what a file says in words: of a notebook, everything but its pictures; of another file, all."""
    if not name.endswith(".ipynb"):
        return content
    cells = nbformat.reads(content.decode("utf-8"), as_version=4).cells
    texts = [cell.source for cell in cells]
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        texts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    return "\n".join(texts).encode()


def read(path: Path) -> NotebookNode:
    """Read a notebook; raises UserError where it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise UserError(f"{path} is not a notebook: {error}") from error


def _differences(manifest: Manifest, source: Source) -> list[str]:
    path = manifest.root / source.built
    build = "`python -m curriculum notebooks` builds it"
    if not path.is_file():
        return [f"{source.built} is missing: {build}."]
    wanted, there = _cells(assemble(manifest, source)), _cells(read(path))
    for number, (want, have) in enumerate(zip(wanted, there, strict=False)):
        if want != have:
            return [f"{source.built}: cell {number} is not that of {source.path.name}: {build}."]
    if len(wanted) != len(there):
        return [f"{source.built} has {len(there)} cells, and {source.path.name} makes {len(wanted)}: {build}."]
    return []


def _cells(notebook: NotebookNode) -> list[list[str]]:
    return [[cell.get("id", ""), cell.cell_type, cell.source] for cell in notebook.cells]


def _built_files(manifest: Manifest, lab: Lab) -> list[Path]:
    return sorted((manifest.root / lab.folder / FOLDER).glob("*.ipynb"))


def badge(manifest: Manifest, source: Source) -> str:
    """Return the badge, in Markdown, that opens a notebook on Colab."""
    address = f"https://colab.research.google.com/github/{manifest.repository}/blob/main/{source.built}"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"


def _setup(manifest: Manifest, lab: Lab) -> str:
    return _filled((manifest.root / SETUP).read_text(encoding="utf-8").strip(), manifest, lab)


def _filled(text: str, manifest: Manifest, lab: Lab) -> str:
    values = {"LAB": lab.folder, "NUMBER": str(lab.number), "REPOSITORY": manifest.repository}
    for name, value in (values | {"FOLDER": manifest.repository.split("/")[-1]}).items():
        text = text.replace(f"@{name}@", value)
    return text
