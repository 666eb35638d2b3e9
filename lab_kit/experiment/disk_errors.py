"""Find out what could not be written to, where the operating system does not say."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lab_kit.paths import readable

# What a disk, and not this program, may be at fault for.
NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
SHARED_MEMORY = Path("/dev/shm")
TRIAL = bytes(1 << 16)


def explained(error: OSError, folder: Path, advice: str) -> str:
    """Return what could not be written, and what to do.

    An error without a file's name may come from anywhere: then the streams, the run's folder, the memory that processes
    share and the folder of temporary files are tried out, and only what cannot be written to is blamed.

    Args:
        error: what was raised; its `errno` is in `NOT_WRITABLE`.
        folder: of the run.
        advice: how to go on with the run.
    """
    what = os.strerror(error.errno)
    if error.filename is not None:
        return f"Cannot write {error.filename}: {what}. {advice}"
    for name in _failing_streams():
        return f"Cannot write to {name}: {what}. What the run has written until then is in {readable(folder)}. {advice}"
    if not _can_write(folder):
        return f"Cannot write {readable(folder)}: {what}. {advice}"
    if SHARED_MEMORY.is_dir() and not _can_write(SHARED_MEMORY):
        sys.unraisablehook = lambda _: None  # what is left of a half-made DataLoader would complain about itself
        return (
            f"Cannot write to {SHARED_MEMORY}, the memory that processes share: {what}. Take fewer --num_workers, or, "
            f"where a container limits it, a larger --shm-size. {advice}"
        )
    temporary = Path(tempfile.gettempdir())
    if not _can_write(temporary):
        return f"Cannot write to {temporary}, where temporary files go: {what}. {advice}"
    return f"{what}: it is not known where, for {readable(folder)} can be written to. {advice}"


def _failing_streams() -> Iterator[str]:
    """Yield the names of the standard streams that do not take what is written to them, and send them nowhere."""
    for stream, name in ((sys.stdout, "the standard output"), (sys.stderr, "the standard error")):
        try:
            stream.write("\n")
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())  # or Python would try again at the end, and complain
            yield name


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(TRIAL)
    except OSError:
        return False
    return True
