"""Read IDX files, the format of MNIST and EMNIST (http://yann.lecun.com/exdb/mnist)."""

import gzip
import math
import zlib
from typing import BinaryIO

import torch
from torch import Tensor

from lab_kit.errors import UserError

UNSIGNED_BYTE = 8  # the type code of uint8, the only element type in MNIST and EMNIST


def read_idx(file: BinaryIO, name: str, size: tuple[int, ...]) -> Tensor:
    """Read an IDX file of uint8 items, gzipped or not, and return them as (N, *size) uint8.

    The header is two zero bytes, the type code, the number of dimensions, and each dimension as a big-endian uint32.

    Args:
        file: the open file, at its start; its hash has been checked.
        name: the name of the file in errors.
        size: the size of one item: (28, 28) for pictures, () for labels.

    Raises:
        UserError: the file is not IDX, its items have another size, or it has more or fewer bytes than its header
            announces.
    """
    try:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        start = bytes([0, 0, UNSIGNED_BYTE, 1 + len(size)])
        if (magic := stream.read(4)) != start:
            raise ValueError(f"it starts with {magic.hex(' ') or 'nothing'}, not {start.hex(' ')}")
        shape = tuple(int.from_bytes(stream.read(4), "big") for _ in range(1 + len(size)))
        if shape[1:] != size:
            raise ValueError(f"its items are {shape[1:]}, not {size}")
        content = bytearray(stream.read())
        if len(content) != math.prod(shape):
            raise ValueError(f"{len(content):,} bytes follow its header, which announces {math.prod(shape):,}")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{name} is not the expected IDX file: {error}.") from error
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape) if content else torch.empty(shape).byte()


def check_labelled_images(images: Tensor, labels: Tensor, size: tuple[int, int], num_classes: int, name: str) -> None:
    """Raise UserError unless these are (N, *size) images and (N,) labels below `num_classes`, N at least 1."""
    if tuple(images.shape[1:]) != size or labels.shape != images.shape[:1] or not len(images):
        raise UserError(f"{name} does not fit together: images {tuple(images.shape)}, labels {tuple(labels.shape)}.")
    if labels.max() >= num_classes:
        raise UserError(f"{name} has a label {labels.max()}, but only {num_classes} classes.")
