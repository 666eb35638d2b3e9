"""What has changed in the canonical code since a commit: constants, with their values, and other names."""

import ast
import builtins
import io
import keyword
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain

from curriculum import exports
from curriculum.manifest import Manifest
from lab_kit.errors import UserError

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
TOO_SHORT = 2  # characters: such names stand for anything


@dataclass(frozen=True)
class Changed:
    """A name in a canonical file. A constant has values: `before` and `after` are its code then and now, else empty."""

    file: str
    name: str
    before: str = ""
    after: str = ""


def since(manifest: Manifest, revision: str) -> list[Changed]:
    """Return what has changed in the canonical code since a commit of git.

    Raises:
        UserError: there is no git, the course is in no repository, there is no such commit, or a file is not Python.
    """
    _git(manifest, "rev-parse", "--git-dir")
    listed = _git(
        manifest, "diff", "--name-only", "--relative", "--no-renames", "-z", revision, "--", *manifest.canonical
    )
    found = []
    for name in filter(None, listed.split("\0")):
        if name.endswith(".py") and not name.endswith("/__init__.py"):
            if not _git(manifest, "ls-tree", "--name-only", revision, "--", name):
                continue  # a new file: nothing can name it yet
            path = manifest.root / name
            found += changes(
                name,
                _git(manifest, "show", f"{revision}:./{name}"),
                path.read_text(encoding="utf-8") if path.is_file() else "",
            )
    return found


def changes(file: str, before: str, after: str) -> list[Changed]:
    """Compare two texts of a Python file: constants first, then the names of which a changed line tells.

    Of a file that is gone, only what it defined is: what it used is still there.
    """
    old, new = exports.parsed(before.encode(), file), exports.parsed(after.encode(), file)
    if not after:
        defined = {child.name for child in old.body if isinstance(child, DEFINITIONS)}
        top = {place[0] for place, _ in _constants(old) if len(place) == 1}
        return [Changed(file, name) for name in sorted(defined | top) if len(name) > TOO_SHORT]
    was, now = dict(_constants(old)), dict(_constants(new))
    constants = [
        Changed(file, place[-1], was[place], now[place]) for place in was if now.get(place, was[place]) != was[place]
    ]
    lines = _changed_lines(before, after)
    gone = {name for line, name in _names(before) if line in lines} - {name for _, name in _names(after)}
    set_anew = {name for line, name in _definitions(old) if line in lines}
    known = {constant.name for constant in constants} | set(dir(builtins)) | {"self", "cls"}
    names = sorted(name for name in (gone | set_anew) - known if len(name) > TOO_SHORT)
    return list(dict.fromkeys(constants)) + [Changed(file, name) for name in names]


def _constants(node: ast.AST, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the place of each constant, its name last, and its value as code: assignments and defaults."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            inside = (*place, child.name)
            if not isinstance(child, ast.ClassDef):
                given = child.args
                positional = [*given.posonlyargs, *given.args]
                pairs = chain(
                    zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True),
                    zip(given.kwonlyargs, given.kw_defaults, strict=True),
                )
                yield from (((*inside, arg.arg), ast.unparse(value)) for arg, value in pairs if _is_plain(value))
            yield from _constants(child, inside)
        else:
            for target, value in _assignments(child):
                if (name := _name(target)) and _is_plain(value):
                    yield (*place, name), ast.unparse(value)
            if isinstance(child, ast.stmt):
                yield from _constants(child, place)


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Yield targets and values; of `mean, std = 0.1, 0.2`, both pairs."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        if (
            isinstance(target, ast.Tuple)
            and isinstance(node.value, ast.Tuple)
            and len(target.elts) == len(node.value.elts)
        ):
            yield from zip(target.elts, node.value.elts, strict=True)
        else:
            yield target, node.value


def _name(target: ast.expr) -> str:
    """Return `x` of the targets `x` and `self.x`."""
    return getattr(target, "id", "") or getattr(target, "attr", "")


def _is_plain(value: ast.expr | None) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError):
        return False
    return value is not None


def _definitions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of everything that is defined: classes, functions, parameters, targets."""
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS):
            yield node.lineno, node.name
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg
        for target, _ in _assignments(node):
            if name := _name(target):
                yield target.lineno, name


def _names(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each name in the code: not those in comments and docstrings."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            yield token.start[0], token.string


def _changed_lines(before: str, after: str) -> set[int]:
    """Return the numbers, from 1, of the lines of `before` that are not in `after`."""
    matcher = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return {
        line
        for kind, start, end, _, _ in matcher.get_opcodes()
        if kind != "equal"
        for line in range(start + 1, end + 1)
    }


def _git(manifest: Manifest, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(manifest.root), *arguments], capture_output=True, text=True, encoding="utf-8"
        )
    except FileNotFoundError as error:
        raise UserError("git is not installed, so nobody can tell what has changed.") from error
    if done.returncode:
        line = (done.stderr.strip().splitlines() or ["it failed"])[0].removeprefix("fatal: ")
        raise UserError(f"git cannot tell what has changed: {line}.".replace("..", "."))
    return done.stdout
