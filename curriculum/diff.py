"""Show what a lab adds to an earlier one and changes in it, file by file, in the order of teaching."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff

from rich.text import Text

from curriculum.manifest import SOLUTIONS, Lab, Manifest
from curriculum.snapshot import built_files, lab_files
from lab_kit.errors import UserError
from lab_kit.plain_console import PlainConsole

INIT = "/__init__.py"  # generated
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True)
class Side:
    """One of the two states that are compared: a short name, and a title."""

    folder: str
    title: str


@dataclass(frozen=True)
class Change:
    """One file as lab A has it (None: not yet) and as lab B has it."""

    name: str
    before: str | None
    after: str

    @property
    def kind(self) -> str:
        return "added" if self.before is None else "unchanged" if self.before == self.after else "changed"


def changes(manifest: Manifest, a: int, b: int) -> list[Change]:
    """Return all files of lab `b`, compared with lab `a`: first those of `adds` in their order, then `__init__.py`.

    Raises:
        UserError: there is no such lab, or `a` does not come before `b`.
    """
    before, after = manifest.lab(a), manifest.lab(b)
    if a >= b:
        raise UserError(
            f"Compare a lab with a later one: diff {min(a, b)} {max(a, b)}" if a != b else "Compare two labs."
        )
    return _compared(lab_files(manifest, before), lab_files(manifest, after))


def homework_changes(manifest: Manifest, number: int) -> tuple[list[Change], Side, Side]:
    """Return how the homework of a lab is solved: each file as students get it and as in the solution; and both sides.

    Raises:
        UserError: there is no such lab, or it has no solutions.
    """
    lab = manifest.lab(number)
    solutions = {name: path.read_bytes() for name, path in manifest.solutions(lab).items()}
    if not solutions:
        raise UserError(f"{SOLUTIONS}/{lab.folder} has no solutions to show.")
    before = Side("starter", "as students get it")
    after = Side("solution", f"the homework of lab {number} as we solved it")
    return _compared(built_files(manifest, lab), solutions), before, after


def _compared(old: dict[str, bytes], new: dict[str, bytes]) -> list[Change]:
    return [Change(name, old[name].decode() if name in old else None, text.decode()) for name, text in new.items()]


def show(console: PlainConsole, found: list[Change], before: Lab | Side, after: Lab | Side) -> None:
    """Print a summary of all files, then a unified diff of each that is new or has changed."""
    console.print(Text(f"{after.folder}: {after.title}", style="bold"))
    console.print(Text(f"compared with {before.folder}: {before.title}\n"))
    for line in summary(found):
        console.print(line)
    for change in found:
        if change.kind != "unchanged":
            console.print()
            console.print(Text(f"{change.name} ({change.kind})", style="bold reverse"))
            for line in _lines(change):
                console.print(Text(line, style=COLOURS.get(line[:1], "")))


def summary(found: list[Change]) -> Iterator[Text]:
    """Yield a line for each file that is new or has changed, and one for all others."""
    for kind, mark, colour in (("added", "+", "green"), ("changed", "~", "yellow")):
        files = [change for change in found if change.kind == kind]
        yield Text(f"{len(files)} {kind}", style="bold")
        for change in files:
            yield Text(f"  {mark} {change.name}  ({len(change.after.splitlines())} lines)", style=colour)
    yield Text(f"{sum(change.kind == 'unchanged' for change in found)} unchanged", style="bold")


def print_diff(console: PlainConsole, diff: str) -> None:
    """Print a unified diff, or any other text, in colours where the console has them."""
    for line in diff.splitlines():
        console.print(Text(line, style=COLOURS.get(line[:1], "") if "\n" in diff else ""))


def _lines(change: Change) -> Iterator[str]:
    before = (change.before or "").splitlines()
    diff = list(unified_diff(before, change.after.splitlines(), lineterm=""))
    yield from diff[2:] if change.before is not None else diff[3:]  # the heading names the file; a new one is all new
