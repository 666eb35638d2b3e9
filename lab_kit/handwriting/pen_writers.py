"""Imaginary writers: their styles and habits, and the variation from letter to letter."""

import math

import torch
from torch import Tensor

from lab_kit.handwriting.pen_glyphs import POINTS, SMOOTHING, STROKES

WAVES = 5  # the number of slow waves along a path
HABITS = 2048  # the keys of a writer from this number on are habits, one for each character

# The traits of a writer: the lowest and the highest value of each.
STYLE = {
    "slant": (-0.25, 0.7),  # pixels to the right per pixel of height
    "turn": (-0.15, 0.15),  # about radians
    "aspect": (0.8, 1.45),  # width of the letters
    "size": (19.0, 25.5),  # pixels, the longer side of a letter's box
    "weight": (0.0, 1.0),  # from the finest pen to the thickest
    "gain": (1.2, 3.0),  # overexposure: low for a soft pencil, high for a sharp pen
    "pressure": (0.0, 0.35),  # how much the width varies along a letter
    "speed": (0.0, len(SMOOTHING) - 1.01),  # level of smoothing: fast writing cuts corners
    "waves": (0.2, 1.2),  # grid units, unsteadiness along the path
    "bend": (0.05, 0.2),  # curvature of straight rows and columns
    "drift": (0.0, 1.4),  # grid units, how far strokes are from their place
    "cut": (0.0, 0.08),  # share of a stroke that can be missing at each end
    "mass": (0.0, 1.0),  # 0: letters are centred by their box, 1: by their centre of mass
}

# The number of random numbers of a sample for each purpose.
NOISE = {
    "allograph": 2, "slant": 1, "turn": 1, "aspect": 1, "size": 1, "weight": 1, "pressure": 2,
    "waves": 4 * WAVES - 2, "bend": 6, "drift": 2 * STROKES, "stretch": 2 * STROKES, "cut": 2, "place": 2,
}  # fmt: skip


def hash_uniform(keys: Tensor) -> Tensor:
    """Return uniform random numbers in [0, 1), float64, each of which depends only on its int64 key.

    The keys are hashed as in SplitMix64 (Steele, Lea and Flood, 2014), with 64-bit overflow.
    """
    z = keys * -7046029254386353131  # the published constants are unsigned; this is the same bit pattern, signed
    z = (z ^ ((z >> 30) & (1 << 34) - 1)) * -4658895280553007687
    z = (z ^ ((z >> 27) & (1 << 37) - 1)) * -7723592293110705685
    z = z ^ ((z >> 31) & (1 << 33) - 1)
    return ((z >> 11) & (1 << 53) - 1).double() / (1 << 53)


def writer_style(writers: Tensor) -> Tensor:
    """Return the styles (N, len(STYLE)) float32 of writers (N,); a style depends only on the writer's id."""
    return scale_to_ranges(hash_uniform(writers[:, None] * (2 * HABITS) + torch.arange(len(STYLE))).float())


def average_style(count: int) -> Tensor:
    """Return the average style, `count` times: (count, len(STYLE)) float32."""
    return scale_to_ranges(torch.full((count, len(STYLE)), 0.5))


def scale_to_ranges(u: Tensor) -> Tensor:
    """Scale (N, len(STYLE)) values from [0, 1] to the ranges of the traits."""
    low, high = torch.tensor(list(STYLE.values())).T
    return low + (high - low) * u


def writer_habit(writers: Tensor, codes: Tensor) -> Tensor:
    """Return (N,) float64 in [0, 1): which form of the character with code `codes` (< 2048) a writer prefers."""
    return hash_uniform(writers * (2 * HABITS) + HABITS + codes)


def path_waves() -> Tensor:
    """Return slow waves along the path, (2 WAVES - 1, POINTS) float32; faster waves are weaker.

    The first is a drift from start to end. The others have the same value at both ends, so that closed letters stay
    closed.
    """
    places = [i / (POINTS - 1) for i in range(POINTS)]
    rows = [[t - 0.5 for t in places]]
    for k in range(1, WAVES):
        rows += [[0.7 / k**1.5 * f(2 * math.pi * k * t) for t in places] for f in (math.sin, math.cos)]
    return torch.tensor(rows)


def vary_strokes(xy: Tensor, stroke: Tensor, style: dict[str, Tensor], noise: dict[str, Tensor]) -> Tensor:
    """Vary the points of letters: move each stroke, add waves along the path, and transform the whole letter.

    Args:
        xy: (N, P, 2) float32 in grid units.
        stroke: (N, P) int64, the number of the stroke of each point.
        style: {trait: (N,)}.
        noise: {purpose: (N, numbers)} in [-1, 1].

    Returns:
        (N, P, 2) float32 in grid units.
    """
    low, high = xy.amin(dim=1), xy.amax(dim=1)
    middle, half = (low + high) / 2, ((high - low).amax(dim=1) / 2).clamp(min=0.5)[:, None]
    amount = (half / 7).clamp(max=1)  # small marks vary less than letters
    drift = style["drift"][:, None] * amount * noise["drift"]
    stretch = 1 + 0.18 * noise["stretch"]
    x = (xy[..., 0] - middle[:, :1]) * stretch.gather(1, stroke) + drift.gather(1, stroke)
    y = (xy[..., 1] - middle[:, 1:]) * stretch.gather(1, stroke + STROKES) + drift.gather(1, stroke + STROKES)

    waves = path_waves()
    heights = style["waves"][:, None] * amount * noise["waves"]
    for k, wave in enumerate(waves):  # not a matrix product, because its sums depend on the order
        x = x + heights[:, k, None] * wave
        y = y + heights[:, k + len(waves), None] * wave

    u, v = x / half, y / half
    bend = style["bend"][:, None] * half * noise["bend"]
    x = x + (bend[:, 0, None] * u + bend[:, 1, None] * v) * u + bend[:, 2, None] * v * v
    y = y + (bend[:, 3, None] * u + bend[:, 4, None] * v) * u + bend[:, 5, None] * v * v

    slant = style["slant"][:, None] + 0.12 * noise["slant"]
    turn = style["turn"][:, None] + 0.08 * noise["turn"]
    x = x * style["aspect"][:, None] * (1 + 0.15 * noise["aspect"]) - slant * y
    return torch.stack([x - turn * y, y + turn * x], dim=2) + middle[:, None]
