"""The format of a cache file: arrays in HDF5, with checksums; small ones are read, large ones mapped into memory."""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
import psutil

from lab_kit.atomic_write import replaced

Arrays = dict[str, np.ndarray]
ROWS_PER_BLOCK = 1024  # of a compressed array
BYTES_AT_ONCE = 1 << 26  # are written, or added to a checksum, at once
ALIGNED = 64  # bytes: an array that is not compressed starts at a multiple of this
MOST_MEMORY = 0.5  # of what is free: larger files are mapped


class DamagedError(Exception):
    """The error for a file that is not what was written under its name."""


class Rows(Protocol):
    """An array that is larger than memory: only some of its rows are there at a time."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return some of the rows."""


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


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray | Rows], compress: bool) -> None:
    """Write a cache file; there is none, if an error is raised.

    Args:
        path: of the file.
        arrays: by name; of `Rows`, about 64 MB are asked for at a time.
        compress: whether to make the file smaller; it cannot be mapped, then.
    """
    # The latest format has checksums of all but the data.
    settings = {"libver": "latest"} | ({} if compress else {"alignment_threshold": 1, "alignment_interval": ALIGNED})
    with replaced(path) as unfinished, _DeferredErrorFile(unfinished, "x+") as file:
        with h5py.File(file, "w", **settings) as content:
            content.attrs["name"] = np.bytes_(path.stem)  # of fixed length: only then is it among what has checksums
            for name, array in arrays.items():
                how = {"track_times": False}  # the same content is the same file
                if compress:  # LZF: fast, and part of every h5py
                    how |= {"chunks": (min(ROWS_PER_BLOCK, array.shape[0]), *array.shape[1:]), "compression": "lzf"}
                stored = content.create_dataset(name, array.shape, array.dtype, **how)
                checksum = 0
                for rows in _blocks(array):
                    block = np.ascontiguousarray(array[rows])
                    stored[rows] = block
                    checksum = _crc32(block, checksum)
                stored.attrs["crc32"] = checksum  # HDF5's own sum of a block is right where all of it is lost
        if file.error is not None:
            raise file.error


def read_arrays(path: Path) -> Arrays:
    """Read a cache file, or map it if it is large.

    Raises:
        DamagedError: it is not what was written under its name.
        OSError: what the file system says.
    """
    with path.open("rb") as file:  # what the file system says of it is raised as it is
        mapped = file.seek(0, io.SEEK_END) > MOST_MEMORY * psutil.virtual_memory().available
    try:
        with h5py.File(path, "r", locking=False) as content:  # nobody writes a complete file; some disks have no locks
            matches = content.attrs.get("name") == path.stem.encode()
            arrays = {name: _array(path, stored, mapped) for name, stored in content.items()} if matches else {}
            whole = all(content[name].attrs["crc32"] == _checksum(array) for name, array in arrays.items())
    except Exception as error:  # which one depends on the place of the damage
        raise DamagedError("it is cut short, or a checksum is wrong") from error
    if not matches or not arrays:
        raise DamagedError("its name and its content do not match")
    if not whole:
        raise DamagedError("a checksum is wrong")
    return arrays


def _array(path: Path, stored: h5py.Dataset, mapped: bool) -> np.ndarray:
    """Return a stored array, read or mapped; what is written into a mapped one stays in memory ("c")."""
    start = stored.id.get_offset()  # None if it is compressed, or empty
    if not mapped or start is None:
        return stored[...]
    return np.memmap(path, stored.dtype, mode="c", offset=start, shape=stored.shape)


def _blocks(array: np.ndarray | Rows) -> Iterator[slice]:
    """Return slices that go through the rows of an array, `BYTES_AT_ONCE` at a time."""
    row = int(np.prod(array.shape[1:])) * array.dtype.itemsize
    step = max(1, BYTES_AT_ONCE // max(1, row))
    return (slice(start, min(start + step, array.shape[0])) for start in range(0, array.shape[0], step))


def _checksum(array: np.ndarray) -> int:
    """Return the CRC-32 of an array."""
    checksum = 0
    for rows in _blocks(array):
        checksum = _crc32(np.ascontiguousarray(array[rows]), checksum)
    return checksum


def _crc32(array: np.ndarray, start: int) -> int:
    """Return the CRC-32 of what `start` is that of, and of an array after it."""
    return zlib.crc32(array.reshape(-1).view(np.uint8), start)
