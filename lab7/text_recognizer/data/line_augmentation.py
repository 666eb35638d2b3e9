"""Augmentation of lines: change shape, strokes and contrast a little, at random, as pens, paper and cameras do."""

import torch
from torch import Tensor
from torch.nn import functional

# Limits of the random changes, in both directions.
TURN = 0.01  # of the height, for each pixel to the right
SHEAR = 0.15  # of a pixel to the right, for each pixel up
SCALE = 0.08  # of the height
SHIFT = 0.06  # of half the height
BENDS, BEND_EVERY = 1.2, 24  # pixels by which points are moved, and pixels between two of them
THICKER, THINNER, BLURRED, DIRTY = 0.2, 0.15, 0.35, 0.3  # the shares of lines that are
NOISE, DIRT = 0.06, 0.08  # of full ink


def augment_lines(images: Tensor) -> Tensor:
    """Change shape, strokes and contrast of each line at random, each one differently.

    Args:
        images: (B, 1, H, W) float, ink 1 on paper 0.

    Returns:
        the same shape and dtype.
    """
    images = functional.grid_sample(images, _grid(images).to(images.dtype), align_corners=False)
    images = _strokes(images)
    images = (images * _chance(images, 0.6, 1.4)).clamp(0, 1)
    images = images + torch.randn_like(images) * _chance(images, 0, NOISE)
    return (images + _chance(images, 0, DIRT) * _some(images, DIRTY)).clamp(0, 1)


def _grid(images: Tensor) -> Tensor:
    """Return from where the pixels come, (B, H, W, 2): lines are turned, sheared, stretched, shifted, and bent."""
    count, _, height, width = images.shape
    turn, shear, scale, shift = (2 * torch.rand(4, count, device=images.device) - 1).unbind()
    one, none = torch.ones_like(turn), torch.zeros_like(turn)
    rows = [
        torch.stack([one, SHEAR * shear * height / width, none], dim=1),
        torch.stack([TURN * turn * width / height, one + SCALE * scale, SHIFT * shift], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    pixels = torch.tensor([2 / width, 2 / height], device=images.device).view(1, 2, 1, 1)
    moves = torch.randn(count, 2, 3, max(4, width // BEND_EVERY), device=images.device)
    moves = moves * (BENDS * pixels * torch.rand(count, 1, 1, 1, device=images.device))
    bends = functional.interpolate(moves, (height, width), mode="bicubic", align_corners=True)
    return grid + bends.permute(0, 2, 3, 1)


def _strokes(images: Tensor) -> Tensor:
    """Make the strokes of some lines thicker, of some thinner, and blur some."""
    which = torch.rand(len(images), device=images.device)
    for lines, change in (
        (which < THICKER, lambda some: functional.max_pool2d(some, 3, stride=1, padding=1)),
        (which > 1 - THINNER, lambda some: -functional.max_pool2d(functional.pad(-some, (0, 1, 0, 1)), 2, stride=1)),
        (torch.rand_like(which) < BLURRED, lambda some: functional.avg_pool2d(some, 3, stride=1, padding=1)),
    ):
        some = images[lines]  # the others need no work
        images = images.index_put((lines,), torch.lerp(some, change(some), _chance(some, 0, 1)))
    return images


def _chance(images: Tensor, low: float, high: float) -> Tensor:
    """Return a random number between `low` and `high` for each line, (B, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device, dtype=images.dtype)


def _some(images: Tensor, share: float) -> Tensor:
    """Return 1 for that share of the lines, and 0 for the others, (B, 1, 1, 1)."""
    return (torch.rand(len(images), 1, 1, 1, device=images.device) < share).to(images.dtype)
