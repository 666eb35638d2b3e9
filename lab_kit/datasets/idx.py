"""Read IDX files, the format of MNIST and EMNIST (http://yann.lecun.com/exdb/mnist)."""

import math
import zlib
from typing import BinaryIO

import torch
from torch import Tensor

from lab_kit.errors import UserError

UNSIGNED_BYTE = 8  # the type code of uint8, the only element type in MNIST and EMNIST
CHUNK_BYTES = 1 << 20  # to read or to decompress at a time


def read_idx(stored: BinaryIO, name: str, size: tuple[int, ...], max_items: int) -> Tensor:
    """Read an IDX file of uint8 items, gzipped or not, and return them as (N, *size) uint8.

    The header is two zero bytes, the type code, the number of dimensions, and each dimension as a big-endian uint32.
    The header is checked first, and no more is read than it announces.

    Args:
        stored: the open file, at its start.
        name: the name of the file in errors.
        size: the size of one item: (28, 28) for pictures, () for labels.
        max_items: the maximum number of items.

    Raises:
        UserError: the file is not IDX, its items have another size, there are too many, or it has more or
            fewer bytes than its header announces.
    """
    try:
        first = stored.read(3)
        file = (_Plain if first == bytes([0, 0, UNSIGNED_BYTE]) else _Gunzip)(stored, first)
        start = bytes([0, 0, UNSIGNED_BYTE, 1 + len(size)])
        magic = file.read(4)
        if magic != start:
            found = magic.hex(" ") or "nothing"
            raise UserError(f"{name} is not the expected IDX file: it starts with {found}, not {start.hex(' ')}.")
        shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(1 + len(size)))
        if shape[1:] != size or shape[0] > max_items:
            announced, plausible = _times(shape), _times((max_items, *size))
            raise UserError(f"{name} is damaged: its header announces {announced} bytes, not at most {plausible}.")
        expected = math.prod(shape)
        content = file.read(expected + 1)
        if len(content) != expected or not file.ended():
            count = f"only {len(content):,}" if len(content) < expected else "more"
            raise UserError(f"{name} is damaged: {count} bytes where its header announces {expected:,}.")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{name} is damaged: {error}. Delete it, and it will be downloaded again.") from error
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape) if content else torch.empty(shape).byte()


def check_labelled_images(images: Tensor, labels: Tensor, size: tuple[int, int], num_classes: int, name: str) -> None:
    """Raise UserError unless these are (N, *size) images and (N,) labels below `num_classes`, N at least 1."""
    if tuple(images.shape[1:]) != size or labels.shape != images.shape[:1] or not len(images):
        raise UserError(f"{name} does not fit together: images {tuple(images.shape)}, labels {tuple(labels.shape)}.")
    if labels.max() >= num_classes:
        raise UserError(f"{name} has a label {labels.max()}, but only {num_classes} classes.")


class _Plain:
    """A file that is not compressed, read like one that is; `first` is what has been read of it."""

    def __init__(self, file: BinaryIO, first: bytes) -> None:
        self._file, self._first = file, first

    def read(self, size: int) -> bytearray:
        """Return `size` bytes, or fewer at the end of the file; the first time at least what has been read of it."""
        content, self._first = bytearray(self._first), b""
        while len(content) < size and (chunk := self._file.read(min(CHUNK_BYTES, size - len(content)))):
            content += chunk
        return content

    def ended(self) -> bool:
        """Return whether the file has no more bytes."""
        return not self._file.read(1)


class _Gunzip:
    """Decompresses one gzip stream, of which `first` has been read, and never more of it than `read` asks for.

    Python's `gzip` module reads file names and padding byte by byte, and all streams of a file: a malicious file can
    keep it busy for hours.
    """

    def __init__(self, file: BinaryIO, first: bytes) -> None:
        self._file, self._first, self._stream = file, first, zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def read(self, size: int) -> bytearray:
        """Return `size` bytes, or fewer at the end of the stream; raise EOFError if the stream is incomplete."""
        content = bytearray()
        while len(content) < size and not self._stream.eof:
            packed = self._stream.unconsumed_tail or self._first or self._file.read(CHUNK_BYTES)
            self._first = b""
            chunk = self._stream.decompress(packed, min(CHUNK_BYTES, size - len(content)))
            if not packed and not chunk:
                raise EOFError("it breaks off in the middle")
            content += chunk
        return content

    def ended(self) -> bool:
        """Return whether the stream has ended with the right checksum and the file has no more bytes."""
        return self._stream.eof and not self._stream.unused_data and not self._file.read(1)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in shape)
