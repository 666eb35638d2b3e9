"""Draw the way of the pen through lines as pictures: each letter in a narrow tile, the tiles added up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab_kit.handwriting.pen_ink import draw_density, exposed
from lab_kit.handwriting.pen_line_style import nib_width

INK_CHUNK = 64  # tiles drawn at a time
TILE = 16  # pixels: the width of a tile is a multiple of it
FINEST_DAB = 0.5  # pixels, standard deviation
REACH = math.sqrt(8)  # standard deviations from the middle of a dab to its edge
BORDER = 2.0  # pixels above and below the ink
LEAST_HEIGHT = 5.0  # grid units: lines of dots and dashes alone are not blown up to the whole height


@dataclass
class LinePaths:
    """The way of the pen through several lines, in grid units, the writing line at y = 0.

    Attributes:
        x, y: (M, P) float32: a row of points for each character, those of the join that leads to it first.
        inked: (M, P - 1) bool, whether the pen is down between a point and the next.
        pressure: (M, P - 1) float32, how hard it is pressed, around 1.
        line: (M,) int64, the number of the line.
        style: {trait: (lines,)}.
        chance: (lines, chances) in [-1, 1], for what is random in a line.
    """

    x: Tensor
    y: Tensor
    inked: Tensor
    pressure: Tensor
    line: Tensor
    style: dict[str, Tensor]
    chance: Tensor


def draw_lines(
    paths: LinePaths, height: int, scale: float | None = None, writing_line: float = 2 / 3
) -> list[np.ndarray]:
    """Draw lines.

    Args:
        paths: the way of the pen.
        height: of the pictures, in pixels.
        scale: pixels per grid unit; None makes each line fill the height.
        writing_line: where the writing line is if there is a scale, as a share of the height.

    Returns:
        pictures (height, any width) uint8: white ink (255) on black (0).
    """
    lines, line = len(paths.chance), paths.line
    point = torch.cat([paths.inked[:, :1], paths.inked[:, 1:] | paths.inked[:, :-1], paths.inked[:, -1:]], dim=1)
    left, right = _extremes(paths.x, point, line, lines)
    top, bottom = _extremes(paths.y, point, line, lines)
    nib = nib_width(paths.style)
    gain = paths.style["gain"] * (1 + paths.style["nib"])
    if scale is None:
        scales = (height - 2 * BORDER) / (bottom - top + nib).clamp(min=LEAST_HEIGHT)
        scales = scales * (1 - 0.12 * paths.chance[:, 5].clamp(min=0))
        first_row = (height - (bottom - top) * scales) / 2 - top * scales + 0.6 * paths.chance[:, 7]
    else:
        scales = torch.full((lines,), scale)
        first_row = torch.full((lines,), writing_line * height)
    # Where an overexposed dab is half as bright as can be is the edge of the stroke.
    width = (scales * nib / (2 * torch.sqrt(2 * torch.log(2 * gain)))).clamp(min=FINEST_DAB)
    reach = REACH * width
    margin = 2 + 4 * paths.chance[:, 6].abs() + reach
    x = (paths.x - left[line][:, None]) * scales[line][:, None] + margin[line][:, None]
    y = paths.y * scales[line][:, None] + first_row[line][:, None]
    widths = ((right - left) * scales + 2 * margin).ceil().long().tolist()
    density = [np.zeros((height, wide), np.float32) for wide in widths]
    _add_tiles(density, x, y, paths, width, reach)
    return [exposed(torch.from_numpy(ink), much).numpy() for ink, much in zip(density, gain.tolist(), strict=True)]


def _add_tiles(
    density: Sequence[np.ndarray], x: Tensor, y: Tensor, paths: LinePaths, width: Tensor, reach: Tensor
) -> None:
    """Draw each letter in a tile, and add it to the density of its line. Sums of whole numbers: any order will do."""
    inked, line = paths.inked, paths.line
    dabs = torch.stack([x[:, 1:] + x[:, :-1], y[:, 1:] + y[:, :-1]], dim=2) / 2
    length = ((x[:, 1:] - x[:, :-1]).square() + (y[:, 1:] - y[:, :-1]).square()).sqrt() * inked
    dab_width = width[line][:, None] * paths.pressure
    start = (dabs[..., 0].masked_fill(~inked, math.inf).amin(dim=1) - reach[line]).floor().clamp(min=0)
    stop = dabs[..., 0].masked_fill(~inked, -math.inf).amax(dim=1) + reach[line]
    dabs[..., 0] -= start[:, None]
    columns = (((stop - start) / TILE).ceil().long() * TILE).clamp(min=TILE)
    starts, line_of = start.long().tolist(), line.tolist()
    for wide in columns.unique().tolist():
        for rows in torch.nonzero(columns == wide)[:, 0].split(INK_CHUNK):
            tiles = draw_density(dabs[rows], length[rows], dab_width[rows], len(density[0]), wide).numpy()
            for tile, row in zip(tiles, rows.tolist(), strict=True):
                place = density[line_of[row]][:, starts[row] : starts[row] + wide]
                place += tile[:, : place.shape[1]]


def _extremes(values: Tensor, point: Tensor, line: Tensor, lines: int) -> tuple[Tensor, Tensor]:
    """Return the lowest and the highest of the values (M, P) of each line, where `point` is True."""
    low = values.masked_fill(~point, math.inf).amin(dim=1)
    high = values.masked_fill(~point, -math.inf).amax(dim=1)
    return (
        torch.full((lines,), math.inf).scatter_reduce(0, line, low, "amin"),
        torch.full((lines,), -math.inf).scatter_reduce(0, line, high, "amax"),
    )
