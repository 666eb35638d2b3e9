"""A cache on disk: arrays that are computed once and stored in an HDF5 file.

A cache file can be incomplete, damaged or out of date. To prevent this, it is written under a temporary name and
renamed when it is complete; its name has a key of everything that it was made from; it holds its name, and
checksums; and a lock lets only one process write it while others wait.
"""

import hashlib
import io
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

import h5py
import numpy as np

from lab_kit import locks
from lab_kit.atomic_write import UNFINISHED, replaced
from lab_kit.errors import UserError
from lab_kit.paths import DATA_VARIABLE, data_root, readable

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]
ROWS_PER_BLOCK = 1024
FORMAT = 3  # version of the file format: increase it when `_write` changes


class _DamagedError(Exception):
    """The error for a file that is not what was written under its name."""


def content_key(**made_from: object) -> str:
    """Return a key of 12 hex digits that changes with any of the values in `made_from` (JSON values)."""
    text = json.dumps(made_from | {"cache": FORMAT}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def code_key(*files: Path) -> str:
    """Return a key of 12 hex digits that changes with the name or the content of any of these files.

    With it, a change of the code that draws letters makes a new cache file, and old letters are not used.
    """
    digest = hashlib.sha256()
    for file in files:
        # Without line ends, which are different in a checkout on Windows.
        digest.update(file.name.encode() + b"\n".join(file.read_bytes().splitlines()))
    return digest.hexdigest()[:12]


def cache_file(dataset: str, name: str, key: str) -> Path:
    """Return the path of a cache file: `processed/<dataset>/<name>-<key>.h5` in the data root."""
    return data_root() / "processed" / dataset / f"{name}-{key}.h5"


def ensure(path: Path, build: Callable[[], Arrays], compress: bool = False) -> None:
    """Build and write the cache file `path` if it does not exist; only one of several processes builds it.

    Args:
        path: the path that `cache_file` returns.
        build: returns the arrays.
        compress: whether to write a smaller file, which is slower to write and read.

    Raises:
        UserError: the file cannot be written.
    """
    if not path.is_file():
        load(path, build, compress)


def load(path: Path, build: Callable[[], Arrays], compress: bool = False) -> Arrays:
    """Return the arrays of the cache file `path`; build them if it is missing, or damaged (with a warning).

    The arguments and errors are those of `ensure`.
    """
    with suppress(OSError, _DamagedError):
        return _read(path)
    with _lock(path) as everywhere:
        try:
            return _read(path)  # another process may have made it while this one waited
        except FileNotFoundError:
            pass
        except (OSError, _DamagedError) as error:
            log.warning("%s is damaged (%s): building it again.", readable(path), error)
        if everywhere:
            _remove_leftovers(path)
        arrays = build()
        with _explain_errors(path):
            if path.is_dir():
                path.rename(path.with_name(path.name + ".bad"))
            _write(path, arrays, compress)
        return arrays


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Hold the lock of a cache file, as `locks.held` does."""
    busy = f"Another process is building {readable(path)}: waiting for it."
    with ExitStack() as stack:
        with _explain_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            everywhere = stack.enter_context(locks.held(_lock_file(path), busy))
        yield everywhere


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".lock")


def _remove_leftovers(path: Path) -> None:
    """Remove the unfinished files of killed processes beside `path`, whose lock is held.

    If the lock of another file is free, no process works on it.
    """
    for leftover in path.parent.glob(f"*{UNFINISHED}"):
        name = leftover.with_suffix("").with_suffix("")
        locked = nullcontext() if name == path else locks.held(_lock_file(name), "Its process lives.", timeout=0)
        with suppress(OSError, UserError), locked:
            leftover.unlink()


@contextmanager
def _explain_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a UserError about the file `path`."""
    try:
        yield
    except OSError as error:
        what = "repair" if path.exists() else "write"
        raise UserError(
            f"Cannot {what} {readable(path)}: {os.strerror(error.errno) if error.errno else error}. "
            f"Set {DATA_VARIABLE} to a folder that you can write to, with enough space."
        ) from error


class _DeferredErrorFile(io.FileIO):
    """A file that stores its first error instead of raising it, because HDF5 can crash when a write fails.

    `error` is the first error; after it, nothing more is written.
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
            except BaseException as error:  # Ctrl-C must not reach HDF5, either
                self.error = error


def _write(path: Path, arrays: Arrays, compress: bool) -> None:
    compression = "lzf" if compress else None  # LZF: fast, and part of every h5py
    with replaced(path) as unfinished, _DeferredErrorFile(unfinished, "x+") as file:
        with h5py.File(file, "w", libver="latest") as content:  # the latest format has checksums of all but the data
            content.attrs["name"] = np.bytes_(path.stem)  # of fixed length: only then is it among what has checksums
            for name, array in arrays.items():
                block = (min(ROWS_PER_BLOCK, len(array)), *array.shape[1:])
                stored = content.create_dataset(name, data=array, chunks=block, compression=compression)
                stored.attrs["crc32"] = _crc32(array)  # HDF5's own sum of a block is right where all of it is lost
        if file.error is not None:
            raise file.error


def _read(path: Path) -> Arrays:
    with path.open("rb"):  # what the file system says of it is raised as it is
        pass
    try:
        with h5py.File(path, "r", locking=False) as content:  # nobody writes a complete file; some disks have no locks
            matches = content.attrs.get("name") == path.stem.encode()
            arrays = {name: stored[...] for name, stored in content.items()} if matches else {}
            whole = all(content[name].attrs["crc32"] == _crc32(array) for name, array in arrays.items())
    except Exception as error:  # which one depends on the place of the damage
        raise _DamagedError("it is cut short, or a checksum is wrong") from error
    if not matches or not arrays:
        raise _DamagedError("its name and its content do not match")
    if not whole:
        raise _DamagedError("a checksum is wrong")
    return arrays


def _crc32(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
