"""How imaginary writers write lines: how large, how wide, how even, and whether they join their letters."""

import torch
from torch import Tensor

from lab_kit.handwriting.pen_writers import HABITS, STYLE, hash_uniform, writer_style

# The traits of a writer that show in a line: the lowest and the highest value of each. Lengths are in grid units.
LINE_STYLE = {
    "small": (0.72, 1.18),  # size of small letters, for that of the pen paths
    "tall": (0.8, 1.3),  # of what rises above small letters
    "tail": (0.7, 1.3),  # of what hangs below the writing line
    "gap": (0.2, 4.2),  # between letters
    "space": (3.0, 12.0),  # between words
    "hop": (0.0, 0.8),  # of a letter, up or down
    "wander": (0.0, 1.4),  # of the writing line, up or down
    "slope": (-0.03, 0.03),  # fall of the writing line
    "uneven": (0.0, 0.09),  # share by which the size of letters varies
    "sway": (0.0, 0.12),  # how differently words lean
    "join": (-0.7, 1.3),  # below 0: joins no letters; above 1: all that can be joined; between: their share
    "school": (0.0, 5.0),  # whose joined letters were learned (a number of SCHOOLS); from 3 on, nobody's
    "nib": (0.0, 1.0),  # from the finest pen to a felt-tip
    "tremor": (0.1, 1.0),  # share of the variation of single letters
}
FINEST_NIB, BROADEST_NIB = 0.35, 2.35  # grid units across

# The number of random numbers of a character in a line for each purpose, beside those of a single letter.
LINE_NOISE = {"gap": 1, "space": 1, "hop": 1, "uneven": 1, "lean": 1, "join": 1}


def line_style(writers: Tensor) -> dict[str, Tensor]:
    """Return {trait: (N,) float32} of writers (N,): those of `STYLE` and of `LINE_STYLE`."""
    low, high = torch.tensor(list(LINE_STYLE.values())).T
    keys = writers[:, None] * (2 * HABITS) + len(STYLE) + torch.arange(len(LINE_STYLE))
    of_lines = low + (high - low) * hash_uniform(keys).float()
    values = torch.cat([writer_style(writers), of_lines], dim=1)
    return dict(zip([*STYLE, *LINE_STYLE], values.unbind(dim=1), strict=True))


def nib_width(style: dict[str, Tensor]) -> Tensor:
    """Return how broad the writers' pens are, in grid units; most are fine."""
    return FINEST_NIB + (BROADEST_NIB - FINEST_NIB) * style["nib"].square()
