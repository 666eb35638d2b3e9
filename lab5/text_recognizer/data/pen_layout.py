"""Where a letter stands in its 28x28 image: its box or its mass in the middle; and the line that marks stand on."""

import math

import torch
from torch import Tensor

SIZE = 28  # pixels
MIDDLE = (SIZE - 1) / 2  # pixels are unit squares centred on whole numbers
BORDER = 1.0  # pixels that stay black on all sides
MNIST_SIZE = 20.0  # pixels, the longer side of a letter's box in MNIST
LINE, UNIT = 22.5, 1.35  # for marks: the writing line's pixel row, and pixels per unit of the writing grid
LINE_Y = 14  # the writing line in the writing grid


def centre_of_mass(xy: Tensor, inked: Tensor) -> Tensor:
    """(N, 2) float32 mean of the inked path through the points xy (N, P, 2); inked (N, P - 1) is True on it.

    Sums are of whole numbers, in units of 1/64, so that they do not depend on their order.
    """
    weights = ((xy[:, 1:] - xy[:, :-1]).square().sum(dim=2).sqrt() * inked * 64).round().double()
    places = ((xy[:, 1:] + xy[:, :-1]) * 32).round().double()
    return ((places * weights[..., None]).sum(dim=1) / weights.sum(dim=1, keepdim=True) / 64).float()


def place(
    xy: Tensor,
    inked: Tensor,
    edge: Tensor,
    is_mark: Tensor,
    size: Tensor,
    mass: Tensor,
    jitter: Tensor,
    layout: str,
) -> Tensor:
    """From grid units to pixels: letters fill a box and are centred; marks keep size and height.

    Args:
        xy: (N, P, 2) float32 points in grid units.
        inked: (N, P - 1) bool, whether the pen is down between a point and the next.
        edge: (N,) pixels by which ink reaches beyond the path.
        is_mark: (N,) bool.
        size: (N,) pixels, the longer side of a letter's box.
        mass: (N,) in [0, 1], how far the layout "box" is drawn towards the centre of mass.
        jitter: (N, 2) pixels.
        layout: "box" or "mass", what is put into the middle.

    Returns:
        (N, P, 2) float32 in pixels.
    """
    drawn = torch.cat([inked[:, :1], inked[:, 1:] | inked[:, :-1], inked[:, -1:]], dim=1)[..., None]
    low = xy.masked_fill(~drawn, math.inf).amin(dim=1)
    high = xy.masked_fill(~drawn, -math.inf).amax(dim=1)
    middle, extent = (low + high) / 2, high - low

    size = torch.full_like(size, MNIST_SIZE) if layout == "mass" else size
    size = torch.where(is_mark, math.inf, size).clamp(max=SIZE - 2 * BORDER)
    fit = (size - 2 * edge) / extent.amax(dim=1).clamp(min=1)
    unit = torch.where(is_mark, fit.clamp(max=UNIT), fit)[:, None]
    offset = (middle - centre_of_mass(xy, inked)) * unit
    if layout == "box":
        offset = (mass[:, None] * offset).clamp(-1.2, 1.2) + jitter
    height = LINE - MIDDLE + (middle[:, 1] - LINE_Y) * unit[:, 0]
    on_line = jitter + torch.stack([torch.zeros_like(height), height], dim=1)
    offset = torch.where(is_mark[:, None], on_line, offset)
    room = (SIZE / 2 - BORDER - edge[:, None] - extent * unit / 2).clamp(min=0)
    offset = torch.minimum(torch.maximum(offset, -room), room)
    return (xy - middle[:, None]) * unit[:, None] + MIDDLE + offset[:, None]
