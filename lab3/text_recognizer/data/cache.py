"""Arrays that are computed once and kept in an HDF5 file, safely.

A cache that is trusted because it exists will one day be half a cache. Here the file is written under a temporary
name and renamed when it is complete, its name carries a key of everything that it was made from, its blocks carry
checksums, and a lock lets only one process make it while others wait.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from filelock import FileLock

from text_recognizer.paths import data_root, readable

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]
ROWS_PER_BLOCK = 1024


def content_key(**made_from: object) -> str:
    """Return 12 hex digits that change whenever anything in `made_from` (JSON values) does."""
    text = json.dumps(made_from, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cache_file(dataset: str, name: str, key: str) -> Path:
    """Return the path of a cache: `processed/<dataset>/<name>-<key>.h5` in the data root."""
    return data_root() / "processed" / dataset / f"{name}-{key}.h5"


def ensure(path: Path, build: Callable[[], Arrays], compress: bool = False) -> None:
    """Make sure that `path` holds what `build()` returns, calling it only if need be, once among all processes.

    Args:
        path: from `cache_file`.
        build: makes the arrays.
        compress: a smaller file, somewhat slower to write and read.
    """
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():  # another process may have made it while this one waited
            _write(path, build(), compress)


def load(path: Path, build: Callable[[], Arrays], compress: bool = False) -> Arrays:
    """Return the arrays of `path`, as `ensure` makes it; a damaged file is made again, with a warning."""
    ensure(path, build, compress)
    try:
        return _read(path)
    except (OSError, KeyError) as error:
        log.warning("%s is damaged (%s): making it again.", readable(path), error)
        path.unlink(missing_ok=True)
        ensure(path, build, compress)
        return _read(path)


def _write(path: Path, arrays: Arrays, compress: bool) -> None:
    # The process id keeps two machines that share a disk, where locks may not work, out of each other's file.
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    compression = "lzf" if compress else None  # LZF: fast, and part of every h5py
    try:
        with h5py.File(unfinished, "w") as file:
            for name, array in arrays.items():
                block = (min(ROWS_PER_BLOCK, len(array)), *array.shape[1:])
                file.create_dataset(name, data=array, chunks=block, fletcher32=True, compression=compression)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _read(path: Path) -> Arrays:
    with h5py.File(path, "r") as file:
        return {name: dataset[...] for name, dataset in file.items()}
