"""Open zip archives whose hash has been checked."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab_kit.errors import UserError

UNPACKING = (zlib.error, lzma.LZMAError, struct.error)


@contextmanager
def open_zip(path: Path, what: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive; an error in it while it is open becomes a UserError that says that it is not `what`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UserError:
        raise
    # What zipfile raises for a member that is missing, damaged, encrypted, or packed in a way that it does not know.
    except (*UNPACKING, zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError, RuntimeError) as error:
        raise UserError(f"{path.name} is not {what}: {' '.join(str(error).split())}.") from error
