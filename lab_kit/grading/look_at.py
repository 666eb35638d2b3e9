"""Name what a person should look at in homework: code that reaches for what it is judged by, and does not need it."""

import ast
from collections.abc import Iterator, Mapping

MODULES = {
    "pytest", "_pytest", "unittest", "gc", "ctypes", "inspect", "subprocess", "socket", "multiprocessing", "pickle",
    "signal", "importlib", "builtins", "lab_kit.grading", "atexit", "faulthandler",
}  # fmt: skip
NAMES = {"_exit", "_getframe", "modules", "settrace", "setprofile", "addaudithook", "__code__", "f_globals", "f_locals"}
CALLS = {"open", "exec", "eval", "compile", "__import__", "globals"}


def suspicious(files: Mapping[str, bytes]) -> list[str]:
    """Return a line for each thing in homework that a person should look at. None of them costs a point.

    Args:
        files: path in the lab -> content.
    """
    found = []
    for name, content in files.items():
        try:
            nodes = list(ast.walk(ast.parse(content)))
        except (SyntaxError, ValueError, RecursionError):
            continue  # the checks say so
        lines = sorted(line for node in nodes for line in _in(node))
        found += [f"Look at {name}, line {line}: {what}." for line, what in lines]
    return found


def _in(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    else:
        names = []
    for name in names:
        if name in MODULES or name.partition(".")[0] in MODULES:
            yield node.lineno, f"it imports {name}"
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield node.lineno, f"it uses {node.attr}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        yield node.lineno, f"it calls {node.func.id}()"
