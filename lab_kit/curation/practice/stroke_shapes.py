"""Shapes of pen strokes: curves, lines, arcs, rings, petals, and how to mirror and rotate them.

A stroke is an array (K, 2) of points along which the pen moves, x to the right and y down. In its units, a symbol is
about 2 high.
"""

import itertools
import math

import numpy as np
from numpy.random import Generator

Stroke = np.ndarray


def curve(*points: tuple[float, float], steps: int = 10) -> Stroke:
    """Return a smooth curve (Catmull and Rom, 1974) through `points`."""
    p = np.array(points, dtype=float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    between = b + (c - a) * t / 2 + (a - 2.5 * b + 2 * c - d / 2) * t**2 + (1.5 * (b - c) + (d - a) / 2) * t**3
    return np.concatenate([between.transpose(1, 0, 2).reshape(-1, 2), p[-2:-1]])


def polyline(*points: tuple[float, float], steps: int = 8) -> Stroke:
    """Return straight lines from point to point."""
    p = np.array(points, dtype=float)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    return np.concatenate([a + (b - a) * t for a, b in itertools.pairwise(p)] + [p[-1:]])


def arc(x: float, y: float, width: float, height: float, start: float = 0, end: float = 360) -> Stroke:
    """Return an arc of an ellipse around (x, y), with half axes `width` and `height`; angles are in degrees."""
    angle = np.radians(np.linspace(start, end, max(8, int(abs(end - start) / 9))))
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], axis=1)


def ring(rng: Generator, radius: float, squash: float = 0.1) -> Stroke:
    """Return a hand-drawn circle: it starts anywhere, is not quite round, and has a gap or an overlap."""
    start = rng.uniform(0, 360)
    return arc(0, 0, radius, radius * rng.uniform(1 - squash, 1 + squash), start, start + rng.uniform(345, 400))


def dot(x: float, y: float, size: float = 0.04) -> Stroke:
    """Return a dot: a tiny circle."""
    return arc(x, y, size, size)


def angles_around(count: int, rng: Generator, unevenness: float = 0.25) -> np.ndarray:
    """Return `count` angles in radians around a circle, not quite evenly spaced."""
    step = 2 * math.pi / count
    return (np.arange(count) + rng.uniform(0, 1) + rng.uniform(-unevenness, unevenness, count)) * step


def polar_point(angle: float, radius: float) -> tuple[float, float]:
    """Return the point (x, y) at the distance `radius` from the centre, in the direction `angle` in radians."""
    return radius * math.cos(angle), radius * math.sin(angle)


def petal(angle: float, inner: float, outer: float, half_width: float, pointed: bool = False) -> Stroke:
    """Return a petal that starts and ends at the radius `inner` and reaches out to the radius `outer`."""
    middle = inner + (outer - inner) * (0.4 if pointed else 0.62)
    points = [
        polar_point(angle - half_width * 0.7, inner),
        polar_point(angle - half_width, middle),
        polar_point(angle, outer),
    ]
    points += [polar_point(angle + half_width, middle), polar_point(angle + half_width * 0.7, inner)]
    return polyline(points[0], points[2], points[4]) if pointed else curve(*points)


def mirrored_at_random(strokes: list[Stroke], rng: Generator) -> list[Stroke]:
    """Return the same strokes, or, half of the times, their mirror image."""
    side = rng.choice([-1, 1])
    return [stroke * [side, 1] for stroke in strokes]


def rotated(strokes: list[Stroke], degrees: float) -> list[Stroke]:
    """Return all strokes, rotated around the centre."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [stroke @ np.array([[c, s], [-s, c]]) for stroke in strokes]
