"""Read and check labs.toml: which lab owns which file."""

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

from curriculum import settings, tree
from lab_kit.errors import UserError, nearest

NAME = "labs.toml"
STARTERS = "curriculum/starters"  # what homework starts from, where that is no file of the lab's code
SOLUTIONS = "curriculum/solutions"
HIDDEN = "curriculum/hidden"  # checks that students do not get
BY_PRODUCTS = ("__pycache__", "logs", ".*", "*.unfinished")  # of running the code: no part of the course


@dataclass(frozen=True)
class Lab:
    """One lab, as labs.toml describes it; `adds` are paths or glob patterns, relative to the root."""

    number: int
    title: str
    main: str
    adds: tuple[str, ...]
    reads: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    may_announce: tuple[str, ...] = ()
    homework: tuple[str, ...] = ()
    most_files: int | None = None
    most_lines: int | None = None

    @property
    def folder(self) -> str:
        return f"lab{self.number}"


@dataclass(frozen=True)
class Manifest:
    """All labs, and the rules between them; labs.toml explains the fields."""

    root: Path
    repository: str
    canonical: tuple[str, ...]
    may_differ: tuple[str, ...]
    ordinary_words: tuple[str, ...]
    shared: tuple[str, ...]
    exports: dict[str, dict[str, Any]]
    labs: tuple[Lab, ...]
    rule_for_assistants: bool = True
    release_repository: str = ""

    def lab(self, number: int) -> Lab:
        """Return a lab by its number; raises UserError where there is none."""
        if not 1 <= number <= len(self.labs):
            raise UserError(f"There is no lab {number}: the labs go from 1 to {len(self.labs)}.")
        return self.labs[number - 1]

    @cached_property
    def canonical_files(self) -> list[str]:
        """Every file below the canonical folders that a lab must own: all but the generated `__init__.py`."""
        found = [path for folder in self.canonical for path in files_below(self.root / folder)]
        names = [path.relative_to(self.root).as_posix() for path in found]
        return sorted(name for name in names if not name.endswith("/__init__.py"))

    def added(self, lab: Lab) -> list[str]:
        """Return the files that a lab adds, in the order in which they are taught."""
        return self._added[lab.number]

    @cached_property
    def _added(self) -> dict[int, list[str]]:
        return {
            lab.number: list(
                dict.fromkeys(name for entry in lab.adds for name in self.canonical_files if fnmatch(name, entry))
            )
            for lab in self.labs
        }

    def files(self, lab: Lab) -> list[str]:
        """Return all of a lab's files but the `__init__.py`, in the order in which they are taught."""
        return [name for earlier in self.labs[: lab.number] for name in self.added(earlier)]

    def starters(self, lab: Lab) -> dict[str, Path]:
        """Return the files that a lab's homework starts from and that are no code of the lab: name there -> source."""
        return _by_name(self.root / STARTERS / lab.folder)

    def solutions(self, lab: Lab) -> dict[str, Path]:
        """Return the solutions of a lab's homework: name in the lab -> source."""
        return _by_name(self.root / SOLUTIONS / lab.folder)

    def faults(self) -> list[str]:
        """Say what is wrong with who owns what, a line each."""
        faults = [
            f"lab {lab.number} adds '{entry}', which matches no file.{nearest(entry, self.canonical_files)}"
            for lab in self.labs
            for entry in lab.adds
            if not any(fnmatch(name, entry) for name in self.canonical_files)
        ]
        faults += [
            f"lab {lab.number} reads '{name}', which it does not add.{nearest(name, self.added(lab))}"
            for lab in self.labs
            for name in lab.reads
            if name not in self.added(lab)
        ]
        for lab in self.labs:
            starters = self.starters(lab)
            faults += [
                f"lab {lab.number} has homework in '{name}', which it does not have."
                for name in lab.homework
                if name not in {*self.files(lab), *starters}
            ]
            faults += [
                f"{STARTERS}/{lab.folder}/{name} is of no use: list it in the `homework` of lab {lab.number}."
                for name in starters
                if name not in lab.homework
            ]
        for name in self.canonical_files:
            owners = [lab.number for lab in self.labs for entry in lab.adds if fnmatch(name, entry)]
            if not owners:
                faults.append(f"{name} belongs to no lab: list it in the `adds` of one, or remove it.")
            if len(owners) > 1:
                faults.append(f"{name} is owned {len(owners)} times, by lab {' and lab '.join(map(str, owners))}.")
        return [f"{NAME}: {fault}" for fault in faults]


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder, sorted, by-products of running the code left out."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not any(fnmatch(path.name, pattern) for pattern in BY_PRODUCTS):
            found += files_below(path) if path.is_dir() else [path]
    return found


def _by_name(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in files_below(folder)}


def load(root: Path) -> Manifest:
    """Read `labs.toml` in `root`.

    Raises:
        UserError: it is missing, not TOML, or has a setting too many or too few.
    """
    path = root / NAME
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    if "canonical" not in content and NAME in tree.recorded(root):
        raise UserError(
            f"{root} is a repository for students: its labs are built. A new lab comes with `git pull --no-rebase "
            "origin main`; `git checkout FILE` brings a file back as it was. Those who teach build in the course's "
            "repository."
        )
    tables = content.pop("lab", [])
    if not isinstance(tables, list):
        raise UserError(f"{NAME}: a lab begins with [[lab]], in two pairs of brackets.")
    labs = tuple(settings.make(Lab, table, NAME, f"lab {number}") for number, table in enumerate(tables, start=1))
    numbers, wanted = [lab.number for lab in labs], list(range(1, len(labs) + 1))
    if not labs:
        raise UserError(f"{NAME} has no [[lab]].")
    if numbers != wanted:
        raise UserError(
            f"{NAME}: the labs are numbered {', '.join(map(str, numbers))}. Number them {', '.join(map(str, wanted))}: "
            "in the order in which they stand, none left out."
        )
    made = settings.make(Manifest, content | {"root": root, "labs": labs}, NAME, "the file")
    _check_exports(made.exports)
    for name in ("repository", "release_repository"):
        if (value := getattr(made, name)) and not re.fullmatch(r"[\w.-]+/[\w.-]+", value):
            raise UserError(f"{NAME}: `{name}` must be OWNER/NAME, as on GitHub, and is '{value}'.")
    return made


def _check_exports(exports: Any) -> None:
    if not isinstance(exports, dict) or not all(isinstance(table, dict) for table in exports.values()):
        raise UserError(f"{NAME}: `exports` must be tables, [exports.PACKAGE], each with the settings of a package.")
    for package, table in exports.items():
        for name, value in table.items():
            kind = str if name == "about" else tuple[str, ...]
            settings.check(kind, value, NAME, f"'{name}' in [exports] of {package}")
