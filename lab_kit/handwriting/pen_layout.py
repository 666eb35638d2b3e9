"""Place characters in 28x28 images: letters in the centre, punctuation marks relative to the writing line."""

import math

import torch
from torch import Tensor

SIZE = 28  # pixels
CENTRE = (SIZE - 1) / 2  # pixels are unit squares centred on whole numbers
BORDER = 1.0  # pixels that stay black on all sides
MNIST_SIZE = 20.0  # pixels, the longer side of a letter's box in MNIST
# For punctuation marks: the pixel row of the writing line, and pixels per unit of the writing grid.
BASELINE_ROW, PIXELS_PER_UNIT = 22.5, 1.35
BASELINE_Y = 14  # the writing line, in grid units


def centre_of_mass(xy: Tensor, inked: Tensor) -> Tensor:
    """Return the centre of mass (N, 2) float32 of paths xy (N, P, 2), where `inked` (N, P - 1) is True.

    The sums are of whole numbers, in units of 1/64, so that they do not depend on the order.
    """
    weights = ((xy[:, 1:] - xy[:, :-1]).square().sum(dim=2).sqrt() * inked * 64).round().double()
    places = ((xy[:, 1:] + xy[:, :-1]) * 32).round().double()
    return ((places * weights[..., None]).sum(dim=1) / weights.sum(dim=1, keepdim=True) / 64).float()


def place_characters(
    xy: Tensor,
    inked: Tensor,
    reach: Tensor,
    is_mark: Tensor,
    size: Tensor,
    mass: Tensor,
    jitter: Tensor,
    layout: str,
) -> Tensor:
    """Convert grid units to pixels: letters are scaled to a box and centred, marks keep their size and height.

    Args:
        xy: (N, P, 2) float32 points in grid units.
        inked: (N, P - 1) bool, whether the pen is down between a point and the next.
        reach: (N,) pixels by which ink reaches beyond the path.
        is_mark: (N,) bool.
        size: (N,) pixels, the longer side of a letter's box.
        mass: (N,) in [0, 1], how far the layout "box" is moved towards the centre of mass.
        jitter: (N, 2) random offsets in pixels.
        layout: "box" or "mass": whether the box or the centre of mass is put into the centre of the image.

    Returns:
        (N, P, 2) float32 in pixels.
    """
    drawn = torch.cat([inked[:, :1], inked[:, 1:] | inked[:, :-1], inked[:, -1:]], dim=1)[..., None]
    low = xy.masked_fill(~drawn, math.inf).amin(dim=1)
    high = xy.masked_fill(~drawn, -math.inf).amax(dim=1)
    middle, extent = (low + high) / 2, high - low

    size = torch.full_like(size, MNIST_SIZE) if layout == "mass" else size
    size = torch.where(is_mark, math.inf, size).clamp(max=SIZE - 2 * BORDER)
    fit = (size - 2 * reach) / extent.amax(dim=1).clamp(min=1)
    unit = torch.where(is_mark, fit.clamp(max=PIXELS_PER_UNIT), fit)[:, None]
    offset = (middle - centre_of_mass(xy, inked)) * unit
    if layout == "box":
        offset = (mass[:, None] * offset).clamp(-1.2, 1.2) + jitter
    height = BASELINE_ROW - CENTRE + (middle[:, 1] - BASELINE_Y) * unit[:, 0]
    on_line = jitter + torch.stack([torch.zeros_like(height), height], dim=1)
    offset = torch.where(is_mark[:, None], on_line, offset)
    room = (SIZE / 2 - BORDER - reach[:, None] - extent * unit / 2).clamp(min=0)
    offset = torch.minimum(torch.maximum(offset, -room), room)
    return (xy - middle[:, None]) * unit[:, None] + CENTRE + offset[:, None]
