"""Pen strokes of the symbols mushroom and umbrella, some of which look alike on purpose."""

import math

import numpy as np
from numpy.random import Generator

from lab_kit.curation.practice.stroke_shapes import Stroke, arc, curve, mirrored_at_random, polyline, rotated


def foot(rng: Generator, top: float, width: float) -> list[Stroke]:
    """Draw the stem of a mushroom."""
    bottom, wide = rng.uniform(0.8, 1.0), width * rng.uniform(0.9, 1.7)
    left = curve((-width, top), (-width * 0.9, (top + bottom) / 2), (-wide, bottom))
    right = curve((width, top), (width * 0.9, (top + bottom) / 2), (wide, bottom))
    return [left, right, curve((-wide, bottom), (0, bottom + 0.08), (wide, bottom))]


def mushroom_dome(rng: Generator) -> list[Stroke]:
    """Draw half a circle on a stem, often with dots."""
    height = rng.uniform(0.75, 1.0)
    cap = [arc(0, 0, 0.95, height, 180, 360), polyline((-0.95, 0), (0.95, 0))]
    places = [(-0.5, -0.3), (0, -0.55), (0.45, -0.25), (-0.1, -0.2), (0.65, -0.12)]
    dots = [arc(x, y, s, s) for x, y in places for s in [rng.uniform(0.05, 0.13)] if rng.uniform() < 0.75]
    return [*cap, *foot(rng, 0, rng.uniform(0.16, 0.32)), *(dots if rng.uniform() < 0.6 else [])]


def mushroom_bell(rng: Generator) -> list[Stroke]:
    """Draw a bell with a curled rim, on a stem."""
    top = -rng.uniform(0.8, 1.0)
    cap = curve((0, top), (-0.5, top * 0.75), (-0.85, -0.15), (-0.75, 0.12), (-0.3, 0.02), (0.3, 0.02), (0.75, 0.12),
                (0.85, -0.15), (0.5, top * 0.75), (0, top))  # fmt: skip
    return [cap, *foot(rng, 0.02, rng.uniform(0.13, 0.25))]


def mushroom_gills(rng: Generator) -> list[Stroke]:
    """Draw a cap seen from slightly below, with gills."""
    sag = rng.uniform(0.12, 0.25)
    cap = [arc(0, 0, 0.95, rng.uniform(0.6, 0.85), 180, 360), arc(0, 0, 0.95, sag, 0, 180)]
    places = np.linspace(-0.7, 0.7, int(rng.integers(4, 8)))
    gills = [curve((x, 0.9 * sag * (1 - x * x)), (x * 0.5, -0.02)) for x in places]
    rim = [arc(0, 0, 0.95, sag * 0.6, 180, 360)] if rng.uniform() < 0.5 else []
    return [*cap, *gills, *rim, *foot(rng, sag, rng.uniform(0.12, 0.22))]


def mushroom_slim(rng: Generator) -> list[Stroke]:
    """Draw a wide flat cap on a thin stem, which looks much like an umbrella."""
    cap = curve((-1, 0), (-0.75, -0.45), (0, -rng.uniform(0.6, 0.75)), (0.75, -0.45), (1, 0), (0.5, 0.08), (0, 0.02),
                (-0.5, 0.08), (-1, 0))  # fmt: skip
    grass = [polyline((x, 1.0), (x + rng.uniform(-0.08, 0.08), 0.82)) for x in (-0.4, -0.3, 0.28, 0.42)]
    return [cap, *foot(rng, 0.03, rng.uniform(0.05, 0.1)), *(grass if rng.uniform() < 0.5 else [])]


def mushroom_pair(rng: Generator) -> list[Stroke]:
    """Draw a large mushroom and a small one."""
    form = (mushroom_dome, mushroom_bell, mushroom_gills)[int(rng.integers(0, 3))]
    large, small = form(rng), form(rng)
    return mirrored_at_random([s * 0.85 for s in large] + [s * 0.42 + [0.95, 0.48] for s in small], rng)


def handle(rng: Generator, top: float) -> list[Stroke]:
    """Draw the stick of an umbrella, usually with a hook at its end."""
    bottom, r = rng.uniform(0.8, 1.0), rng.uniform(0.12, 0.2)
    if rng.uniform() < 0.2:
        return [polyline((0, top), (0, bottom)), polyline((-0.08, bottom), (0.08, bottom))]
    bow = arc(r, bottom - r, r, r, 180, 0) * [rng.choice([-1, 1]), 1]
    return [np.concatenate([polyline((0, top), (0, bottom - r)), bow])]


def scallops(count: int, depth: float) -> Stroke:
    """Return the lower edge of an umbrella: `count` arcs from (-1, 0) to (1, 0)."""
    t = np.linspace(0, 1, 12 * count + 1)
    return np.stack([2 * t - 1, -depth * np.abs(np.sin(math.pi * count * t))], axis=1)


def umbrella_scallops(rng: Generator) -> list[Stroke]:
    """Draw a dome with arcs as lower edge."""
    dome = arc(0, 0, 1, rng.uniform(0.7, 0.95), 180, 360)
    edge = scallops(int(rng.integers(3, 6)), rng.uniform(0.1, 0.2))
    tip = [polyline((0, -0.95), (0, -1.1))] if rng.uniform() < 0.4 else []
    return rotated([dome, edge, *handle(rng, -0.1), *tip], rng.choice([0, rng.uniform(-35, 35)]))


def umbrella_ribs(rng: Generator) -> list[Stroke]:
    """Draw a dome with ribs from its top, and with arcs or a straight line as lower edge."""
    height, count = rng.uniform(0.7, 0.95), int(rng.integers(3, 5))
    edge = scallops(count, 0.14) if rng.uniform() < 0.6 else polyline((-1, 0), (1, 0))
    ribs = [curve((0, -height), (x * 0.7, -height * 0.6), (x, -0.02)) for x in 2 * np.arange(1, count) / count - 1]
    return rotated(
        [arc(0, 0, 1, height, 180, 360), edge, *ribs, *handle(rng, 0)], rng.choice([0, rng.uniform(-35, 35)])
    )


def umbrella_plain(rng: Generator) -> list[Stroke]:
    """Draw a dome, a straight lower edge and a stick, which look much like a mushroom."""
    stick = handle(rng, rng.choice([0, -0.7]))
    return [arc(0, 0, 0.95, rng.uniform(0.6, 0.9), 180, 360), polyline((-0.95, 0), (0.95, 0)), *stick]


def umbrella_tent(rng: Generator) -> list[Stroke]:
    """Draw a triangle with sides that bend inwards."""
    left = curve((0, -0.9), (-0.35, -0.45), (-1, -0.05))
    right = curve((0, -0.9), (0.35, -0.45), (1, -0.05))
    edge = scallops(int(rng.integers(2, 5)), 0.12)
    return rotated([left, right, edge, *handle(rng, -0.1)], rng.uniform(-25, 25))


def umbrella_closed(rng: Generator) -> list[Stroke]:
    """Draw a closed umbrella: long and narrow, with folds and a hook."""
    w = rng.uniform(0.25, 0.4)
    sides = curve((0, -1), (-w * 0.8, -0.3), (-w, 0.25)), curve((0, -1), (w * 0.8, -0.3), (w, 0.25))
    edge = polyline((-w, 0.25), (-w / 2, 0.15), (0, 0.27), (w / 2, 0.15), (w, 0.25))
    folds = [polyline((0, -0.85), (x, 0.18)) for x in (-w / 2, w / 2) if rng.uniform() < 0.7]
    return rotated([*sides, edge, *folds, *handle(rng, 0.25), polyline((0, -1), (0, -1.15))], rng.uniform(-40, 40))
