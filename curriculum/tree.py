"""A folder of generated files, which may hold other files too: written whole, and never over somebody's work.

`.generated` in the folder lists the generated files with their sha256, as `sha256sum -c` reads it. A file that is not
listed was not generated, and is left alone; one whose hash differs was edited by hand, and is copied to `.replaced/`
before anything is written in its place.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path, PurePath

from lab_kit.errors import UserError

LIST = ".generated"
REPLACED = ".replaced"  # has a folder for each time at which edited files were written over


@dataclass(frozen=True)
class Written:
    """What became of a folder: the names of its files that were written and removed.

    Of these, `replaced` had been edited by hand: the folder `copies` has them as they were (None: there were none).
    """

    written: list[str]
    removed: list[str]
    replaced: list[str]
    copies: Path | None


def recorded(folder: Path) -> dict[str, set[str]]:
    """Return the hashes that each generated file of a folder may have; empty where nothing was generated.

    Raises:
        UserError: the list is damaged.
    """
    path = folder / LIST
    hashes: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or ".." in Path(name).parts or Path(name).is_absolute():
            raise UserError(f"{path} is damaged: '{line[:80]}'. Take it back from git, or delete the folder.")
        hashes.setdefault(name, set()).add(digest)
    return hashes


def edited_files(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Return the generated files that were edited by hand, and would be lost if `files` were written."""
    wanted = {name: _digest(content) for name, content in files.items()}
    return [
        name
        for name, hashes in recorded(folder).items()
        if (folder / name).is_file() and _digest((folder / name).read_bytes()) not in hashes | {wanted.get(name)}
    ]


def files_in_the_way(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Return the files that nobody generated, at places where other content is to be written."""
    own = recorded(folder)
    there = [name for name in files if name not in own and (folder / name).exists()]
    other = [name for name in there if not (folder / name).is_file() or (folder / name).read_bytes() != files[name]]
    folders = {parent.as_posix() for name in files for parent in PurePath(name).parents[:-1]}
    return other + sorted(name for name in folders if (folder / name).is_file())


def write(folder: Path, files: Mapping[str, bytes]) -> Written:
    """Make the generated files of a folder exactly `files`; returns what was done.

    What was generated before and is not wanted any more goes away. Ask `edited_files` and `files_in_the_way` first.
    """
    before = recorded(folder)
    edited = edited_files(folder, files)
    copies = keep_copies(folder, edited)
    hashes = {name: {_digest(content)} for name, content in files.items()}
    # While the files change, either content counts as generated: an interrupted build can be repeated.
    _write_list(folder, {name: before.get(name, set()) | hashes.get(name, set()) for name in before | hashes})
    changed = [name for name in files if not holds(folder / name, files[name])]
    for name in changed:
        write_whole(folder / name, files[name])
    stale = [name for name in before if name not in files and (folder / name).is_file()]
    for name in stale:
        (folder / name).unlink()
        with suppress(OSError):  # a folder that is not empty stays
            for parent in Path(name).parents[:-1]:
                (folder / parent).rmdir()
    _write_list(folder, hashes)
    return Written(changed, stale, edited, copies)


def keep_copies(folder: Path, names: Iterable[str]) -> Path | None:
    """Copy files of a folder into a new folder below its `.replaced/`; returns that one, or None if there are none."""
    names = list(names)
    if not names:
        return None
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in count(1):  # two builds may fall into one second
        copies = folder / REPLACED / (now if number == 1 else f"{now}_{number}")
        with suppress(FileExistsError):
            copies.mkdir(parents=True)
            break
    for name in names:
        (copies / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, copies / name)
    return copies


def _write_list(folder: Path, hashes: Mapping[str, set[str]]) -> None:
    lines = [f"{digest}  {name}\n" for name in sorted(hashes) for digest in sorted(hashes[name])]
    write_whole(folder / LIST, "".join(lines).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, unless it holds just that already."""
    if holds(path, content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def holds(path: Path, content: bytes) -> bool:
    """Return whether a file, not a link to one, has this content."""
    return path.is_file() and not path.is_symlink() and path.read_bytes() == content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
