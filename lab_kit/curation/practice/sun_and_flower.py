"""Pen strokes of the symbols sun and flower, some of which look alike on purpose."""

import math

import numpy as np
from numpy.random import Generator

from lab_kit.curation.practice.stroke_shapes import (
    Stroke,
    angles_around,
    arc,
    curve,
    dot,
    petal,
    polar_point,
    polyline,
    ring,
)


def sun_rays(rng: Generator) -> list[Stroke]:
    """Draw a ring with straight rays, all equally long, or long and short ones alternating."""
    radius, gap = rng.uniform(0.35, 0.55), rng.choice([0.0, 0.12])
    count = int(rng.integers(7, 15))
    short = rng.choice([1.0, 0.6]) if count % 2 == 0 else 1.0
    reach = rng.uniform(0.3, 0.5)
    ends = [radius + gap + reach * (short if i % 2 else 1) * rng.uniform(0.8, 1.1) for i in range(count)]
    rays = [
        polyline(polar_point(a, radius + gap), polar_point(a, end))
        for a, end in zip(angles_around(count, rng), ends, strict=True)
    ]
    return [ring(rng, radius), *rays]


def sun_spikes(rng: Generator) -> list[Stroke]:
    """Draw a ring with triangles around it."""
    radius, count = rng.uniform(0.45, 0.6), int(rng.integers(7, 13))
    spikes = [petal(a, radius, rng.uniform(0.85, 1.05), math.pi / count, True) for a in angles_around(count, rng, 0.1)]
    return [ring(rng, radius), *spikes]


def sun_face(rng: Generator) -> list[Stroke]:
    """Draw a ring with a face, and rays."""
    face = [dot(-0.18, -0.12), dot(0.18, -0.12), arc(0, 0.0, 0.28, 0.26, 20, 160)]
    return [*sun_rays(rng), *face]


def sun_waves(rng: Generator) -> list[Stroke]:
    """Draw a spiral with wavy rays."""
    turn = np.linspace(0, rng.uniform(4, 6.5) * math.pi, 90)
    radius = 0.5 * turn / turn[-1]
    count = int(rng.integers(7, 12))
    rays = []
    for a in angles_around(count, rng):
        bend = 0.12 * rng.choice([-1, 1])
        rays.append(
            curve(polar_point(a, 0.58), polar_point(a + bend, 0.74), polar_point(a - bend, 0.88), polar_point(a, 1.02))
        )
    return [np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1), *rays]


def sun_half(rng: Generator) -> list[Stroke]:
    """Draw a rising sun: half a ring on a horizon, with rays above."""
    radius = rng.uniform(0.45, 0.65)
    angles = np.radians(np.linspace(195, 345, int(rng.integers(5, 9)))) + rng.uniform(-0.06, 0.06)
    rays = [polyline(polar_point(a, radius + 0.12), polar_point(a, rng.uniform(0.95, 1.1))) for a in angles]
    horizon = polyline((-rng.uniform(0.9, 1.2), 0), (rng.uniform(0.9, 1.2), 0))
    return [arc(0, 0, radius, radius, 180, 360), horizon, *rays]


def stem(rng: Generator, top: float, leaves: bool = True) -> list[Stroke]:
    """Draw a bent stem from `top` down, often with one or two leaves."""
    bend, bottom = rng.uniform(-0.15, 0.15), top + rng.uniform(0.8, 1.3)
    strokes = [curve((0, top), (bend, (top + bottom) / 2), (bend * 0.3, bottom))]
    for side in (-1, 1):
        if leaves and rng.uniform() < 0.6:
            y = bottom - rng.uniform(0.25, 0.5)
            x = 0.45 * side
            edge = (bend * 0.6, y + 0.15), (x * 0.6, y - 0.2), (x, y - 0.28), (x * 0.7, y + 0.02), (0, y + 0.2)
            strokes.append(curve(*edge))
    return strokes


def flower_petals(rng: Generator) -> list[Stroke]:
    """Draw a ring with a few round petals, with or without a stem."""
    radius, count = rng.uniform(0.2, 0.32), int(rng.integers(4, 9))
    outer = rng.uniform(0.75, 1.0)
    width = math.pi / count * rng.uniform(0.8, 1.05)
    petals = [petal(a, radius, outer * rng.uniform(0.9, 1.1), width) for a in angles_around(count, rng, 0.1)]
    return [ring(rng, radius), *petals, *(stem(rng, 0.95) if rng.uniform() < 0.5 else [])]


def flower_daisy(rng: Generator) -> list[Stroke]:
    """Draw a ring with many thin petals, which looks much like a sun."""
    radius, count = rng.uniform(0.25, 0.45), int(rng.integers(9, 15))
    width = math.pi / count * rng.uniform(0.6, 0.9)
    petals = [petal(a, radius, rng.uniform(0.85, 1.05), width) for a in angles_around(count, rng, 0.1)]
    return [ring(rng, radius), *petals, *(stem(rng, 1.0) if rng.uniform() < 0.3 else [])]


def flower_loops(rng: Generator) -> list[Stroke]:
    """Draw all petals in one stroke, from the centre and back."""
    count = int(rng.integers(5, 8))
    turn = np.linspace(0, 2 * math.pi, 40 * count)
    radius = 0.08 + 0.85 * np.abs(np.sin(turn * count / 2)) ** rng.uniform(0.5, 1.0)
    loops = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    strokes = [loops, dot(0, 0, 0.12)] if rng.uniform() < 0.5 else [loops]
    return [*strokes, *(stem(rng, 0.9) if rng.uniform() < 0.6 else [])]


def flower_scallops(rng: Generator) -> list[Stroke]:
    """Draw a ring with arcs around it, with or without a stem."""
    count = int(rng.integers(5, 10))
    turn = np.linspace(0, 2 * math.pi, 30 * count)
    radius = 0.6 + 0.3 * np.abs(np.sin(turn * count / 2)) ** 0.7
    wreath = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    return [ring(rng, rng.uniform(0.25, 0.5)), wreath, *(stem(rng, 0.9) if rng.uniform() < 0.5 else [])]


def flower_tulip(rng: Generator) -> list[Stroke]:
    """Draw a cup with a jagged rim, on a stem."""
    width, rim = rng.uniform(0.45, 0.65), -rng.uniform(0.75, 0.95)
    cup = curve((-width, rim), (-width * 1.05, -0.35), (-width * 0.5, 0.02), (0, 0.1), (width * 0.5, 0.02),
                (width * 1.05, -0.35), (width, rim))  # fmt: skip
    jags = polyline((-width, rim), (-width / 2, rim + 0.35), (0, rim - 0.05), (width / 2, rim + 0.35), (width, rim))
    return [cup, jags, *stem(rng, 0.1)]
