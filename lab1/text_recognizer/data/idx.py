"""Reader of IDX, the file format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist)."""

import gzip
import zlib
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from text_recognizer.errors import UserError

UNSIGNED_BYTE = 8  # the type code of the only element type that MNIST and its relatives use


def read_idx(compressed: BinaryIO, name: str) -> Tensor:
    """Return the array in a gzipped IDX file of bytes, uint8, of the shape that its header gives.

    The header is two zero bytes, the type code, the number of dimensions, and each dimension as a big-endian uint32.
    No more is unpacked than the header announces.

    Args:
        compressed: the opened file.
        name: what to call it in an error.

    Raises:
        UserError: it is not gzip, not IDX, or has more or fewer bytes than its header announces.
    """
    try:
        with gzip.open(compressed) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:3] != bytes([0, 0, UNSIGNED_BYTE]) or not 1 <= magic[3] <= 3:
                raise UserError(f"{name} is not an IDX file of bytes: it starts with {magic.hex(' ') or 'nothing'}.")
            shape = [int.from_bytes(file.read(4), "big") for _ in range(magic[3])]
            expected = int(np.prod(shape, dtype=object))
            content = _read_at_most(file, expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{name} is damaged: {error}. Delete it, and it is fetched again.") from error
    if len(content) != expected:
        count = "more" if len(content) > expected else f"only {len(content):,}"
        raise UserError(f"{name} is damaged: {count} bytes where its header announces {expected:,}.")
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape) if content else torch.empty(shape).byte()


def check_labelled_images(images: Tensor, labels: Tensor, size: tuple[int, int], num_classes: int, name: str) -> None:
    """Raise UserError unless these are (N, *size) images and (N,) labels below `num_classes`, N at least 1."""
    if tuple(images.shape[1:]) != size or labels.shape != images.shape[:1] or not len(images):
        raise UserError(f"{name} does not fit together: images {tuple(images.shape)}, labels {tuple(labels.shape)}.")
    if labels.max() >= num_classes:
        raise UserError(f"{name} has a label {labels.max()}, but only {num_classes} classes.")


def _read_at_most(file: BinaryIO, limit: int) -> bytearray:
    # In pieces: a header that lies must not make us reserve what it claims.
    content = bytearray()
    while len(content) < limit and (piece := file.read(min(limit - len(content), 1 << 24))):
        content += piece
    return content
