"""No lab may name what a later lab introduces: neither its code, nor, once it is released, anything in it.

Capitals do not matter. An exported class counts wherever `grep -i` finds it, inside a longer word too. A module or
dataset counts as a word or as a part of a snake_case name (`ctc` in `ctc_loss`), unless labs.toml lists it among the
ordinary words; an import of such a module is found all the same.
"""

import ast
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
    return found - set(manifest.ordinary_words)


def leaks(names: Iterable[str], files: Mapping[str, bytes]) -> list[str]:
    """Say where `files` mention one of `names`, a line each."""
    # The longest first, so that a report says EMNISTLines, not EMNIST.
    ordered = sorted(names, key=lambda name: (-len(name), name))
    patterns = [
        re.escape(name) if name != name.lower() else rf"(?<![a-z]){re.escape(name)}(?![a-z])" for name in ordered
    ]
    search = re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE).search
    found = []
    for path, content in files.items():
        if hit := search(path):
            found.append(f"{path}: its name has '{hit[0]}'")
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
            if hit := search(line):
                found.append(f"{path}:{number}: names '{hit[0]}': {line.strip()}")
    return found


def missing_imports(manifest: Manifest, files: Mapping[str, bytes]) -> list[str]:
    """Say which modules of the course are imported in `files` without being among them, a line each."""
    there = {PurePath(path).with_suffix("").as_posix().removesuffix("/__init__") for path in files}
    everywhere = {PurePath(path).with_suffix("").as_posix() for path in manifest.canonical_files}
    absent = {path.replace("/", ".") for path in everywhere - there}
    found = []
    for path, content in files.items():
        for node in ast.walk(ast.parse(content)) if path.endswith(".py") else []:
            for module in sorted(_imported(node) & absent):
                found.append(f"{path}:{node.lineno}: imports {module}, which a later lab introduces")
    return found


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return set()
