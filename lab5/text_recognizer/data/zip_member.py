"""Reading single members of a zip archive, safely: an archive from a stranger may be broken, or a bomb."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from text_recognizer.errors import UserError

# Everything that zipfile raises for one broken byte or another.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@contextmanager
def opened_zip(path: Path, what: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive; whatever proves broken in it while it is open, a UserError says that it is not `what`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UserError:
        raise
    except BROKEN as error:
        raise UserError(
            f"{path.name} is not {what}: {' '.join(str(error).split()) or type(error).__name__}."
        ) from error


@contextmanager
def opened_member(archive: zipfile.ZipFile, name: str, at_most: int) -> Iterator[BinaryIO]:
    """Open a member to read it in pieces; in all, no more than `at_most` bytes come out.

    Raises:
        BadZipFile: there is no such member, it is too large, encrypted, or compressed in an unusual way.
    """
    member = archive.NameToInfo.get(name)
    if member is None:
        raise zipfile.BadZipFile(f"it has no {name}")
    if member.file_size > at_most:
        raise zipfile.BadZipFile(f"{name} is said to be {member.file_size:,} bytes, where {at_most:,} are plausible")
    if member.flag_bits & 1:
        raise zipfile.BadZipFile(f"{name} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{name} is compressed by method {member.compress_type}, not deflate")
    with archive.open(member) as file:
        yield file


def read_member(archive: zipfile.ZipFile, name: str, at_most: int) -> bytes:
    """Return a member of at most `at_most` bytes, its checksum verified; raises as `opened_member` does."""
    with opened_member(archive, name, at_most) as file:
        return file.read(at_most + 1)  # a read without limit would unpack all there is, whatever the size says
