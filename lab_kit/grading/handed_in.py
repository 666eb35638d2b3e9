"""Find the files of a homework in what a student has handed in: a lab, a repository, single files, or a zip of them.

A folder may hold zips, as platforms such as Moodle pack what students upload.
"""

import io
import lzma
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath

from lab_kit.errors import UserError
from lab_kit.grading.printable import file_name, printable

MOST_BYTES = 1_000_000  # of a file of homework
MOST_FILES = 20_000  # in one folder
SHOWN = 5  # names of other files, where none is homework
UNREADABLE = (  # what reading a file of a damaged, or an encrypted, zip raises
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, MemoryError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
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
    """Take the files of a homework, and no others, from a folder or a zip; from anything else nothing, with a note.

    Args:
        place: what a student has handed in.
        lab: name of the lab's folder, such as `lab2`.
        homework: paths in the lab.

    Raises:
        UserError: there is no such folder or file, or it is too large to be one student's.
    """
    if not place.exists():
        raise UserError(f"There is no {place}. Give the folder, or the zip, of each student.")
    found = HandedIn(printable(place.resolve().name if place.is_dir() else place.stem).replace("\n", " "))
    try:
        files = _in_folder(place) if place.is_dir() else _in_zip(place)
    except UNREADABLE:  # nobody else should have to wait for a new one
        name = printable(place.name).replace("\n", " ")
        found.notes.append(f"Nothing was taken: {name} is neither a folder nor a zip that can be read.")
        return found
    for name in homework:
        candidates = _candidates(name, lab, list(files))
        if not candidates:
            similar = [file for file in files if PurePosixPath(name).stem in PurePosixPath(file).name]
            other = f" There is {printable(', '.join(similar[:SHOWN]), 300)}: is it that?" if similar else ""
            found.notes.append(f"{name} was not handed in.{other}")
        elif len(candidates) > 1:
            places = printable(", ".join(candidates), 300)
            found.notes.append(f"{name} was not taken: it is there {len(candidates)} times, {places}.")
        else:
            try:
                found.files[name] = files[candidates[0]]()
            except UNREADABLE as error:
                found.notes.append(printable(f"{name} was not taken: {error}"))
            else:
                if not _is_text(found.files[name]):
                    found.notes.append(f"{name} is not in UTF-8, as Python wants it: save it as UTF-8 in an editor.")
    return found


def name_apart(work: Sequence[HandedIn], places: Sequence[Path]) -> None:
    """Give students whose folders have the same name, or would have the same file, a number, and note whose is which.

    Args:
        work: what was read.
        places: the folder or zip of each, in the same order.
    """

    def key(name: str) -> str:
        return file_name(name).casefold()

    given, taken = {key(one.student) for one in work}, set()
    for one, place in zip(work, places, strict=True):
        if key(one.student) in taken:
            names = (f"{one.student} ({number})" for number in count(2))
            one.student = next(name for name in names if key(name) not in given | taken)
            one.notes.append(printable(f"Look at {place}: another student's folder has this name, too."))
        taken.add(key(one.student))


def _is_text(content: bytes) -> bool:
    """Return whether Python can read a file: it is in UTF-8, or in the encoding that its first lines name."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return "\0" not in content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return False


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
    """Return the Python files below a folder, path there -> its content; those in zips there, too.

    Links are left out: they lead anywhere.
    """
    found: dict[str, Read] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - IGNORED)
        for path in (Path(parent, name) for name in sorted(names)):
            place = path.relative_to(folder).as_posix()
            if path.is_symlink() or not path.is_file():
                continue
            if _may_be_homework(path.name):
                found[place] = partial(_small, path.stat().st_size, path.read_bytes)
            elif path.suffix.lower() == ".zip":
                with suppress(*UNREADABLE):
                    found |= {f"{place}/{name}": content for name, content in _in_zip(path).items()}
        if len(found) > MOST_FILES:
            raise UserError(f"{folder} has more than {MOST_FILES:,} Python files. Give the folder of one student.")
    return found


def _in_zip(path: Path) -> dict[str, Read]:
    """Return the Python files in a zip; nothing is unpacked to disk, so no name in it can do harm."""
    with zipfile.ZipFile(path) as archive:
        members = [(member.filename.replace("\\", "/"), member) for member in archive.infolist()]  # some of Windows's
    return {
        name: partial(_small, member.file_size, partial(_unzip, path, member))
        for name, member in members
        if _may_be_homework(name) and not IGNORED & set(name.split("/"))
    }


def _may_be_homework(name: str) -> bool:
    return name.endswith((".py", ".py.txt")) and not PurePosixPath(name).name.startswith("._")  # those are a Mac's


def _unzip(path: Path, member: zipfile.ZipInfo) -> bytes:
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        return file.read(MOST_BYTES + 1)


def _small(size: int, content: Read) -> bytes:
    if size > MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, and {MOST_BYTES:,} are the most.")
    return content()
