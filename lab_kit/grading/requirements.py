"""What the checks of a homework ask for, read from their text: the list is the same whatever a student hands in."""

import ast
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab_kit.errors import UserError
from lab_kit.paths import readable

CHECKS = "test_*.py"


@dataclass(frozen=True)
class Requirement:
    """One requirement: one check, and one point.

    Args:
        file: the file with the check.
        function: the check's name.
        exercise: the first line of the file's docstring.
        text: the first line of the check's docstring.
        hidden: students do not have this check.
    """

    file: Path
    function: str
    exercise: str
    text: str
    hidden: bool = False

    @property
    def name(self) -> str:
        """What nobody else is called: file and function."""
        return f"{self.file.stem}.{self.function}"


def requirements(folder: Path, hidden: bool = False) -> list[Requirement]:
    """Return the requirements of all check files in a folder, in the order of the files and of what is in them.

    Raises:
        UserError: a check file is not Python.
    """
    return [found for file in sorted(folder.glob(CHECKS)) for found in _in_file(file, hidden)]


def _in_file(file: Path, hidden: bool) -> Iterable[Requirement]:
    try:
        module = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UserError(f"{readable(file)} is not Python: {error}") from error
    exercise = first_line(ast.get_docstring(module))
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Requirement(file, node.name, exercise, first_line(ast.get_docstring(node)) or node.name, hidden)


def first_line(docstring: str | None) -> str:
    """Return the first line of a docstring, without its full stop."""
    return inspect.cleandoc(docstring or "").split("\n")[0].removesuffix(".")
