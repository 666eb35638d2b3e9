"""Positions for attention, which by itself sees a set of places, not their order."""

import math

import torch
from torch import Tensor

from lab_kit.errors import UserError

SLOWEST = 10_000.0  # the longest wave is 2 pi times as long


def positions_1d(length: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Return (length, dim) sines and cosines of waves of many lengths, as a clock has hands (arXiv:1706.03762, 3.5).

    To go on by k places is to turn each pair of sine and cosine by the same angle, wherever one is: a linear layer can
    do that, so attention can look "two places to the left".

    Raises:
        UserError: `dim` is odd.
    """
    if dim % 2:
        raise UserError(f"Positions need an even number of features, not {dim}.")
    speeds = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(SLOWEST) / dim))
    angles = torch.arange(length, device=device)[:, None] * speeds  # (length, dim / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def positions_2d(height: int, width: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Return (height, width, dim): the first half of the features tell the row, the other half the column.

    Singh and Karayev, Full page handwriting recognition via image to sequence extraction, arXiv:2103.06450.

    Raises:
        UserError: `dim` is not a multiple of 4.
    """
    if dim % 4:
        raise UserError(f"Positions in two dimensions need a multiple of 4 features, not {dim}.")
    rows = positions_1d(height, dim // 2, device)[:, None].expand(-1, width, -1)
    columns = positions_1d(width, dim // 2, device)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=2)
