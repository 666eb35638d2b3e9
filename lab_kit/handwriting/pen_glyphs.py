"""Read pen_paths.toml, and resample every allograph (form of a character) to the same number of points."""

import functools
import itertools
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

POINTS = 96  # points per allograph: at most 1.2 pixels apart in a 24-pixel box, even for the longest paths
SMOOTHING = (0.0, 0.5, 1.1)  # grid units: standard deviation of the smoothing along the path at each level
SMOOTHING_SHARE = 0.05  # at most this share of a stroke's length, so that dots and commas keep their form
DOT_RADIUS = 0.4  # grid units; people draw a dot as a tiny ring or tick
STROKES = 5  # the maximum number of strokes of an allograph


@dataclass(frozen=True)
class Glyphs:
    """All allographs of all characters as tensors: G allographs, L smoothing levels, P points."""

    xy: Tensor  # (G, L, P, 2) float32, in grid units, y down
    stroke: Tensor  # (G, P) int64, number of the stroke that the point lies on
    along: Tensor  # (G, P) float32 in [0, 1], how far along its stroke the point lies
    first: dict[str, int]  # character -> its first allograph
    count: dict[str, int]  # character -> how many allographs it has (0 for a space)


def parse_strokes(path: str) -> list[list[tuple[float, float, bool]]]:
    """Parse one allograph, such as "0,0! 10,0! 4,14 | 1,7 8,7", to a list of strokes of (x, y, is a sharp corner).

    Raises:
        ValueError: the text is malformed.
    """
    strokes = []
    for part in path.split("|"):
        stroke = []
        for word in part.split():
            try:
                x, y = (float(number) for number in word.removesuffix("!").split(","))
            except ValueError:
                raise ValueError(f"'{word}' is not a point: expected x,y or x,y!") from None
            stroke.append((x, y, word.endswith("!")))
        if not stroke:
            raise ValueError("a stroke without points")
        strokes.append(stroke)
    if len(strokes) > STROKES:
        raise ValueError(f"{len(strokes)} strokes; at most {STROKES} are supported")
    return strokes


def smooth_curve(points: np.ndarray, steps: int = 12) -> np.ndarray:
    """Return a Catmull-Rom curve through `points` (K, 2), K >= 2, with `steps` points for each gap.

    Evaluated by the pyramid of Barry and Goldman (1988), with centripetal knots, which keep a curve through
    uneven points free of loops and cusps (Yuksel et al., 2011).
    """
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    gaps = np.maximum(np.hypot(*np.diff(padded, axis=0).T), 1e-6) ** 0.5
    knots = np.concatenate([[0.0], np.cumsum(gaps)])
    count = len(points) - 1
    p = [padded[k : k + count, None] for k in range(4)]  # four neighbours for each gap: (K - 1, 1, 2)
    t = [knots[k : k + count, None, None] for k in range(4)]
    at = t[1] + (t[2] - t[1]) * np.linspace(0, 1, steps + 1)[1:, None]  # (K - 1, steps, 1)

    def between(a: np.ndarray, b: np.ndarray, i: int, j: int) -> np.ndarray:
        return ((t[j] - at) * a + (at - t[i]) * b) / (t[j] - t[i])

    a = [between(p[k], p[k + 1], k, k + 1) for k in range(3)]
    b = [between(a[k], a[k + 1], k, k + 2) for k in range(2)]
    return np.concatenate([points[:1], between(b[0], b[1], 1, 2).reshape(-1, 2)])


def trace(stroke: list[tuple[float, float, bool]]) -> np.ndarray:
    """Return the path (M, 2) of the pen along one stroke, densely sampled, with smooth curves between corners."""
    xy = np.array([(x, y) for x, y, _ in stroke])
    if len(xy) == 1:
        angles = np.linspace(0, 2 * math.pi, 9)
        return xy + DOT_RADIUS * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    ends = [0, *(i for i in range(1, len(xy) - 1) if stroke[i][2]), len(xy) - 1]
    runs = [smooth_curve(xy[a : b + 1]) for a, b in itertools.pairwise(ends)]
    return np.concatenate([runs[0], *(run[1:] for run in runs[1:])])


def smooth_along(xy: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth evenly spaced points (K, 2) with a Gaussian filter, `sigma` points wide; the ends do not move."""
    reach = min(math.ceil(3 * sigma), len(xy) - 1)
    if reach < 1:
        return xy
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    # The path is continued by its point reflection, so that the ends do not move.
    padded = np.concatenate([2 * xy[0] - xy[reach:0:-1], xy, 2 * xy[-1] - xy[-2 : -reach - 2 : -1]])
    return np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in (0, 1)], axis=1)


def resample(strokes: list[list[tuple[float, float, bool]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resample an allograph to POINTS evenly spaced points.

    Returns:
        (L, P, 2) positions, (P,) numbers of the strokes, and (P,) places along the stroke, from 0 to 1.
    """
    courses = [trace(stroke) for stroke in strokes]
    reaches = [np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(course, axis=0).T))]) for course in courses]
    lengths = np.array([reach[-1] for reach in reaches]).round(6)  # rounded, so that equally long strokes are equal
    if not lengths.all():
        raise ValueError("a stroke of length 0: write a dot as one single point")
    counts = 6 + np.floor((POINTS - 6 * len(strokes)) * lengths / lengths.sum()).astype(int)
    counts[np.argmax(lengths)] += POINTS - counts.sum()
    levels = [[] for _ in SMOOTHING]
    for course, reach, count in zip(courses, reaches, counts, strict=True):
        at = np.linspace(0, reach[-1], count)
        xy = np.stack([np.interp(at, reach, course[:, axis]) for axis in (0, 1)], axis=1)
        for level, sigma in zip(levels, SMOOTHING, strict=True):
            level.append(smooth_along(xy, min(sigma / reach[-1], SMOOTHING_SHARE) * (count - 1)))
    stroke = np.repeat(np.arange(len(strokes)), counts)
    along = np.concatenate([np.linspace(0, 1, count) for count in counts])
    return np.stack([np.concatenate(level) for level in levels]), stroke, along


def read_glyphs(path: Path) -> Glyphs:
    """Read a file of pen paths.

    Raises:
        ValueError: the file is malformed; the message names the file, the character and the allograph.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: {error}") from error
    shapes, first, count = [], {}, {}
    for character, allographs in table.items():
        if not isinstance(allographs, dict):
            raise ValueError(f"{path.name}: [{character}] is not a table of allographs")
        first[character], count[character] = len(shapes), len(allographs)
        for name, strokes in allographs.items():
            try:
                shapes.append(resample(parse_strokes(strokes)))
            except (ValueError, AttributeError) as error:
                raise ValueError(f"{path.name}: [{character}] {name}: {error}") from error
    if not shapes:
        raise ValueError(f"{path.name}: no pen paths")
    xy, stroke, along = (np.stack(part) for part in zip(*shapes, strict=True))
    return Glyphs(torch.from_numpy(xy).float(), torch.from_numpy(stroke), torch.from_numpy(along).float(), first, count)


@functools.cache
def load_glyphs() -> Glyphs:
    """Return the pen paths of the package, which are read once."""
    return read_glyphs(Path(__file__).with_name("pen_paths.toml"))
