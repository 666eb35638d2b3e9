"""Augmentation: turn, scale, shear and shift the pictures of a batch at random."""

import math

import torch
from torch import Tensor
from torch.nn import functional

# Limits of the random changes, in both directions. A character that is turned further can become another one (6 and 9).
TURN = math.radians(10)
SCALE = 0.12
SHEAR = 0.15
SHIFT = 2 / 28  # of the picture's side


def random_affine(images: Tensor) -> Tensor:
    """Turn, scale, shear and shift each picture at random, each one differently.

    The whole batch is resampled in one operation, on its device. The random numbers come from torch's generator of that
    device, as for dropout. Pixels that come in from outside get the value of the border: paper.

    Args:
        images: (B, C, H, W) float, normalised or not.

    Returns:
        the same shape and dtype.
    """
    chance = 2 * torch.rand(6, len(images), device=images.device) - 1
    turn, shear = TURN * chance[0], SHEAR * chance[1]
    wide, high = 1 + SCALE * chance[2], 1 + SCALE * chance[3]
    shift_x, shift_y = 2 * SHIFT * chance[4:]  # the picture's sides are at -1 and 1
    cos, sin = turn.cos(), turn.sin()
    rows = [
        torch.stack([cos * wide, shear - sin * high, shift_x], dim=1),
        torch.stack([sin * wide, cos * high, shift_y], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)
