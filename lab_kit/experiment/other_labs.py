"""Find a flag in the code of the other labs of this checkout: it is read, never imported."""

import ast
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path

from lab_kit.command_line import command_line
from lab_kit.experiment.registry import Packages
from lab_kit.paths import MANIFEST, PACKAGE, code_root, project_root

GIVEN = ("self", "data_config", "model")  # parameters that the program gives itself: no flags


def classes_with(flag: str, packages: Packages) -> list[tuple[Path, str]]:
    """Return the classes of other labs, and at the root, that have a flag: the folder of their code, and their name.

    A lab that was copied away knows no others.
    """
    names = [package.__name__.split(".") for package in (packages.data, packages.models, packages.lit_models)]
    folders = _others() if flag.isidentifier() else []
    return [
        (folder, found) for folder in folders for name in names for found in _classes_with(flag, folder.joinpath(*name))
    ]


def in_words(flag: str, folder: Path, a_class: str, program: Callable) -> str:
    """Say where the class is that has a flag, and how to start that code in place of this.

    Args:
        flag: its name, without dashes.
        folder, a_class: one of `classes_with`.
        program: a function or class of the program that runs.
    """
    file = folder / Path(inspect.getfile(program)).resolve().relative_to(code_root())
    return (
        f"The code {_place(folder)} has --{flag}, in {a_class}; this is the code {_place(code_root())}. "
        f"To start the other: {command_line('python', file)}"
    )


def _others() -> list[Path]:
    """Return the folders with code in this checkout: the labs in their order, then the root; not that which runs."""
    root = project_root()
    if not (root / MANIFEST).is_file():
        return []
    labs = sorted((path.parent for path in root.glob(f"*/{PACKAGE}")), key=lambda lab: (len(lab.name), lab.name))
    return [folder for folder in (*labs, root) if folder != code_root()]


def _place(folder: Path) -> str:
    return "at the root" if folder == project_root() else f"of {folder.name}"


def _classes_with(flag: str, package: Path) -> list[str]:
    """Return the names of the classes that a package exports and whose constructors have a parameter of this name."""
    nodes = [node for file in sorted(package.glob("*.py")) for node in _parsed(file, flag)]
    found = [node.name for node in nodes if isinstance(node, ast.ClassDef) and flag in _parameters(node)]
    imports = [node for node in _parsed(package / "__init__.py", "import") if isinstance(node, ast.ImportFrom)]
    exported = {alias.name for node in imports for alias in node.names}
    return [name for name in found if name in exported]


def _parsed(file: Path, word: str) -> list[ast.stmt]:
    """Return the statements of a file; none where the word is not in it, which saves most of the time."""
    try:
        content = file.read_bytes()
        return _statements(content) if word.encode() in content else []
    except (OSError, SyntaxError, ValueError):  # it is missing, or somebody is still writing it
        return []


@cache
def _statements(content: bytes) -> list[ast.stmt]:
    return ast.parse(content).body  # once for all labs, which share most of their files


def _parameters(node: ast.ClassDef) -> set[str]:
    functions = [item.args for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    return {argument.arg for found in functions for argument in (*found.args, *found.kwonlyargs)} - {*GIVEN}
