"""Arrays that are computed once and kept in an HDF5 file, safely.

A cache that is trusted because it exists will one day be half a cache. Here the file is written under a temporary
name and renamed when it is complete; its name carries a key of everything that it was made from; it starts with that
name and a checksum of all the rest; and a lock lets only one process make it while others wait.
"""

import hashlib
import io
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np
from filelock import FileLock, Timeout

from text_recognizer.atomic import UNFINISHED, replaced
from text_recognizer.errors import UserError
from text_recognizer.paths import DATA_VARIABLE, data_root, readable

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]
ROWS_PER_BLOCK = 1024
FORMAT = 2  # of the files: raise it when `_write` changes
SEAL = 512  # bytes at the start of the file that HDF5 leaves to us
PIECE = 1 << 20  # bytes read at a time


class _DamagedError(Exception):
    """The file is not what was written under this name."""


def content_key(**made_from: object) -> str:
    """Return 12 hex digits that change whenever anything in `made_from` (JSON values) does."""
    text = json.dumps(made_from | {"cache": FORMAT}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def code_key(*names: str) -> str:
    """Return 12 hex digits that change whenever one of these files of this folder does.

    Who changes how letters are drawn sees letters drawn so, and not those that are on disk.
    """
    digest = hashlib.sha256()
    for name in names:
        # Line by line: a checkout on Windows ends lines differently.
        digest.update(name.encode() + b"\n".join(Path(__file__).with_name(name).read_bytes().splitlines()))
    return digest.hexdigest()[:12]


def cache_file(dataset: str, name: str, key: str) -> Path:
    """Return the path of a cache: `processed/<dataset>/<name>-<key>.h5` in the data root."""
    return data_root() / "processed" / dataset / f"{name}-{key}.h5"


def ensure(path: Path, build: Callable[[], Arrays], compress: bool = False) -> None:
    """Make sure that `path` is there, calling `build()` only if need be, once among all processes.

    Args:
        path: from `cache_file`.
        build: makes the arrays.
        compress: a smaller file, somewhat slower to write and read.

    Raises:
        UserError: the file cannot be written.
    """
    if not path.is_file():
        load(path, build, compress)


def load(path: Path, build: Callable[[], Arrays], compress: bool = False) -> Arrays:
    """Return the arrays of `path`, as `ensure` makes it; a damaged file is made again, with a warning."""
    with suppress(OSError, _DamagedError):
        return _read(path)
    with _lock(path):
        try:
            return _read(path)  # another process may have made it while this one waited
        except FileNotFoundError:
            pass
        except (OSError, _DamagedError) as error:
            log.warning("%s is damaged (%s): making it again.", readable(path), error)
        _remove_leftovers(path)
        arrays = build()
        with _faults_explained(path):
            if path.is_dir():
                path.rename(path.with_name(path.name + ".bad"))
            _write(path, arrays, compress)
        return arrays


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of a cache; the operating system takes it from a process that ends, however it ends."""
    lock = FileLock(_lock_file(path))
    with _faults_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=1)
        except Timeout:
            log.info("Another process is making %s: waiting for it.", readable(path))
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".lock")


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes have left beside `path`, whose lock is held.

    Nobody is at work on a file whose lock is free.
    """
    for leftover in path.parent.glob(f"*{UNFINISHED}"):
        name = leftover.with_suffix("").with_suffix("")
        with suppress(OSError, Timeout), nullcontext() if name == path else FileLock(_lock_file(name), timeout=0):
            leftover.unlink()


@contextmanager
def _faults_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "repair" if path.exists() else "write"
        raise UserError(
            f"Cannot {what} {readable(path)}: {os.strerror(error.errno) if error.errno else error}. "
            f"Set {DATA_VARIABLE} to a folder that you can write to, with room enough."
        ) from error


class _PatientFile(io.FileIO):
    """A file whose faults wait until HDF5 is done with it, because HDF5 may crash when a write fails.

    `error` is the first fault; after it, nothing more is written.
    """

    error: BaseException | None = None

    def write(self, data: memoryview) -> int:
        self._try(self._write_all, data)
        return len(data)

    def truncate(self, size: int | None = None) -> int | None:
        self._try(super().truncate, size)
        return size

    def _write_all(self, data: memoryview) -> None:
        rest = memoryview(data)
        while len(rest):
            rest = rest[super().write(rest) :]

    def _try(self, action: Callable, argument: object) -> None:
        if self.error is None:
            try:
                action(argument)
            except BaseException as error:  # Ctrl-C too must not reach HDF5
                self.error = error


def _write(path: Path, arrays: Arrays, compress: bool) -> None:
    compression = "lzf" if compress else None  # LZF: fast, and part of every h5py
    with replaced(path) as unfinished, _PatientFile(unfinished, "x+") as file:
        with h5py.File(file, "w", userblock_size=SEAL) as content:
            for name, array in arrays.items():
                block = (min(ROWS_PER_BLOCK, len(array)), *array.shape[1:])
                content.create_dataset(name, data=array, chunks=block, compression=compression)
        if file.error is None:
            seal = _seal(path, file)
            file.seek(0)
            file.write(seal)
        if file.error is not None:
            raise file.error


def _read(path: Path) -> Arrays:
    with path.open("rb") as file:
        seal = file.read(SEAL)
        if not seal.startswith(path.stem.encode() + b" "):
            raise _DamagedError("it is not what its name says")
        if seal != _seal(path, file):
            raise _DamagedError("its checksum is wrong")
    with h5py.File(path, "r") as content:
        return {name: dataset[...] for name, dataset in content.items()}


def _seal(path: Path, file: BinaryIO) -> bytes:
    """Return what the file must start with: its name, and a checksum of all that follows."""
    file.seek(SEAL)
    checksum = 0
    while piece := file.read(PIECE):
        checksum = zlib.crc32(piece, checksum)
    return f"{path.stem} {checksum:08x}\n".encode().ljust(SEAL, b"\0")
