"""The `__init__.py` of each package, from the `[exports]` of labs.toml: a lab exports what its own modules define."""

import ast
from collections.abc import Collection
from pathlib import Path

from curriculum.manifest import NAME, Manifest
from lab_kit.errors import UserError

WIDTH = 120
SETTINGS = ("about", "needs")  # of a package; all else in its table are modules
# What a package does where the package that it needs is missing, or where it is imported as `lab1.training`: what it
# imports itself would be other code. The program must not go on, to a traceback or silently.
# PyTorch looks at the variable when it is imported, so it is set here.
CHECK = """
import importlib.util
import os
import sys

if __name__ != "{dotted}":
    sys.stderr.write(f"error: {{__name__}} would find the code of another lab. Change to its folder first (cd).\\n")
    sys.exit(2)
for package in {needs}:
    if importlib.util.find_spec(package) is None:
        sys.stderr.write(f"error: {{package}} is not installed. Run: make setup, then source .venv/bin/activate\\n")
        sys.exit(2)
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what a Mac's GPU cannot calculate, its processor does
"""


def init_files(manifest: Manifest, files: Collection[str]) -> dict[str, bytes]:
    """Return the `__init__.py` of every package that has a file among `files`."""
    inits = {}
    for package, table in manifest.exports.items():
        modules = {
            module: sorted(names, key=_like_the_linter)
            for module, names in sorted(table.items())
            if module not in SETTINGS and f"{package}/{module}.py" in files
        }
        if any(name.startswith(f"{package}/") for name in files):
            inits[f"{package}/__init__.py"] = _text(package, table, modules).encode()
    return inits


def exported_names(init: bytes) -> set[str]:
    """Return the names in an `__init__.py`'s `__all__`, as far as they can be told without running it."""
    lists = (
        node.value
        for node in parsed(init, "__init__.py").body
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets)
    )
    return {item.value for names in lists for item in ast.walk(names) if isinstance(item, ast.Constant)}


def faults(manifest: Manifest) -> list[str]:
    """Say where `[exports]` and the canonical packages do not fit together, a line each."""
    faults = []
    for package, table in manifest.exports.items():
        if not isinstance(table.get("about"), str):
            faults.append(f"[exports] '{package}' lacks `about`, the docstring of its __init__.py.")
        modules = {module: names for module, names in table.items() if module not in SETTINGS}
        for module, names in modules.items():
            source = manifest.root / package / f"{module}.py"
            defined = defined_names(source) if source.is_file() else set()
            faults += [f"[exports] {package}/{module}.py defines no {name}." for name in names if name not in defined]
        for name in sorted(_exported_by_hand(manifest.root / package, set().union(*modules.values()))):
            faults.append(f"[exports] lacks {name}, which {package}/__init__.py exports: add it, or take it out there.")
    folders = {str(Path(name).parent.as_posix()) for name in manifest.canonical_files if name.endswith(".py")}
    faults += [f"[exports] has no table for '{folder}'." for folder in sorted(folders - manifest.exports.keys())]
    return [f"{NAME}: {fault}" for fault in faults]


def _exported_by_hand(package: Path, known: set[str]) -> set[str]:
    """Return what an `__init__.py` exports beside `known`, and a module defines: somebody added it there by hand."""
    init = package / "__init__.py"
    unknown = exported_names(init.read_bytes()) - known if init.is_file() else set()
    return {name for name in unknown if any(name in defined_names(source) for source in package.glob("*.py"))}


def defined_names(source: Path) -> set[str]:
    """Return what a module defines at its top level, or hands on, as `from ... import Name as Name` says.

    Raises:
        UserError: it is not Python.
    """
    body = parsed(source.read_bytes(), source).body
    names = {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    imported = (alias for node in body if isinstance(node, ast.ImportFrom) for alias in node.names)
    names |= {alias.name for alias in imported if alias.asname == alias.name}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def parsed(content: bytes, name: str | Path) -> ast.Module:
    """Return a module's syntax tree; raises UserError where it is not Python."""
    try:
        return ast.parse(content)
    except SyntaxError as error:
        raise UserError(f"{name}, line {error.lineno}, is not Python: {error.msg}.") from error


def _text(package: str, table: dict, modules: dict[str, list[str]]) -> str:
    dotted = package.replace("/", ".")
    blocks = [f'"""{table["about"]}"""']
    if "needs" in table:
        names = ", ".join(f'"{name}"' for name in table["needs"])
        needs = f"({names})" if len(table["needs"]) > 1 else f"({names},)"  # a tuple of one needs a comma
        blocks.append(CHECK.strip().format(dotted=dotted, needs=needs))
    if modules:
        blocks.append("\n".join(_fold(f"from {dotted}.{module} import ", names) for module, names in modules.items()))
        exported = sorted((name for names in modules.values() for name in names), key=_like_the_linter)
        blocks.append(_fold("__all__ = ", [f'"{name}"' for name in exported], "[]"))
    return "\n\n".join(blocks) + "\n"


def _fold(start: str, names: list[str], brackets: str = "()") -> str:
    """Return the names on one line where they fit, else one below the other, as the formatter would."""
    line = start + (f"[{', '.join(names)}]" if brackets == "[]" else ", ".join(names))
    if len(line) <= WIDTH:
        return line
    return "\n".join([start + brackets[0], *(f"    {name}," for name in names), brackets[1]])


def _like_the_linter(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then functions."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name
