"""Ink: turns the course of a pen, in pixels, into soft-edged uint8 images by batched matrix products."""

import torch
from torch import Tensor

from text_recognizer.data.pen_layout import SIZE

LEVELS_Y, LEVELS_X = 127, 255  # grey levels of a dab's profile along each axis
LINE = 2.299  # integral of the dab's profile: what an endless straight line deposits, in dabs per width


def edge(width: Tensor, gain: Tensor) -> Tensor:
    """How far, in pixels, visible ink reaches beyond the middle of a stroke drawn with `width` and `gain`."""
    return width * (1.1 + 0.2 * gain)


def profile(distance: Tensor) -> Tensor:
    """(1 - d^2/8)^4, cut at 0: a bell much like exp(-d^2/2), but of additions and multiplications only.

    Those are rounded alike everywhere, which exp() is not. Works in place.
    """
    return distance.square_().mul_(-0.125).add_(1).clamp_(min=0).square_().square_()


def ink(xy: Tensor, length: Tensor, width: Tensor, gain: Tensor) -> Tensor:
    """Draw N pen courses of P dabs each.

    Ink is a sum of dabs; a dab is the product of a profile in y and one in x, so the sum over the dabs is a
    matrix product. Profiles are rounded to whole numbers: their sums stay below 2^24 and so are exact in
    float32 in any order, which makes the image independent of threads, vector units and batch size.

    Args:
        xy: (N, P, 2) float32 places of the dabs in pixels.
        length: (N, P) float32 pixels of the path that the dab stands for; 0 where the pen is lifted.
        width: (N, P) float32 standard deviation of the dab in pixels.
        gain: (N,) float32 how far the middle of a stroke is overexposed; high gain gives crisp edges.

    Returns:
        (N, 28, 28) uint8, 255 for ink.
    """
    grid = torch.arange(SIZE, dtype=torch.float32)
    scale = 1 / width[..., None]
    x = profile(torch.sub(grid, xy[..., :1]).mul_(scale)).mul_(LEVELS_X).round_()
    y = profile(torch.sub(grid, xy[..., 1:]).mul_(scale))
    dose = (length / width).clamp_(max=2).mul_(LEVELS_Y)
    y.mul_(dose[..., None]).round_()
    density = y.transpose(1, 2) @ x
    exposure = gain * (255 / (LINE * LEVELS_X * LEVELS_Y))
    return density.mul_(exposure[:, None, None]).clamp_(max=255).round_().to(torch.uint8)
