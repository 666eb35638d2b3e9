"""Pen strokes of the symbols fish and leaf, some of which look alike on purpose."""

import math

import numpy as np
from numpy.random import Generator

from lab_kit.curation.practice.stroke_shapes import Stroke, arc, curve, dot, mirrored_at_random, polyline, rotated


def body(rng: Generator, length: float, height: float) -> tuple[Stroke, Stroke]:
    """Return the upper and lower edge of a lens shape from (-length, 0) to (length, 0)."""
    lean = rng.uniform(-0.2, 0.2) * length
    back, belly = (
        curve((-length, 0), (-length * 0.55, h * 0.75), (lean, h), (length * 0.6, h * 0.65), (length, 0))
        for h in (-height, height)
    )
    return back, belly


def fish_cross(rng: Generator) -> list[Stroke]:
    """Draw two curves that cross at the tail."""
    h, tail = rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.45)
    top = curve((-1, 0), (-0.5, -h * 0.85), (0, -h), (0.55, -h * 0.4), (0.75, 0), (1.1, tail))
    bottom = curve((-1, 0), (-0.5, h * 0.85), (0, h), (0.55, h * 0.4), (0.75, 0), (1.1, -tail))
    ends = [polyline((1.1, tail), (1.1, -tail))] if rng.uniform() < 0.4 else []
    eye = [dot(-0.6, -0.12, rng.uniform(0.03, 0.08))] if rng.uniform() < 0.6 else []
    return mirrored_at_random([top, bottom, *ends, *eye], rng)


def fish_tail(rng: Generator) -> list[Stroke]:
    """Draw an oval with a triangle as tail, and some of: eye, fins, gills, mouth."""
    h, tail = rng.uniform(0.4, 0.65), rng.uniform(0.3, 0.5)
    strokes = [arc(-0.2, 0, 0.8, h, 0, 360), polyline((0.58, 0), (1.1, -tail), (1.1, tail), (0.58, 0))]
    extras = [
        dot(-0.7, -0.12, 0.06),
        arc(-0.75, 0, 0.3, h * 0.8, -50, 50),
        curve((-0.3, -h), (-0.05, -h - 0.28), (0.25, -h - 0.15), (0.25, -h * 0.8)),
        curve((-0.15, 0.1), (0.1, 0.28), (0.2, 0.05)),
        polyline((-0.97, 0.1), (-0.8, 0.14)),
    ]
    return mirrored_at_random(strokes + [extra for extra in extras if rng.uniform() < 0.6], rng)


def fish_scales(rng: Generator) -> list[Stroke]:
    """Draw a lens shape with a forked tail, and with scales or stripes."""
    h = rng.uniform(0.4, 0.6)
    back, belly = body(rng, 0.85, h)
    tail = curve((0.85, 0), (1.0, -0.2), (1.25, -0.42)), curve((0.85, 0), (1.0, 0.2), (1.25, 0.42))
    fork = curve((1.25, -0.42), (1.08, 0), (1.25, 0.42))
    places = [(x, y) for x in (-0.3, 0.0, 0.3) for y in (-0.16, 0.14)]
    scales = [arc(x, y, 0.1, 0.13, 90, 270) for x, y in places if rng.uniform() < 0.8]
    stripes = [arc(x - 0.2, 0, 0.2, h * 0.75, -65, 65) for x in (-0.3, 0.0, 0.3)]
    return mirrored_at_random(
        [back, belly, *tail, fork, *(scales if rng.uniform() < 0.5 else stripes), dot(-0.62, -0.08)], rng
    )


def fish_bones(rng: Generator) -> list[Stroke]:
    """Draw the bones of a fish: head, spine, ribs and tail. They look much like a leaf with veins."""
    ribs = []
    for x in np.linspace(-0.3, 0.5, int(rng.integers(4, 7))):
        h = 0.42 * (1 - 0.5 * (x + 0.3)) * rng.uniform(0.8, 1.1)
        ribs.append(curve((x + 0.12, -h), (x, 0), (x + 0.12, h)))
    head = polyline((-1.05, 0.02), (-0.5, -0.42), (-0.45, 0.4), (-1.05, 0.02))
    tail = polyline((0.7, 0), (1.05, -0.35), (0.98, 0), (1.05, 0.35), (0.7, 0))
    return mirrored_at_random([head, polyline((-0.5, 0), (0.72, 0)), *ribs, tail, dot(-0.68, -0.06, 0.05)], rng)


def fish_one_line(rng: Generator) -> list[Stroke]:
    """Draw the outline of a fish in one stroke, with or without an eye."""
    h = rng.uniform(0.35, 0.6)
    outline = curve((0.7, 0.05), (0.2, -h), (-0.5, -h * 0.9), (-1, 0), (-0.5, h * 0.9), (0.2, h), (0.75, -0.05),
                    (1.15, -0.4), (1.05, 0), (1.15, 0.4), (0.7, 0.0))  # fmt: skip
    return mirrored_at_random([outline, *([dot(-0.6, -0.1, 0.05)] if rng.uniform() < 0.7 else [])], rng)


def leaf_angle(rng: Generator) -> float:
    """Return a random angle for a leaf, in degrees."""
    return float(rng.choice([rng.uniform(-60, 60), rng.uniform(-120, 240)]))


def leaf_veins(rng: Generator) -> list[Stroke]:
    """Draw a lens shape with a midrib, veins and a stalk."""
    h = rng.uniform(0.35, 0.6)
    back, belly = body(rng, 0.95, h)
    midrib = curve((-0.9, 0), (0, rng.uniform(-0.06, 0.06)), (0.95, 0), (1.2, rng.uniform(-0.1, 0.15)))
    veins = []
    for x in np.linspace(-0.45, 0.55, int(rng.integers(3, 6))):
        reach = h * (0.75 - abs(x) * 0.5) * rng.uniform(0.8, 1.1)
        veins += [polyline((x + 0.1, 0), (x - 0.18, -reach)), polyline((x + 0.1, 0), (x - 0.18, reach))]
    return rotated([back, belly, midrib, *veins], leaf_angle(rng))


def leaf_plain(rng: Generator) -> list[Stroke]:
    """Draw an outline and a stalk, which look much like a fish."""
    back, belly = body(rng, 0.85, rng.uniform(0.35, 0.6))
    start = rng.choice([-0.6, 0.85])
    stalk = curve((start, 0), (0.85, 0.02), (1.05, rng.uniform(-0.12, 0.12)), (1.25, rng.uniform(-0.2, 0.2)))
    return rotated([back, belly, stalk], leaf_angle(rng))


def leaf_oak(rng: Generator) -> list[Stroke]:
    """Draw an oak leaf: a wavy outline with a midrib."""
    lobes = int(rng.integers(3, 5))
    x = np.linspace(-0.95, 0.8, 60)
    t = np.linspace(0, 1, 60)
    height = 0.55 * np.sin(math.pi * t) ** 0.6 * (0.72 + 0.28 * np.cos(2 * math.pi * lobes * t + math.pi))
    sides = [np.stack([x, side * height], axis=1) for side in (-1, 1)]
    return rotated([*sides, curve((-0.8, 0), (0, 0.03), (0.8, 0), (1.2, 0.1))], leaf_angle(rng))


def leaf_maple(rng: Generator) -> list[Stroke]:
    """Draw a maple leaf: five points around a stalk."""
    tips = [(-0.95, 0.1), (-0.75, -0.55), (0, -1), (0.75, -0.55), (0.95, 0.1)]
    notches = [(-0.42, -0.12), (-0.28, -0.48), (0.28, -0.48), (0.42, -0.12)]
    outline = [(0.0, 0.55), (-0.5, 0.5)]
    for i, tip in enumerate(tips):
        outline += [tip, *notches[i : i + 1]]
    outline += [(0.5, 0.5), (0.0, 0.55)]
    veins = [polyline((0, 0.5), (x * 0.6, y * 0.6)) for x, y in tips if rng.uniform() < 0.5]
    stalk = curve((0, 0.45), (0.03, 0.8), (rng.uniform(-0.15, 0.15), 1.1))
    return rotated([polyline(*outline, steps=5), *veins, stalk], rng.uniform(-50, 50))


def leaf_folded(rng: Generator) -> list[Stroke]:
    """Draw a round leaf with a pointed tip, and veins on one side only."""
    outline = curve((1, 0), (0.6, -0.5), (0, -0.62), (-0.5, -0.4), (-1.05, 0.05), (-0.5, 0.42), (0, 0.58), (0.6, 0.46),
                    (1, 0))  # fmt: skip
    side = rng.choice([-1, 1])
    veins = [curve((x + 0.15, 0), (x, side * 0.2), (x - 0.05, side * 0.42)) for x in (-0.4, -0.05, 0.3, 0.6)]
    return rotated([outline, curve((-0.9, 0.03), (0, -0.05), (1, 0), (1.25, 0.12)), *veins], leaf_angle(rng))
