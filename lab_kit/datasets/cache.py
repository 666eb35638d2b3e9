"""A cache on disk: arrays that are computed once and stored in an HDF5 file.

A cache file can be incomplete, damaged or out of date. To prevent this, it is written under a temporary name and
renamed when it is complete; its name has a key of everything that it was made from; it holds its name, and
checksums; and a lock lets only one process write it while others wait.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np

from lab_kit import locks
from lab_kit.atomic_write import UNFINISHED
from lab_kit.datasets.cache_format import Arrays, DamagedError, read_arrays, write_arrays
from lab_kit.errors import UserError
from lab_kit.paths import DATA_VARIABLE, data_root, readable

log = logging.getLogger(__name__)

FORMAT = 4  # version of the file format: increase it when `write_arrays` changes


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
        build: returns the arrays, or `Rows` where they would not fit into memory.
        compress: whether to write a smaller file, which is slower to write and read.

    Raises:
        UserError: the file cannot be written.
    """
    if not path.is_file():
        load(path, build, compress)


def load(path: Path, build: Callable[[], Arrays], compress: bool = False) -> Arrays:
    """Return the arrays of the cache file `path`; build them if it is missing, or damaged (with a warning).

    The arguments and errors are those of `ensure`. Arrays for which there is not enough memory are left on the disk:
    what is used of them is read, piece by piece (`np.memmap`).
    """
    with suppress(OSError, DamagedError):
        return read_arrays(path)
    with _lock(path) as everywhere:
        try:
            return read_arrays(path)  # another process may have made it while this one waited
        except FileNotFoundError:
            pass
        except (OSError, DamagedError) as error:
            log.warning("%s is damaged (%s): building it again.", readable(path), error)
        if everywhere:
            _remove_leftovers(path)
        arrays = build()
        with _explain_errors(path):
            if path.is_dir():
                path.rename(path.with_name(path.name + ".bad"))
            write_arrays(path, arrays, compress)
        if all(isinstance(array, np.ndarray) for array in arrays.values()):
            return arrays
        return read_arrays(path)


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
