"""Locks that keep two programs from writing the same files at once.

The operating system releases a lock when the process ends, even if it is killed. Some file systems have no locks: NFS
without its lock service, Lustre mounted without `flock`, and many that are mounted with FUSE.
"""

import errno
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lab_kit.errors import UserError
from lab_kit.paths import readable

log = logging.getLogger(__name__)

# What a file system without locks answers; 524 is an error of Linux's NFS that has no name outside the kernel.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, 524)
SOON_S = 1  # the time after which people are told what a program waits for

_warned: set[int] = set()  # file systems: one warning for each is enough


@contextmanager
def held(path: Path, busy: str, timeout: float = -1, poll_interval: float = 0.05) -> Iterator[bool]:
    """Hold the lock `path`: a file that is made for this, and stays.

    On a file system without locks, a file in this machine's folder for temporary files is locked in its place, after a
    warning. A file that means "locked" while it exists would work on all machines, but a killed program would leave it
    behind, and nobody could tell.

    Args:
        path: the lock file.
        busy: what to tell people if another program holds the lock: an error after `timeout`, or a message while this
            program waits for ever.
        timeout: seconds to wait for another program; 0 to try once, -1 to wait for ever.
        poll_interval: seconds between two tries.

    Yields:
        True if the lock keeps out programs on all machines. If not, what looks like the leftovers of a killed program
        may be the work of another machine: leave it alone.

    Raises:
        UserError: another program holds the lock; or neither this file system nor that of the temporary folder has
            locks.
        OSError: the lock file cannot be made.
    """
    lock = FileLock(path, poll_interval=poll_interval, fallback_to_soft=False)
    without_locks = _acquire(lock, busy, timeout)
    if without_locks:
        lock = FileLock(_local_file(path), poll_interval=poll_interval, fallback_to_soft=False)
        if _acquire(lock, busy, timeout):
            raise UserError(
                f"Neither the file system of {readable(path.parent)} nor that of {tempfile.gettempdir()} has locks "
                f"({without_locks}). Set TMPDIR to a folder on a disk of this machine."
            )
        _warn(path.parent, without_locks)
    try:
        yield not without_locks
    finally:
        lock.release()


def _acquire(lock: FileLock, busy: str, timeout: float) -> str:
    """Acquire the lock, and return an empty string; or, if the file system has no locks, how it says so."""
    try:
        lock.acquire(timeout if timeout >= 0 else SOON_S)
    except Timeout:
        if timeout >= 0:
            raise UserError(busy) from None
        log.info(busy)
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return os.strerror(error.errno)
    return ""


def _local_file(path: Path) -> Path:
    # One for each user: in a folder for temporary files, nobody may open the files of others.
    user = os.getuid() if hasattr(os, "getuid") else ""
    name = hashlib.sha256(f"{user} {path.resolve()}".encode(errors="surrogateescape")).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"lab_kit-{name}.lock"


def _warn(folder: Path, reason: str) -> None:
    device = folder.stat().st_dev
    if device not in _warned:
        _warned.add(device)
        log.warning(
            "The file system of %s has no locks (%s). Your programs on this machine still take turns there; do not let "
            "programs on two machines write there at the same time.",
            readable(folder),
            reason,
        )
