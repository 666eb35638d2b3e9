"""Read single members of a zip archive safely, even if the archive is damaged or a zip bomb."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lab_kit.errors import UserError

# All errors that zipfile raises for damaged archives.
ZIP_ERRORS = (
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
def open_zip(path: Path, what: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive; an error in it while it is open becomes a UserError that says that it is not `what`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UserError:
        raise
    except ZIP_ERRORS as error:
        raise UserError(
            f"{path.name} is not {what}: {' '.join(str(error).split()) or type(error).__name__}."
        ) from error


@contextmanager
def open_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> Iterator[BinaryIO]:
    """Open a member for reading; its size must be at most `max_bytes`.

    Raises:
        BadZipFile: there is no such member, it is too large, encrypted, or compressed in an unusual way.
    """
    member = archive.NameToInfo.get(name)
    if member is None:
        raise zipfile.BadZipFile(f"it has no {name}")
    if member.file_size > max_bytes:
        raise zipfile.BadZipFile(f"{name} is said to be {member.file_size:,} bytes, where {max_bytes:,} are plausible")
    if member.flag_bits & 1:
        raise zipfile.BadZipFile(f"{name} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{name} is compressed by method {member.compress_type}, not deflate")
    with archive.open(member) as file:
        yield file


def read_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """Return a member of at most `max_bytes` bytes, with verified checksum; raises the errors of `open_member`."""
    with open_member(archive, name, max_bytes) as file:
        return file.read(max_bytes + 1)  # read() without a limit would ignore the announced size
