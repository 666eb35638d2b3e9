"""Case 5. Augmentation of digits: sixes and nines are mixed up, and the others are read worse than without it."""

import torch
from torch import Tensor
from torch.nn import functional

LARGEST_ANGLE = 15.0  # degrees, either way


def augment(images: Tensor, random: torch.Generator) -> Tensor:
    """Turn each picture a little, as people write: by at most LARGEST_ANGLE.

    Args:
        images: (B, 1, H, W).
        random: the source of the angles.
    """
    angles = (2 * torch.rand(len(images), generator=random) - 1) * LARGEST_ANGLE
    angles = torch.deg2rad(angles)  # what sine and cosine want
    cos, sin, none = angles.cos(), angles.sin(), torch.zeros(len(images))
    turn = torch.stack([torch.stack([cos, -sin, none], dim=1), torch.stack([sin, cos, none], dim=1)], dim=1)
    places = functional.affine_grid(turn, list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, align_corners=False)
