"""Find the files of a homework in what a student has handed in: a lab, a repository, single files, or a zip of them."""

import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath

from lab_kit.errors import UserError
from lab_kit.grading.printable import file_name, printable

MOST_BYTES = 1_000_000  # of a file of homework
MOST_FILES = 20_000  # in one folder
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)  # fmt: skip  what reading a file of a damaged, or an encrypted, zip raises
IGNORED = {".git", ".venv", "__pycache__", "__MACOSX", "site-packages"}

Read = Callable[[], bytes]  # the content of a file


@dataclass
class HandedIn:
    """What a student has handed in.

    Args:
        student: the name of the folder or of the zip, without what cannot be printed.
        files: path in the lab -> content, of the files that are homework.
        notes: what a person should know: files that are missing, or cannot be read.
    """

    student: str
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(place: Path, lab: str, homework: Sequence[str]) -> HandedIn:
    """Take the files of a homework, and no others, from a folder or a zip.

    Args:
        place: what a student has handed in.
        lab: name of the lab's folder, such as `lab2`.
        homework: paths in the lab.

    Raises:
        UserError: there is no such folder or zip.
    """
    if not place.exists():
        raise UserError(f"There is no {place}. Give the folder, or the zip, of each student.")
    if place.is_dir():
        found, files = HandedIn(_name(place.resolve().name)), _in_folder(place)
        packed = [path for path in place.glob("*.zip") if path.is_file() and not path.is_symlink()]
        if not files and len(packed) == 1 and zipfile.is_zipfile(packed[0]):  # as Moodle gives it to you
            place = packed[0]
    else:
        found, files = HandedIn(_name(place.stem)), {}
    if place.is_file() and zipfile.is_zipfile(place):
        try:
            files = _in_zip(place)
        except UNREADABLE as error:  # nobody else should have to wait for a new one
            found.notes.append(printable(f"The zip cannot be read: {error}"))
            return found
    elif not place.is_dir():
        raise UserError(f"{place} is neither a folder nor a zip.")
    for name in homework:
        candidates = _candidates(name, lab, list(files))
        if not candidates:
            found.notes.append(f"{name} was not handed in.")
        elif len(candidates) > 1:
            places = printable(", ".join(candidates), 300)
            found.notes.append(f"{name} was not taken: it is there {len(candidates)} times, {places}.")
        else:
            try:
                found.files[name] = files[candidates[0]]()
            except UNREADABLE as error:
                found.notes.append(printable(f"{name} was not taken: {error}"))
    return found


def name_apart(work: Sequence[HandedIn]) -> None:
    """Give students whose folders have the same name, or would have the same file, a number."""

    def key(name: str) -> str:
        return file_name(name).casefold()

    given, taken = {key(one.student) for one in work}, set()
    for one in work:
        if key(one.student) in taken:
            names = (f"{one.student} ({number})" for number in count(2))
            one.student = next(name for name in names if key(name) not in given | taken)
        taken.add(key(one.student))


def _name(text: str) -> str:
    return printable(text).replace("\n", " ")


def _candidates(name: str, lab: str, files: Sequence[str]) -> list[str]:
    """Return the files that may be the one called `name` in the lab: those of the first rule that any file fits.

    It lies in a folder with the lab's name; at its place, in any folder; or it is there without its folders.
    """
    for place in (f"{lab}/{name}", name, PurePosixPath(name).name):
        if place in files:
            return [place]
        if found := [file for file in files if file.endswith(f"/{place}")]:
            return found
    return []


def _in_folder(folder: Path) -> dict[str, Read]:
    """Return the Python files below a folder, path there -> its content. Links are left out: they lead anywhere."""
    found: dict[str, Read] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - IGNORED)
        paths = [Path(parent, name) for name in sorted(names) if name.endswith(".py")]
        found |= {
            path.relative_to(folder).as_posix(): partial(_small, path.stat().st_size, path.read_bytes)
            for path in paths
            if path.is_file() and not path.is_symlink()
        }
        if len(found) > MOST_FILES:
            raise UserError(f"{folder} has more than {MOST_FILES:,} Python files. Give the folder of one student.")
    return found


def _in_zip(path: Path) -> dict[str, Read]:
    """Return the Python files in a zip; nothing is unpacked to disk, so no name in it can do harm."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = {member.filename.replace("\\", "/"): member for member in members}  # old programs of Windows write "\"
    return {
        name: partial(_small, member.file_size, partial(_unzip, path, member))
        for name, member in names.items()
        if name.endswith(".py") and not IGNORED & set(name.split("/"))
    }


def _unzip(path: Path, member: zipfile.ZipInfo) -> bytes:
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        return file.read(MOST_BYTES + 1)


def _small(size: int, content: Read) -> bytes:
    if size > MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, and {MOST_BYTES:,} are the most.")
    return content()
