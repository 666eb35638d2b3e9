"""No lab may name what a later lab introduces: neither its code, nor, once it is released, anything in it.

Capitals do not matter. An exported class counts wherever `grep -i` finds it, inside a longer word too. A module or
dataset counts as a word or as a part of a snake_case name (`ctc` in `ctc_loss`), unless labs.toml lists it among the
ordinary words; an import of such a module is found all the same.
"""

import ast
import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from curriculum.manifest import Lab, Manifest

DESCRIPTIONS = ("README", "metadata")  # of the dataset whose name their folder has


def later_names(manifest: Manifest, lab: Lab) -> set[str]:
    """Return what the labs after `lab` introduce: classes with capitals, modules and datasets without."""
    found: set[str] = set()
    for later in manifest.labs[lab.number :]:
        found.update(later.names)
        for path in map(PurePath, manifest.added(later)):
            found.add(path.parent.name if path.stem in DESCRIPTIONS else path.stem)
            found.update(manifest.exports.get(path.parent.as_posix(), {}).get(path.stem, []))
    # `recognizer.py` lies in `text_recognizer/`, which every lab has; a name like `__main__` is Python's.
    of_packages = {word for folder in manifest.canonical for word in (folder, *folder.split("_"))}
    python = {name for name in found if name.startswith("__")}
    return found - set(manifest.ordinary_words) - of_packages - python


def leaks(names: Iterable[str], files: Mapping[str, bytes]) -> list[str]:
    """Say where `files` mention one of `names`, a line each."""
    ordered = sorted(names, key=lambda name: (-len(name), name))  # or a report would say EMNIST of EMNISTLines
    found = []
    for path, content in files.items():
        text = content.decode("utf-8", errors="replace")
        lowered = f"{path}\n{text}".lower()
        # Most names are nowhere in a file, which is told much faster than where they are.
        search = _pattern(tuple(name for name in ordered if name.lower() in lowered)).search
        if hit := search(path):
            found.append(f"{path}: its name has '{hit[0]}'")
        for number, line in enumerate(text.splitlines(), start=1) if search(text) else []:
            if hit := search(line):
                found.append(f"{path}:{number}: names '{hit[0]}': {line.strip()}")
    return found


@functools.cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds the first of these names that stands in a text."""
    patterns = [re.escape(name) if name != name.lower() else rf"(?<![a-z]){re.escape(name)}(?![a-z])" for name in names]
    return re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)


def missing_imports(manifest: Manifest, files: Mapping[str, bytes]) -> list[str]:
    """Say which modules of the course are imported in `files` without being among them, a line each."""
    there = {PurePath(path).with_suffix("").as_posix().removesuffix("/__init__") for path in files}
    everywhere = {PurePath(path).with_suffix("").as_posix() for path in manifest.canonical_files}
    absent = {path.replace("/", ".") for path in everywhere - there}
    found = []
    for path, content in files.items():
        for line, modules in _imports(content) if path.endswith(".py") else []:
            for module in sorted(modules & absent):
                found.append(f"{path}:{line}: imports {module}, which a later lab introduces")
    return found


@functools.cache
def _imports(content: bytes) -> list[tuple[int, set[str]]]:
    """Return the line of each import and what it may import: most files are the same in several labs."""
    nodes = ((node, _imported(node)) for node in ast.walk(ast.parse(content)))
    return [(node.lineno, modules) for node, modules in nodes if modules]


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return set()
