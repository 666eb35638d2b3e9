"""The generated parts of the READMEs: what to read in a lab, its questions, its new files, and all notebooks."""

import ast
import tomllib
from collections.abc import Callable
from pathlib import Path

from curriculum import exports, notebooks, questions, tree
from curriculum.manifest import Lab, Manifest
from lab_kit.errors import UserError

README = "README.md"


def readmes(manifest: Manifest) -> dict[str, bytes]:
    """Return every README with generated parts, name -> content as it should be.

    Raises:
        UserError: a README says where a part begins and not where it ends, or the other way round; or a lab's questions
            are faulty.
    """
    found = {}
    for folder, parts, lab in [("", ROOT_PARTS, None), *((f"{lab.folder}/", LAB_PARTS, lab) for lab in manifest.labs)]:
        path = manifest.root / f"{folder}{README}"
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        for name, write_part in parts.items():
            text = _with_part(text, name, lambda make=write_part, of=lab: make(manifest, of), f"{folder}{README}")
        found[f"{folder}{README}"] = text.encode()
    return found


def write(manifest: Manifest) -> list[str]:
    """Bring all READMEs up to date; returns the names of those that changed."""
    changed = []
    for name, content in readmes(manifest).items():
        if (manifest.root / name).read_bytes() != content:
            tree.write_whole(manifest.root / name, content)
            changed.append(name)
    return changed


def _with_part(text: str, name: str, make: Callable[[], str], file: str) -> str:
    """Return `text` with what `make` returns between the two lines that mark a part; as it is without such lines."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if start not in text and end not in text:
        return text
    before, found_start, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not found_start or not found_end:
        raise UserError(f"{file} needs both lines, '{start}' and '{end}': a list stands between them.")
    return f"{before}{start}\n{make()}\n{end}{after}"


def _colab(manifest: Manifest, lab: Lab | None) -> str:
    """Return a table of all notebooks, each with a badge that opens it on Colab."""
    rows = ["| lab | notebook | |", "| --- | --- | --- |"]
    for source in notebooks.sources(manifest):
        title = notebooks.text(manifest, source).partition("# # ")[2].partition("\n")[0]
        rows.append(f"| {source.lab.number} | [{title}]({source.built}) | {notebooks.badge(manifest, source)} |")
    return "\n".join(rows)


def _reads(manifest: Manifest, lab: Lab) -> str:
    """Return a numbered list of the files to read, with their lines of code: what to expect of each."""
    rows = []
    for number, name in enumerate(lab.reads, start=1):
        lines = len((manifest.root / name).read_text(encoding="utf-8").splitlines())
        rows.append(f"{number}. [`{name}`]({name}), {lines} lines. {purpose(manifest.root / name)}")
    return "\n".join(rows) or "Nothing yet: `reads` in labs.toml lists what to read."


def _files(manifest: Manifest, lab: Lab) -> str:
    files = manifest.added(lab)
    folders = list(dict.fromkeys(name.rpartition("/")[0] for name in files))
    width = max((len(name.rpartition("/")[2]) for name in files), default=0) + 6
    lines = []
    for folder in folders:
        lines.append(f"{folder}/")
        for name in files:
            parent, _, file = name.rpartition("/")
            if parent == folder:
                lines.append(f"    {file:<{width - 4}}{purpose(manifest.root / name)}".rstrip())
    return "\n".join(["```text", *lines, "```"]) if lines else "None yet: `adds` in labs.toml lists them."


LAB_PARTS: dict[str, Callable[[Manifest, Lab], str]] = {
    "what to read": _reads,
    "questions": questions.part,
    "new files": _files,
}
ROOT_PARTS: dict[str, Callable[[Manifest, None], str]] = {"colab": _colab}


def purpose(path: Path) -> str:
    """Return what a file says of itself: the first line of its docstring, its heading, or a page's title."""
    text = path.read_text(encoding="utf-8")
    if path.name == "metadata.toml":
        return f"Where {tomllib.loads(text)['name']} comes from: addresses, sizes, hashes."
    if path.suffix == ".py":
        return (ast.get_docstring(exports.parsed(text.encode(), path)) or "").partition("\n")[0]
    if path.suffix == ".html" and "<title>" in text:
        return f'The page "{text.partition("<title>")[2].partition("</title>")[0].strip()}".'
    if path.suffix in (".md", ".toml"):
        headings = (line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#"))
        return next(headings, "")
    return ""
