"""Draw pictures of hand-drawn symbols: simulate a writer's hand, a pen, and a photo of the paper."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from lab_kit.curation.practice.pen_paths import FORMS
from lab_kit.curation.practice.stroke_shapes import Stroke

SUPERSAMPLING = 3  # strokes are drawn at this many times the resolution, and then reduced, for soft edges
INKS = ((25, 25, 35), (35, 40, 60), (20, 40, 130), (150, 30, 35), (25, 95, 50), (95, 60, 30), (90, 40, 120))
BLACK_SHARE = 4 / 7  # of the writers, whose pen is nearly black


@dataclass(frozen=True)
class Writer:
    """The properties of a writer's hand and pen; every picture has a new writer."""

    slant: float  # shift to the right per height
    turn: float  # radians
    aspect: float  # factor by which the width of the symbol differs from the standard form
    size: float  # of the symbol, as a share of the picture
    wobble: float  # size of the hand's tremor, in the symbol's units
    drift: float  # how far strokes are misplaced, in the symbol's units
    careless: float  # by how much a stroke may be too short or too long at an end
    hasty: float  # 0 to 1: how much corners are rounded
    pen: float  # stroke width as a share of the picture's shorter side
    pressure: float  # relative variation of the stroke width
    cover: float  # opacity: 1 for ink, less for a pencil
    again: float  # probability that a stroke is drawn twice
    ink: tuple[int, int, int]

    @classmethod
    def random(cls, rng: Generator) -> "Writer":
        """Return a random writer."""
        black = rng.uniform() < BLACK_SHARE
        return cls(
            slant=rng.normal(0, 0.12),
            turn=rng.normal(0, 0.12),
            aspect=float(np.exp(rng.normal(0, 0.16))),
            size=rng.uniform(0.62, 0.96),
            wobble=rng.uniform(0.01, 0.045),
            drift=rng.uniform(0, 0.06),
            careless=rng.uniform(0, 0.14),
            hasty=rng.uniform(0, 1),
            pen=float(np.exp(rng.uniform(np.log(0.013), np.log(0.045)))),
            pressure=rng.uniform(0, 0.45),
            cover=rng.uniform(0.65, 1),
            again=float(rng.choice([0, 0, 0.15, 0.6])),
            ink=INKS[int(rng.integers(0, 2))] if black else INKS[int(rng.integers(2, len(INKS)))],
        )


def draw_symbol(name: str, rng: Generator) -> Image.Image:
    """Draw a symbol as a random writer would: an RGB picture with sides of 80 to 240 pixels.

    Args:
        name: a key of `FORMS`.
        rng: the source of all randomness; the same state gives the same picture.
    """
    writer = Writer.random(rng)
    size = picture_size(rng)
    forms = FORMS[name]
    strokes = [draw_by_hand(stroke, writer, rng) for stroke in forms[int(rng.integers(0, len(forms)))](rng)]
    return photograph(pen_mask(place_on_page(strokes, size, writer, rng), size, writer, rng), writer, rng)


def draw_nothing(rng: Generator) -> Image.Image:
    """Draw a page without a symbol: an empty page, a scribble, or the stain of a coffee cup."""
    writer, size = Writer.random(rng), picture_size(rng)
    kind = rng.choice(["empty", "scribble", "stain"])
    if kind == "scribble":
        points = np.cumsum(rng.normal(0, 0.35, (int(rng.integers(25, 60)), 2)), axis=0)
        strokes = [np.repeat(points, 6, axis=0)]
        strokes[0] = smooth(strokes[0], 9)
        return photograph(pen_mask(place_on_page(strokes, size, writer, rng), size, writer, rng), writer, rng)
    page = photograph(Image.new("L", size), writer, rng)
    if kind == "stain":
        draw = Image.new("L", size)
        cx, cy, r = size[0] * rng.uniform(0.2, 0.8), size[1] * rng.uniform(0.2, 0.8), min(size) * rng.uniform(0.25, 0.5)
        pen = ImageDraw.Draw(draw)
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=25, outline=210, width=max(2, int(r / 9)))
        page.paste(Image.new("RGB", size, (125, 85, 45)), mask=draw.filter(ImageFilter.GaussianBlur(r / 20)))
    return page


def picture_size(rng: Generator) -> tuple[int, int]:
    """Return a random (width, height) in pixels, 80 to 240 each; a third of them are square."""
    width = int(rng.integers(90, 225))
    height = width if rng.uniform() < 0.33 else int(np.clip(width * rng.uniform(0.7, 1.4), 80, 240))
    return width, height


def smooth(points: Stroke, width: int) -> Stroke:
    """Return the running mean of a stroke over `width` points; its ends stay where they are."""
    half = min(width // 2, (len(points) - 1) // 2)
    if half < 1:
        return points
    padded = np.concatenate([2 * points[0] - points[half:0:-1], points, 2 * points[-1] - points[-2 : -half - 2 : -1]])
    sums = np.cumsum(np.concatenate([np.zeros((1, 2)), padded]), axis=0)
    return (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)


def draw_by_hand(stroke: Stroke, writer: Writer, rng: Generator) -> Stroke:
    """Return a stroke as this writer draws it: unsteady, a bit misplaced, and too short or too long."""
    length = np.hypot(*np.diff(stroke, axis=0).T).sum()
    amount = min(length, 1.0)
    points = smooth(stroke, 1 + 2 * int(3 * writer.hasty * min(length / 2, 1)))
    start, end = rng.normal(0, writer.careless / 2, 2) * amount
    points = extend(extend(points, end)[::-1], start)[::-1]
    along = np.linspace(0, 1, len(points))[:, None]
    for wave in (0.5, 1, 2, 4, 7):
        phase, height = rng.uniform(0, 2 * np.pi, 2), rng.normal(0, writer.wobble / wave**0.6, 2) * amount
        points = points + height * np.sin(2 * np.pi * wave * along + phase)
    return points * (1 + rng.normal(0, writer.drift)) + rng.normal(0, writer.drift, 2)


def extend(points: Stroke, extra: float) -> Stroke:
    """Return the stroke with its end extended by `extra` units in its direction; shortened if that is negative."""
    if extra >= 0:
        ahead = points[-1] - points[-3 if len(points) > 2 else 0]
        return np.concatenate([points, points[-1:] + extra * ahead / max(np.hypot(*ahead), 1e-6)])
    gaps = np.hypot(*np.diff(points, axis=0).T)
    left = np.concatenate([[0], np.cumsum(gaps)]) <= max(gaps.sum() + extra, 0.4 * gaps.sum())
    return points[left] if left.sum() > 2 else points


def place_on_page(strokes: list[Stroke], size: tuple[int, int], writer: Writer, rng: Generator) -> list[Stroke]:
    """Return the strokes in pixels: slanted, rotated, scaled, and place_on_page on the page at random."""
    c, s = np.cos(writer.turn), np.sin(writer.turn)
    shape = np.array([[writer.aspect, 0], [-writer.slant, 1]]) @ np.array([[c, s], [-s, c]])
    strokes = [stroke @ shape for stroke in strokes]
    every = np.concatenate(strokes)
    low, high = every.min(axis=0), every.max(axis=0)
    room = np.array(size)
    scale = writer.size * (room / np.maximum(high - low, 0.3)).min()
    spare = room - (high - low) * scale
    corner = spare * np.clip(rng.normal(0.5, 0.2, 2), 0.03, 0.97)
    return [(stroke - low) * scale + corner for stroke in strokes]


def pen_mask(strokes: list[Stroke], size: tuple[int, int], writer: Writer, rng: Generator) -> Image.Image:
    """Return a mask of the ink: an 8-bit picture of `size`, 255 where ink covers the paper."""
    mask = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
    draw = ImageDraw.Draw(mask)
    width = max(writer.pen * min(size), 1.1) * SUPERSAMPLING
    for stroke in strokes:
        for course in [stroke] if rng.uniform() >= writer.again else [stroke, stroke + rng.normal(0, 1.2, 2)]:
            points = (course * SUPERSAMPLING).tolist()
            phase = rng.uniform(0, 2 * np.pi)
            pressure = 1 + writer.pressure * np.sin(phase + np.linspace(0, rng.uniform(2, 8), len(points)))
            radii = (width / 2 * pressure).tolist()
            for ((x, y), (u, v)), r in zip(itertools.pairwise(points), radii[:-1], strict=True):
                draw.line((x, y, u, v), fill=255, width=max(1, round(2 * r)))
                draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
    return mask.reduce(SUPERSAMPLING)


def photograph(mask: Image.Image, writer: Writer, rng: Generator) -> Image.Image:
    """Return a simulated photo (RGB) of a drawing on paper: with shadow, blur, noise, and perhaps ruled lines."""
    width, height = mask.size
    tint = np.array([rng.uniform(0.9, 1), rng.uniform(0.88, 0.99), rng.uniform(0.78, 0.97)])
    picture = ruled_paper(width, height, rng) * np.float32(tint * rng.uniform(185, 252))
    cover = np.asarray(mask, dtype=np.float32)[..., None] * np.float32(writer.cover / 255)
    if writer.cover < 0.8:
        cover = cover * (0.6 + 0.4 * rng.random((height, width, 1), dtype=np.float32))  # the grain of a pencil
    picture += (np.float32(writer.ink) - picture) * cover
    picture *= 1 - np.float32(rng.uniform(0, 0.35)) * soft_shadow(width, height, rng)[..., None]
    blurred = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(float(rng.choice([0, 0.5, 0.9, 1.4])))
    )
    noise = np.float32(rng.uniform(0.5, 7)) * rng.standard_normal((height, width, 1), dtype=np.float32)
    return Image.fromarray(np.clip(np.asarray(blurred, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


def ruled_paper(width: int, height: int, rng: Generator) -> np.ndarray:
    """Return the reflectance of paper, (height, width, 3), from 0 to 1; one page in five is ruled or squared."""
    light = np.ones((height, width, 3), dtype=np.float32)
    kind, step, start = rng.uniform(), int(rng.integers(14, 30)), int(rng.integers(0, 14))
    colour = np.array([0.72, 0.82, 0.93])
    if kind < 0.2:
        light[start::step] = colour
    if kind < 0.06:
        light[:, start::step] = colour
    return light


def soft_shadow(width: int, height: int, rng: Generator) -> np.ndarray:
    """Return a soft shadow: (height, width) in [0, 1]."""
    small = Image.fromarray(rng.integers(0, 256, (3, 3)).astype(np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32) / 255
