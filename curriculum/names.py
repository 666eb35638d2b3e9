"""No lab may name what a later lab introduces: neither its code, nor, once it is released, anything in it.

Capitals do not matter. An exported class counts wherever `grep -i` finds it, inside a longer word too. A module,
dataset or file of homework counts as a word or as a part of a snake_case name (`ctc` in `ctc_loss`), unless labs.toml
lists it among the ordinary words; an import of such a module is found all the same.
"""

import ast
import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from curriculum import exports
from curriculum.manifest import Lab, Manifest

DESCRIPTIONS = ("README", "metadata")  # of the dataset whose name their folder has


def later_names(manifest: Manifest, lab: Lab) -> set[str]:
    """Return what the labs after `lab` introduce: classes with capitals; modules, datasets and homework without."""
    found: set[str] = set()
    for later in manifest.labs[lab.number :]:
        found.update(later.names)
        for path in map(PurePath, manifest.added(later)):
            found.add(path.parent.name if path.stem in DESCRIPTIONS else path.stem)
            found.update(manifest.exports.get(path.parent.as_posix(), {}).get(path.stem, []))
        found.update(_homework(later))
    # `recognizer.py` lies in `text_recognizer/`, which every lab has; a name like `__main__` is Python's.
    of_packages = {word for folder in manifest.canonical for word in (folder, *folder.split("_"))}
    python = {name for name in found if name.startswith("__")}
    own = {name for earlier in manifest.labs[: lab.number] for name in _homework(earlier)}
    return found - set(manifest.ordinary_words) - of_packages - python - own


def _homework(lab: Lab) -> set[str]:
    """Return the names of the files that a lab's homework brings; other files that it changes are the lab's code."""
    return {PurePath(name).stem for name in lab.homework if name.startswith("homework/")}


def leaks(names: Iterable[str], files: Mapping[str, bytes]) -> list[str]:
    """Say where `files` mention some of `names`, a line each: all of them that stand in a line."""
    ordered = sorted(names, key=lambda name: (-len(name), name))  # or a report would say EMNIST of EMNISTLines
    found = []
    for path, content in files.items():
        text = content.decode("utf-8", errors="replace")
        lowered = f"{path}\n{text}".lower()
        # Most names are nowhere in a file, which is told much faster than where they are.
        pattern = _pattern(tuple(name for name in ordered if name.lower() in lowered))
        if hits := _hits(pattern, path):
            found.append(f"{path}: its name has {hits}")
        for number, line in enumerate(text.splitlines(), start=1) if pattern.search(text) else []:
            if hits := _hits(pattern, line):
                found.append(f"{path}:{number}: names {hits}: {line.strip()}")
    return found


def _hits(pattern: re.Pattern[str], text: str) -> str:
    """Return what a pattern finds in a text, each name once and in quotes."""
    once: dict[str, str] = {}
    for hit in pattern.finditer(text):
        once.setdefault(hit[0].lower(), hit[0])
    return ", ".join(f"'{name}'" for name in once.values())


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
        for line, modules in _imports(content, path) if path.endswith(".py") else []:
            for module in sorted(modules & absent):
                found.append(f"{path}:{line}: imports {module}, which a later lab introduces")
    return found


@functools.cache
def _imports(content: bytes, path: str) -> list[tuple[int, set[str]]]:
    """Return the line of each import and what it may import: most files are the same in several labs."""
    nodes = ((node, _imported(node)) for node in ast.walk(exports.parsed(content, path)))
    return [(node.lineno, modules) for node, modules in nodes if modules]


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return set()
