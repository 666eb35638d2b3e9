"""Pen paths of the practice set: how people draw a sun, a flower, a fish, a leaf, a mushroom and an umbrella.

A form is one of the ways in which people draw a symbol: a function of a random generator that returns strokes. A
stroke is an array (K, 2) of points along which the pen goes, x to the right and y down, in units of which the symbol is
about 2 tall. Forms of the two symbols of a pair come close to each other, on purpose: sun and flower, fish and leaf,
mushroom and umbrella.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.random import Generator

Stroke = np.ndarray
Form = Callable[[Generator], list[Stroke]]


def curve(*points: tuple[float, float], steps: int = 10) -> Stroke:
    """A smooth curve (Catmull and Rom, 1974) through `points`."""
    p = np.array(points, dtype=float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    between = b + (c - a) * t / 2 + (a - 2.5 * b + 2 * c - d / 2) * t**2 + (1.5 * (b - c) + (d - a) / 2) * t**3
    return np.concatenate([between.transpose(1, 0, 2).reshape(-1, 2), p[-2:-1]])


def line(*points: tuple[float, float], steps: int = 8) -> Stroke:
    """Straight from point to point, with corners."""
    p = np.array(points, dtype=float)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    return np.concatenate([a + (b - a) * t for a, b in itertools.pairwise(p)] + [p[-1:]])


def arc(x: float, y: float, width: float, height: float, start: float = 0, end: float = 360) -> Stroke:
    """Part of an ellipse around (x, y), with half axes `width` and `height`, from one angle to another in degrees."""
    angle = np.radians(np.linspace(start, end, max(8, int(abs(end - start) / 9))))
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], axis=1)


def ring(rng: Generator, radius: float, squash: float = 0.1) -> Stroke:
    """A circle as a hand draws it: begun anywhere, not quite round, and not quite closed or closed twice."""
    start = rng.uniform(0, 360)
    return arc(0, 0, radius, radius * rng.uniform(1 - squash, 1 + squash), start, start + rng.uniform(345, 400))


def dot(x: float, y: float, size: float = 0.04) -> Stroke:
    """A dot is a tiny ring."""
    return arc(x, y, size, size)


def around(count: int, rng: Generator, unevenness: float = 0.25) -> np.ndarray:
    """`count` angles in radians around a circle, not quite evenly spaced."""
    step = 2 * math.pi / count
    return (np.arange(count) + rng.uniform(0, 1) + rng.uniform(-unevenness, unevenness, count)) * step


def polar(angle: float, radius: float) -> tuple[float, float]:
    """The point at `radius` from the middle in the direction `angle`, in radians."""
    return radius * math.cos(angle), radius * math.sin(angle)


def petal(angle: float, inner: float, outer: float, half_width: float, pointed: bool = False) -> Stroke:
    """A loop that begins and ends near the middle and reaches out to `outer`."""
    middle = inner + (outer - inner) * (0.4 if pointed else 0.62)
    points = [polar(angle - half_width * 0.7, inner), polar(angle - half_width, middle), polar(angle, outer)]
    points += [polar(angle + half_width, middle), polar(angle + half_width * 0.7, inner)]
    return line(points[0], points[2], points[4]) if pointed else curve(*points)


def flipped(strokes: list[Stroke], rng: Generator) -> list[Stroke]:
    """The same strokes, or their mirror image."""
    side = rng.choice([-1, 1])
    return [stroke * [side, 1] for stroke in strokes]


# ------------------------------------------------------------------------------------------------------- sun


def sun_rays(rng: Generator) -> list[Stroke]:
    """A ring with straight rays around it, all alike or long and short in turns."""
    radius, gap = rng.uniform(0.35, 0.55), rng.choice([0.0, 0.12])
    count = int(rng.integers(7, 15))
    short = rng.choice([1.0, 0.6]) if count % 2 == 0 else 1.0
    reach = rng.uniform(0.3, 0.5)
    ends = [radius + gap + reach * (short if i % 2 else 1) * rng.uniform(0.8, 1.1) for i in range(count)]
    rays = [line(polar(a, radius + gap), polar(a, end)) for a, end in zip(around(count, rng), ends, strict=True)]
    return [ring(rng, radius), *rays]


def sun_spikes(rng: Generator) -> list[Stroke]:
    """A ring in a wreath of triangles."""
    radius, count = rng.uniform(0.45, 0.6), int(rng.integers(7, 13))
    spikes = [petal(a, radius, rng.uniform(0.85, 1.05), math.pi / count, True) for a in around(count, rng, 0.1)]
    return [ring(rng, radius), *spikes]


def sun_face(rng: Generator) -> list[Stroke]:
    """A ring with a face, and rays."""
    face = [dot(-0.18, -0.12), dot(0.18, -0.12), arc(0, 0.0, 0.28, 0.26, 20, 160)]
    return [*sun_rays(rng), *face]


def sun_waves(rng: Generator) -> list[Stroke]:
    """A spiral with waving rays."""
    turn = np.linspace(0, rng.uniform(4, 6.5) * math.pi, 90)
    radius = 0.5 * turn / turn[-1]
    count = int(rng.integers(7, 12))
    rays = []
    for a in around(count, rng):
        bend = 0.12 * rng.choice([-1, 1])
        rays.append(curve(polar(a, 0.58), polar(a + bend, 0.74), polar(a - bend, 0.88), polar(a, 1.02)))
    return [np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1), *rays]


def sun_half(rng: Generator) -> list[Stroke]:
    """The sun as it rises: half a ring, a horizon, rays above."""
    radius = rng.uniform(0.45, 0.65)
    angles = np.radians(np.linspace(195, 345, int(rng.integers(5, 9)))) + rng.uniform(-0.06, 0.06)
    rays = [line(polar(a, radius + 0.12), polar(a, rng.uniform(0.95, 1.1))) for a in angles]
    horizon = line((-rng.uniform(0.9, 1.2), 0), (rng.uniform(0.9, 1.2), 0))
    return [arc(0, 0, radius, radius, 180, 360), horizon, *rays]


# ---------------------------------------------------------------------------------------------------- flower


def stem(rng: Generator, top: float, leaves: bool = True) -> list[Stroke]:
    """A bent stalk from `top` down, often with one or two leaves."""
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
    """A ring with a few round petals, perhaps on a stem."""
    radius, count = rng.uniform(0.2, 0.32), int(rng.integers(4, 9))
    outer = rng.uniform(0.75, 1.0)
    width = math.pi / count * rng.uniform(0.8, 1.05)
    petals = [petal(a, radius, outer * rng.uniform(0.9, 1.1), width) for a in around(count, rng, 0.1)]
    return [ring(rng, radius), *petals, *(stem(rng, 0.95) if rng.uniform() < 0.5 else [])]


def flower_daisy(rng: Generator) -> list[Stroke]:
    """A ring with many thin petals, which is nearly a sun."""
    radius, count = rng.uniform(0.25, 0.45), int(rng.integers(9, 15))
    width = math.pi / count * rng.uniform(0.6, 0.9)
    petals = [petal(a, radius, rng.uniform(0.85, 1.05), width) for a in around(count, rng, 0.1)]
    return [ring(rng, radius), *petals, *(stem(rng, 1.0) if rng.uniform() < 0.3 else [])]


def flower_loops(rng: Generator) -> list[Stroke]:
    """All petals in one go of the pen, from the middle and back."""
    count = int(rng.integers(5, 8))
    turn = np.linspace(0, 2 * math.pi, 40 * count)
    radius = 0.08 + 0.85 * np.abs(np.sin(turn * count / 2)) ** rng.uniform(0.5, 1.0)
    loops = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    strokes = [loops, dot(0, 0, 0.12)] if rng.uniform() < 0.5 else [loops]
    return [*strokes, *(stem(rng, 0.9) if rng.uniform() < 0.6 else [])]


def flower_scallops(rng: Generator) -> list[Stroke]:
    """A ring in a wreath of bows, on a stem or not."""
    count = int(rng.integers(5, 10))
    turn = np.linspace(0, 2 * math.pi, 30 * count)
    radius = 0.6 + 0.3 * np.abs(np.sin(turn * count / 2)) ** 0.7
    wreath = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    return [ring(rng, rng.uniform(0.25, 0.5)), wreath, *(stem(rng, 0.9) if rng.uniform() < 0.5 else [])]


def flower_tulip(rng: Generator) -> list[Stroke]:
    """A cup with a jagged rim, on a stem."""
    width, rim = rng.uniform(0.45, 0.65), -rng.uniform(0.75, 0.95)
    cup = curve((-width, rim), (-width * 1.05, -0.35), (-width * 0.5, 0.02), (0, 0.1), (width * 0.5, 0.02),
                (width * 1.05, -0.35), (width, rim))  # fmt: skip
    jags = line((-width, rim), (-width / 2, rim + 0.35), (0, rim - 0.05), (width / 2, rim + 0.35), (width, rim))
    return [cup, jags, *stem(rng, 0.1)]


# ------------------------------------------------------------------------------------------------------ fish


def body(rng: Generator, length: float, height: float) -> tuple[Stroke, Stroke]:
    """The back and the belly of a lens from (-length, 0) to (length, 0)."""
    lean = rng.uniform(-0.2, 0.2) * length
    back, belly = (
        curve((-length, 0), (-length * 0.55, h * 0.75), (lean, h), (length * 0.6, h * 0.65), (length, 0))
        for h in (-height, height)
    )
    return back, belly


def fish_cross(rng: Generator) -> list[Stroke]:
    """Two bows that cross at the tail."""
    h, tail = rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.45)
    top = curve((-1, 0), (-0.5, -h * 0.85), (0, -h), (0.55, -h * 0.4), (0.75, 0), (1.1, tail))
    bottom = curve((-1, 0), (-0.5, h * 0.85), (0, h), (0.55, h * 0.4), (0.75, 0), (1.1, -tail))
    ends = [line((1.1, tail), (1.1, -tail))] if rng.uniform() < 0.4 else []
    eye = [dot(-0.6, -0.12, rng.uniform(0.03, 0.08))] if rng.uniform() < 0.6 else []
    return flipped([top, bottom, *ends, *eye], rng)


def fish_tail(rng: Generator) -> list[Stroke]:
    """An oval with a triangle behind, an eye, perhaps fins, gills and a mouth."""
    h, tail = rng.uniform(0.4, 0.65), rng.uniform(0.3, 0.5)
    strokes = [arc(-0.2, 0, 0.8, h, 0, 360), line((0.58, 0), (1.1, -tail), (1.1, tail), (0.58, 0))]
    extras = [
        dot(-0.7, -0.12, 0.06),
        arc(-0.75, 0, 0.3, h * 0.8, -50, 50),
        curve((-0.3, -h), (-0.05, -h - 0.28), (0.25, -h - 0.15), (0.25, -h * 0.8)),
        curve((-0.15, 0.1), (0.1, 0.28), (0.2, 0.05)),
        line((-0.97, 0.1), (-0.8, 0.14)),
    ]
    return flipped(strokes + [extra for extra in extras if rng.uniform() < 0.6], rng)


def fish_scales(rng: Generator) -> list[Stroke]:
    """A lens with a forked tail and a few scales, or stripes."""
    h = rng.uniform(0.4, 0.6)
    back, belly = body(rng, 0.85, h)
    tail = curve((0.85, 0), (1.0, -0.2), (1.25, -0.42)), curve((0.85, 0), (1.0, 0.2), (1.25, 0.42))
    fork = curve((1.25, -0.42), (1.08, 0), (1.25, 0.42))
    places = [(x, y) for x in (-0.3, 0.0, 0.3) for y in (-0.16, 0.14)]
    scales = [arc(x, y, 0.1, 0.13, 90, 270) for x, y in places if rng.uniform() < 0.8]
    stripes = [arc(x - 0.2, 0, 0.2, h * 0.75, -65, 65) for x in (-0.3, 0.0, 0.3)]
    return flipped([back, belly, *tail, fork, *(scales if rng.uniform() < 0.5 else stripes), dot(-0.62, -0.08)], rng)


def fish_bones(rng: Generator) -> list[Stroke]:
    """What the cat leaves: head, spine, ribs and tail. Much like a leaf and its veins."""
    ribs = []
    for x in np.linspace(-0.3, 0.5, int(rng.integers(4, 7))):
        h = 0.42 * (1 - 0.5 * (x + 0.3)) * rng.uniform(0.8, 1.1)
        ribs.append(curve((x + 0.12, -h), (x, 0), (x + 0.12, h)))
    head = line((-1.05, 0.02), (-0.5, -0.42), (-0.45, 0.4), (-1.05, 0.02))
    tail = line((0.7, 0), (1.05, -0.35), (0.98, 0), (1.05, 0.35), (0.7, 0))
    return flipped([head, line((-0.5, 0), (0.72, 0)), *ribs, tail, dot(-0.68, -0.06, 0.05)], rng)


def fish_one_line(rng: Generator) -> list[Stroke]:
    """The whole fish without lifting the pen, and little else."""
    h = rng.uniform(0.35, 0.6)
    outline = curve((0.7, 0.05), (0.2, -h), (-0.5, -h * 0.9), (-1, 0), (-0.5, h * 0.9), (0.2, h), (0.75, -0.05),
                    (1.15, -0.4), (1.05, 0), (1.15, 0.4), (0.7, 0.0))  # fmt: skip
    return flipped([outline, *([dot(-0.6, -0.1, 0.05)] if rng.uniform() < 0.7 else [])], rng)


# ------------------------------------------------------------------------------------------------------ leaf


def turned(strokes: list[Stroke], degrees: float) -> list[Stroke]:
    """All strokes, turned around the middle."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [stroke @ np.array([[c, s], [-s, c]]) for stroke in strokes]


def leaf_angle(rng: Generator) -> float:
    """Leaves lie as they fell: most of them lean."""
    return float(rng.choice([rng.uniform(-60, 60), rng.uniform(-120, 240)]))


def leaf_veins(rng: Generator) -> list[Stroke]:
    """A lens with a midrib, veins and a stalk."""
    h = rng.uniform(0.35, 0.6)
    back, belly = body(rng, 0.95, h)
    midrib = curve((-0.9, 0), (0, rng.uniform(-0.06, 0.06)), (0.95, 0), (1.2, rng.uniform(-0.1, 0.15)))
    veins = []
    for x in np.linspace(-0.45, 0.55, int(rng.integers(3, 6))):
        reach = h * (0.75 - abs(x) * 0.5) * rng.uniform(0.8, 1.1)
        veins += [line((x + 0.1, 0), (x - 0.18, -reach)), line((x + 0.1, 0), (x - 0.18, reach))]
    return turned([back, belly, midrib, *veins], leaf_angle(rng))


def leaf_plain(rng: Generator) -> list[Stroke]:
    """An outline and a stalk, which is nearly a fish."""
    back, belly = body(rng, 0.85, rng.uniform(0.35, 0.6))
    start = rng.choice([-0.6, 0.85])
    stalk = curve((start, 0), (0.85, 0.02), (1.05, rng.uniform(-0.12, 0.12)), (1.25, rng.uniform(-0.2, 0.2)))
    return turned([back, belly, stalk], leaf_angle(rng))


def leaf_oak(rng: Generator) -> list[Stroke]:
    """A wavy outline with a midrib."""
    lobes = int(rng.integers(3, 5))
    x = np.linspace(-0.95, 0.8, 60)
    t = np.linspace(0, 1, 60)
    height = 0.55 * np.sin(math.pi * t) ** 0.6 * (0.72 + 0.28 * np.cos(2 * math.pi * lobes * t + math.pi))
    sides = [np.stack([x, side * height], axis=1) for side in (-1, 1)]
    return turned([*sides, curve((-0.8, 0), (0, 0.03), (0.8, 0), (1.2, 0.1))], leaf_angle(rng))


def leaf_maple(rng: Generator) -> list[Stroke]:
    """Five points around a stalk."""
    tips = [(-0.95, 0.1), (-0.75, -0.55), (0, -1), (0.75, -0.55), (0.95, 0.1)]
    notches = [(-0.42, -0.12), (-0.28, -0.48), (0.28, -0.48), (0.42, -0.12)]
    outline = [(0.0, 0.55), (-0.5, 0.5)]
    for i, tip in enumerate(tips):
        outline += [tip, *notches[i : i + 1]]
    outline += [(0.5, 0.5), (0.0, 0.55)]
    veins = [line((0, 0.5), (x * 0.6, y * 0.6)) for x, y in tips if rng.uniform() < 0.5]
    stalk = curve((0, 0.45), (0.03, 0.8), (rng.uniform(-0.15, 0.15), 1.1))
    return turned([line(*outline, steps=5), *veins, stalk], rng.uniform(-50, 50))


def leaf_folded(rng: Generator) -> list[Stroke]:
    """A round leaf with a pointed tip, and veins on one side only."""
    outline = curve((1, 0), (0.6, -0.5), (0, -0.62), (-0.5, -0.4), (-1.05, 0.05), (-0.5, 0.42), (0, 0.58), (0.6, 0.46),
                    (1, 0))  # fmt: skip
    side = rng.choice([-1, 1])
    veins = [curve((x + 0.15, 0), (x, side * 0.2), (x - 0.05, side * 0.42)) for x in (-0.4, -0.05, 0.3, 0.6)]
    return turned([outline, curve((-0.9, 0.03), (0, -0.05), (1, 0), (1.25, 0.12)), *veins], leaf_angle(rng))


# -------------------------------------------------------------------------------------------------- mushroom


def foot(rng: Generator, top: float, width: float) -> list[Stroke]:
    """The stalk of a mushroom, in one stroke or two."""
    bottom, wide = rng.uniform(0.8, 1.0), width * rng.uniform(0.9, 1.7)
    left = curve((-width, top), (-width * 0.9, (top + bottom) / 2), (-wide, bottom))
    right = curve((width, top), (width * 0.9, (top + bottom) / 2), (wide, bottom))
    return [left, right, curve((-wide, bottom), (0, bottom + 0.08), (wide, bottom))]


def mushroom_dome(rng: Generator) -> list[Stroke]:
    """Half a circle on a stalk, often with dots."""
    height = rng.uniform(0.75, 1.0)
    cap = [arc(0, 0, 0.95, height, 180, 360), line((-0.95, 0), (0.95, 0))]
    places = [(-0.5, -0.3), (0, -0.55), (0.45, -0.25), (-0.1, -0.2), (0.65, -0.12)]
    dots = [arc(x, y, s, s) for x, y in places for s in [rng.uniform(0.05, 0.13)] if rng.uniform() < 0.75]
    return [*cap, *foot(rng, 0, rng.uniform(0.16, 0.32)), *(dots if rng.uniform() < 0.6 else [])]


def mushroom_bell(rng: Generator) -> list[Stroke]:
    """A bell with a curled rim."""
    top = -rng.uniform(0.8, 1.0)
    cap = curve((0, top), (-0.5, top * 0.75), (-0.85, -0.15), (-0.75, 0.12), (-0.3, 0.02), (0.3, 0.02), (0.75, 0.12),
                (0.85, -0.15), (0.5, top * 0.75), (0, top))  # fmt: skip
    return [cap, *foot(rng, 0.02, rng.uniform(0.13, 0.25))]


def mushroom_gills(rng: Generator) -> list[Stroke]:
    """A cap seen from slightly below: its lower edge a bow, with gills."""
    sag = rng.uniform(0.12, 0.25)
    cap = [arc(0, 0, 0.95, rng.uniform(0.6, 0.85), 180, 360), arc(0, 0, 0.95, sag, 0, 180)]
    places = np.linspace(-0.7, 0.7, int(rng.integers(4, 8)))
    gills = [curve((x, 0.9 * sag * (1 - x * x)), (x * 0.5, -0.02)) for x in places]
    rim = [arc(0, 0, 0.95, sag * 0.6, 180, 360)] if rng.uniform() < 0.5 else []
    return [*cap, *gills, *rim, *foot(rng, sag, rng.uniform(0.12, 0.22))]


def mushroom_slim(rng: Generator) -> list[Stroke]:
    """A wide flat cap on a thin stalk, which is nearly an umbrella."""
    cap = curve((-1, 0), (-0.75, -0.45), (0, -rng.uniform(0.6, 0.75)), (0.75, -0.45), (1, 0), (0.5, 0.08), (0, 0.02),
                (-0.5, 0.08), (-1, 0))  # fmt: skip
    grass = [line((x, 1.0), (x + rng.uniform(-0.08, 0.08), 0.82)) for x in (-0.4, -0.3, 0.28, 0.42)]
    return [cap, *foot(rng, 0.03, rng.uniform(0.05, 0.1)), *(grass if rng.uniform() < 0.5 else [])]


def mushroom_pair(rng: Generator) -> list[Stroke]:
    """A large one and a small one."""
    form = FORMS["mushroom"][int(rng.integers(0, 3))]
    large, small = form(rng), form(rng)
    return flipped([s * 0.85 for s in large] + [s * 0.42 + [0.95, 0.48] for s in small], rng)


# -------------------------------------------------------------------------------------------------- umbrella


def handle(rng: Generator, top: float) -> list[Stroke]:
    """The stick, mostly with a hook at its end."""
    bottom, r = rng.uniform(0.8, 1.0), rng.uniform(0.12, 0.2)
    if rng.uniform() < 0.2:
        return [line((0, top), (0, bottom)), line((-0.08, bottom), (0.08, bottom))]
    bow = arc(r, bottom - r, r, r, 180, 0) * [rng.choice([-1, 1]), 1]
    return [np.concatenate([line((0, top), (0, bottom - r)), bow])]


def scallops(count: int, depth: float) -> Stroke:
    """The lower edge of an umbrella: `count` bows from (-1, 0) to (1, 0)."""
    t = np.linspace(0, 1, 12 * count + 1)
    return np.stack([2 * t - 1, -depth * np.abs(np.sin(math.pi * count * t))], axis=1)


def umbrella_scallops(rng: Generator) -> list[Stroke]:
    """A dome with bows below."""
    dome = arc(0, 0, 1, rng.uniform(0.7, 0.95), 180, 360)
    edge = scallops(int(rng.integers(3, 6)), rng.uniform(0.1, 0.2))
    tip = [line((0, -0.95), (0, -1.1))] if rng.uniform() < 0.4 else []
    return turned([dome, edge, *handle(rng, -0.1), *tip], rng.choice([0, rng.uniform(-35, 35)]))


def umbrella_ribs(rng: Generator) -> list[Stroke]:
    """A dome with ribs from its top, with bows or a straight edge below."""
    height, count = rng.uniform(0.7, 0.95), int(rng.integers(3, 5))
    edge = scallops(count, 0.14) if rng.uniform() < 0.6 else line((-1, 0), (1, 0))
    ribs = [curve((0, -height), (x * 0.7, -height * 0.6), (x, -0.02)) for x in 2 * np.arange(1, count) / count - 1]
    return turned([arc(0, 0, 1, height, 180, 360), edge, *ribs, *handle(rng, 0)], rng.choice([0, rng.uniform(-35, 35)]))


def umbrella_plain(rng: Generator) -> list[Stroke]:
    """A dome, a straight edge and a stick, which is nearly a mushroom."""
    stick = handle(rng, rng.choice([0, -0.7]))
    return [arc(0, 0, 0.95, rng.uniform(0.6, 0.9), 180, 360), line((-0.95, 0), (0.95, 0)), *stick]


def umbrella_tent(rng: Generator) -> list[Stroke]:
    """A triangle with hollow sides."""
    left = curve((0, -0.9), (-0.35, -0.45), (-1, -0.05))
    right = curve((0, -0.9), (0.35, -0.45), (1, -0.05))
    edge = scallops(int(rng.integers(2, 5)), 0.12)
    return turned([left, right, edge, *handle(rng, -0.1)], rng.uniform(-25, 25))


def umbrella_closed(rng: Generator) -> list[Stroke]:
    """Folded: long and narrow, with folds and a hook."""
    w = rng.uniform(0.25, 0.4)
    sides = curve((0, -1), (-w * 0.8, -0.3), (-w, 0.25)), curve((0, -1), (w * 0.8, -0.3), (w, 0.25))
    edge = line((-w, 0.25), (-w / 2, 0.15), (0, 0.27), (w / 2, 0.15), (w, 0.25))
    folds = [line((0, -0.85), (x, 0.18)) for x in (-w / 2, w / 2) if rng.uniform() < 0.7]
    return turned([*sides, edge, *folds, *handle(rng, 0.25), line((0, -1), (0, -1.15))], rng.uniform(-40, 40))


FORMS: dict[str, tuple[Form, ...]] = {
    "fish": (fish_cross, fish_tail, fish_scales, fish_bones, fish_one_line),
    "flower": (flower_petals, flower_daisy, flower_loops, flower_scallops, flower_tulip),
    "leaf": (leaf_veins, leaf_plain, leaf_oak, leaf_maple, leaf_folded),
    "mushroom": (mushroom_dome, mushroom_bell, mushroom_gills, mushroom_slim, mushroom_pair),
    "sun": (sun_rays, sun_spikes, sun_face, sun_waves, sun_half),
    "umbrella": (umbrella_scallops, umbrella_ribs, umbrella_plain, umbrella_tent, umbrella_closed),
}
PAIRS = (("sun", "flower"), ("fish", "leaf"), ("mushroom", "umbrella"))
MIXED_UP = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
