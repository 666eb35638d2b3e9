"""Reader of IDX, the file format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist)."""

import math
import zlib
from typing import BinaryIO

import torch
from torch import Tensor

from text_recognizer.errors import UserError

UNSIGNED_BYTE = 8  # the type code of the only element type that MNIST and its relatives use
PIECE = 1 << 20  # bytes to read, or to unpack, at a time


def read_idx(compressed: BinaryIO, name: str, size: tuple[int, ...], at_most: int) -> Tensor:
    """Return the items in a gzipped IDX file of bytes, (N, *size) uint8.

    The header is two zero bytes, the type code, the number of dimensions, and each dimension as a big-endian uint32.
    No more is unpacked than it announces, and nothing before that has proved plausible.

    Args:
        compressed: the opened file.
        name: what to call it in an error.
        size: of one item: (28, 28) for pictures, () for labels.
        at_most: how many items there can be.

    Raises:
        UserError: it is not gzip, not IDX, announces items of another size or too many, or has more or fewer bytes
            than it announces.
    """
    try:
        file = _Gunzip(compressed)
        start = bytes([0, 0, UNSIGNED_BYTE, 1 + len(size)])
        magic = file.read(4)
        if magic != start:
            found = magic.hex(" ") or "nothing"
            raise UserError(f"{name} is not the expected IDX file: it starts with {found}, not {start.hex(' ')}.")
        shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(1 + len(size)))
        if shape[1:] != size or shape[0] > at_most:
            announced, plausible = _times(shape), _times((at_most, *size))
            raise UserError(f"{name} is damaged: its header announces {announced} bytes, not at most {plausible}.")
        expected = math.prod(shape)
        content = file.read(expected + 1)
        if len(content) != expected or not file.ended():
            count = f"only {len(content):,}" if len(content) < expected else "more"
            raise UserError(f"{name} is damaged: {count} bytes where its header announces {expected:,}.")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{name} is damaged: {error}. Delete it, and it is fetched again.") from error
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape) if content else torch.empty(shape).byte()


def check_labelled_images(images: Tensor, labels: Tensor, size: tuple[int, int], num_classes: int, name: str) -> None:
    """Raise UserError unless these are (N, *size) images and (N,) labels below `num_classes`, N at least 1."""
    if tuple(images.shape[1:]) != size or labels.shape != images.shape[:1] or not len(images):
        raise UserError(f"{name} does not fit together: images {tuple(images.shape)}, labels {tuple(labels.shape)}.")
    if labels.max() >= num_classes:
        raise UserError(f"{name} has a label {labels.max()}, but only {num_classes} classes.")


class _Gunzip:
    """Reads a gzip stream in pieces, and never unpacks more of it than was asked for.

    Python's own `gzip` goes through file names and padding byte by byte, and through streams one after the other: a
    stranger's file can keep it busy for hours. This one reads a single stream.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._stream = file, zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def read(self, size: int) -> bytearray:
        """Return `size` bytes, or fewer where the stream ends; raise EOFError where it breaks off."""
        content = bytearray()
        while len(content) < size and not self._stream.eof:
            packed = self._stream.unconsumed_tail or self._file.read(PIECE)
            piece = self._stream.decompress(packed, min(PIECE, size - len(content)))
            if not packed and not piece:
                raise EOFError("it breaks off in the middle")
            content += piece
        return content

    def ended(self) -> bool:
        """Return whether the stream is at its end, with the right checksum, and nothing follows."""
        return self._stream.eof and not self._stream.unused_data and not self._file.read(1)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in shape)
