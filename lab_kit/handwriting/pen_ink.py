"""Draw pen paths as soft-edged uint8 images, many at once, with batched matrix products."""

import torch
from torch import Tensor

from lab_kit.handwriting.pen_layout import SIZE

LEVELS_Y, LEVELS_X = 127, 255  # grey levels of the profile of a dab along each axis
LINE_DOSE = 2.299  # integral of the dab profile: the ink of an endless straight line, in dabs per width


def ink_reach(width: Tensor, gain: Tensor) -> Tensor:
    """Return how far, in pixels, visible ink reaches from the centre of a stroke with this `width` and `gain`."""
    return width * (1.1 + 0.2 * gain)


def dab_profile(distance: Tensor) -> Tensor:
    """Return (1 - d^2/8)^4, at least 0: a bell curve similar to exp(-d^2/2). Changes `distance` in place.

    It has only additions and multiplications, which all processors round in the same way; they do not for exp().
    """
    return distance.square_().mul_(-0.125).add_(1).clamp_(min=0).square_().square_()


def draw_ink(xy: Tensor, length: Tensor, width: Tensor, gain: Tensor) -> Tensor:
    """Draw N pen paths of P dabs each.

    Ink is a sum of dabs. A dab is the product of a profile in y and a profile in x, so the sum over the dabs is a
    matrix product. Profiles are rounded to whole numbers, so that their sums stay below 2^24 and are exact in float32
    in any order. This makes the image independent of threads, vector units and batch size.

    Args:
        xy: (N, P, 2) float32 positions of the dabs in pixels.
        length: (N, P) float32 length of the path in pixels that the dab stands for; 0 where the pen is lifted.
        width: (N, P) float32 standard deviation of the dab in pixels.
        gain: (N,) float32 how far the centre of a stroke is overexposed; a high gain gives sharp edges.

    Returns:
        (N, 28, 28) uint8, 255 for ink.
    """
    return exposed(draw_density(xy, length, width, SIZE, SIZE), gain[:, None, None])


def draw_density(xy: Tensor, length: Tensor, width: Tensor, rows: int, columns: int) -> Tensor:
    """Return the density of the ink (N, rows, columns), float32 of whole numbers; arguments as in `draw_ink`."""
    scale = 1 / width[..., None]
    x = dab_profile(torch.sub(torch.arange(columns, dtype=torch.float32), xy[..., :1]).mul_(scale))
    y = dab_profile(torch.sub(torch.arange(rows, dtype=torch.float32), xy[..., 1:]).mul_(scale))
    dose = (length / width).clamp_(max=2).mul_(LEVELS_Y)
    y.mul_(dose[..., None]).round_()
    return y.transpose(1, 2) @ x.mul_(LEVELS_X).round_()


def exposed(density: Tensor, gain: Tensor | float) -> Tensor:
    """Return grey values (uint8) of ink of this density, overexposed by `gain`."""
    exposure = gain * (255 / (LINE_DOSE * LEVELS_X * LEVELS_Y))
    return (density * exposure).clamp_(max=255).round_().to(torch.uint8)
