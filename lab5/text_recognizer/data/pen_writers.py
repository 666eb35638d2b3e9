"""Imaginary writers: their own style and habits, and how their letters vary from one to the next."""

import math

import torch
from torch import Tensor

from text_recognizer.data.pen_glyphs import POINTS, SMOOTHING, STROKES

WAVES = 5  # slow waves along the path
HABITS = 2048  # keys of a writer from here on are habits, one for each character

# What makes a writer: the lowest and the highest value of each trait.
STYLE = {
    "slant": (-0.25, 0.7),  # pixels to the right per pixel of height
    "turn": (-0.15, 0.15),  # radians, nearly
    "aspect": (0.8, 1.45),  # width of the letters
    "size": (19.0, 25.5),  # pixels, the longer side of a letter's box
    "weight": (0.0, 1.0),  # from the finest pen to the thickest
    "gain": (1.2, 3.0),  # overexposure: low is a soft pencil, high a crisp pen
    "pressure": (0.0, 0.35),  # by how much the width varies along a letter
    "speed": (0.0, len(SMOOTHING) - 1.01),  # level of smoothing: a fast hand cuts corners
    "waves": (0.2, 1.2),  # grid units, unsteadiness along the path
    "bend": (0.05, 0.2),  # curvature of what should be straight rows and columns
    "drift": (0.0, 1.4),  # grid units, how far strokes land from where they belong
    "cut": (0.0, 0.08),  # share of a stroke that may be missing at either end
    "mass": (0.0, 1.0),  # 0: letters are centred by their box, 1: by their centre of mass
}

# How many random numbers a sample takes for each purpose.
NOISE = {
    "allograph": 2, "slant": 1, "turn": 1, "aspect": 1, "size": 1, "weight": 1, "pressure": 2,
    "waves": 4 * WAVES - 2, "bend": 6, "drift": 2 * STROKES, "stretch": 2 * STROKES, "cut": 2, "place": 2,
}  # fmt: skip


def hashed(keys: Tensor) -> Tensor:
    """Uniform random numbers in [0, 1), float64, each a pure function of its int64 key.

    The keys are scrambled as in SplitMix64 (Steele, Lea and Flood, 2014), in 64-bit words that wrap around.
    """
    z = keys * -7046029254386353131  # the published constants are unsigned; these are the same bits, signed
    z = (z ^ ((z >> 30) & (1 << 34) - 1)) * -4658895280553007687
    z = (z ^ ((z >> 27) & (1 << 37) - 1)) * -7723592293110705685
    z = z ^ ((z >> 31) & (1 << 33) - 1)
    return ((z >> 11) & (1 << 53) - 1).double() / (1 << 53)


def style_of(writers: Tensor) -> Tensor:
    """(N,) writer ids -> (N, len(STYLE)) float32, each writer's style a function of the id alone."""
    return spread(hashed(writers[:, None] * (2 * HABITS) + torch.arange(len(STYLE))).float())


def average_style(count: int) -> Tensor:
    """(count, len(STYLE)) float32: everybody writes alike."""
    return spread(torch.full((count, len(STYLE)), 0.5))


def spread(u: Tensor) -> Tensor:
    """(N, len(STYLE)) from [0, 1] to the range of each trait."""
    low, high = torch.tensor(list(STYLE.values())).T
    return low + (high - low) * u


def habit_of(writers: Tensor, codes: Tensor) -> Tensor:
    """(N,) float64 in [0, 1): which form of the character number `codes` (< 2048) a writer prefers."""
    return hashed(writers * (2 * HABITS) + HABITS + codes)


def path_waves() -> Tensor:
    """(2 WAVES - 1, POINTS) float32: slow waves along the path, weaker as they quicken.

    All but the first, a drift from start to end, close up, so that a closed letter stays closed.
    """
    places = [i / (POINTS - 1) for i in range(POINTS)]
    rows = [[t - 0.5 for t in places]]
    for k in range(1, WAVES):
        rows += [[0.7 / k**1.5 * f(2 * math.pi * k * t) for t in places] for f in (math.sin, math.cos)]
    return torch.tensor(rows)


def vary(xy: Tensor, stroke: Tensor, style: dict[str, Tensor], noise: dict[str, Tensor]) -> Tensor:
    """Move points as a hand does: each stroke by itself, in waves along the path, and the letter as a whole.

    Args:
        xy: (N, P, 2) float32 in grid units.
        stroke: (N, P) int64, number of the stroke that each point lies on.
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
    for k, wave in enumerate(waves):  # no matrix product: its sums would depend on their order
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
