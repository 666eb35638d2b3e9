"""Synthetic handwriting: draw pen paths in the styles of imaginary writers.

A *writer* is a style: a slant, a pen, a size, and habits. Each sample also varies, as real letters of one writer do.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from lab_kit.handwriting.pen_glyphs import load_glyphs
from lab_kit.handwriting.pen_ink import draw_ink, ink_reach
from lab_kit.handwriting.pen_layout import SIZE, place_characters
from lab_kit.handwriting.pen_writers import NOISE, STYLE, average_style, vary_strokes, writer_habit, writer_style

CHUNK, INK_CHUNK = 1024, 128  # samples placed and drawn at a time, so that their data fits into the processor's cache
OWN_FORM_PROBABILITY = 0.8  # how often writers use their preferred form of a character


class PenStrokes:
    """Draws handwriting: pen paths with the style of a writer and random variation from letter to letter.

    Args:
        characters: what the labels stand for, in order; each must be in pen_paths.toml.
        layout: "box" centres the box of a letter; "mass" centres its centre of mass, in a 20-pixel box, as MNIST
            does. In both, punctuation marks keep their size and their height above the writing line.
        allographs: if False, draw only the first form of each character.
        writers: if False, all writers have the average style and no habits.
        warp: if False, there is no variation from letter to letter.

    Raises:
        ValueError: the layout is unknown.
    """

    def __init__(
        self,
        characters: Sequence[str],
        layout: Literal["box", "mass"] = "box",
        allographs: bool = True,
        writers: bool = True,
        warp: bool = True,
    ) -> None:
        if layout not in ("box", "mass"):
            raise ValueError(f"layout must be 'box' or 'mass', not {layout!r}")
        self.characters = tuple(characters)
        self.layout = layout
        self.allographs = allographs
        self.writers = writers
        self.warp = warp

    def draw(self, labels: Tensor, writers: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one image for each label.

        The same labels, writers and generator state give the same bytes, with any number of threads.

        Args:
            labels: (N,) int64, indices into `characters`.
            writers: (N,) int64, writer ids >= 0.
            generator: the source of the variation from letter to letter.

        Returns:
            (N, 28, 28) uint8: white ink (255) on black (0), upright.

        Raises:
            ValueError: a label or writer is out of range, or a character has no pen paths.
        """
        glyphs = load_glyphs()
        if missing := [c for c in self.characters if c not in glyphs.count]:
            raise ValueError(f"there are no pen paths for {missing}")
        if labels.shape != writers.shape or labels.ndim != 1:
            raise ValueError("labels and writers must be vectors of the same length")
        images = torch.zeros(len(labels), SIZE, SIZE, dtype=torch.uint8)
        if not len(labels):
            return images
        if labels.min() < 0 or labels.max() >= len(self.characters):
            raise ValueError(f"labels must lie between 0 and {len(self.characters) - 1}")
        if writers.min() < 0:
            raise ValueError("writer ids must not be negative")

        # All random numbers at once, one row for each sample, so that the result does not depend on the chunks.
        noise = torch.rand(len(labels), sum(NOISE.values()), dtype=torch.float64, generator=generator)
        allograph = self._choose_allograph(labels, writers, noise[:, : NOISE["allograph"]])
        style = writer_style(writers) if self.writers else average_style(len(labels))
        noise = (2 * noise - 1).float() * self.warp
        is_mark = torch.tensor([not c.isalnum() for c in self.characters])[labels]
        is_blank = torch.tensor([glyphs.count[c] == 0 for c in self.characters])[labels]
        for rows in torch.arange(len(labels))[~is_blank].split(CHUNK):
            images[rows] = self._draw_chunk(allograph[rows], style[rows], noise[rows], is_mark[rows])
        return images

    def _choose_allograph(self, labels: Tensor, writers: Tensor, noise: Tensor) -> Tensor:
        """Return (N,) rows of the glyph table: mostly the form of the character that the writer prefers."""
        glyphs = load_glyphs()
        first = torch.tensor([glyphs.first[c] for c in self.characters])[labels]
        if not self.allographs:
            return first
        count = torch.tensor([glyphs.count[c] for c in self.characters])[labels]
        codes = torch.tensor([ord(c) for c in self.characters])[labels]
        own = (noise[:, 0] < OWN_FORM_PROBABILITY) & self.writers
        u = torch.where(own, writer_habit(writers, codes), noise[:, 1])
        return first + (count * u * (0.7 + 0.3 * u)).long()  # forms at the top of a table are more common

    def _draw_chunk(self, allograph: Tensor, style: Tensor, noise: Tensor, is_mark: Tensor) -> Tensor:
        glyphs = load_glyphs()
        style = dict(zip(STYLE, style.unbind(dim=1), strict=True))
        noise = dict(zip(NOISE, noise.split(list(NOISE.values()), dim=1), strict=True))
        stroke, along = glyphs.stroke[allograph], glyphs.along[allograph]

        level = style["speed"].long()
        rest = (style["speed"] - level)[:, None, None]
        xy = glyphs.xy[allograph, level] * (1 - rest) + glyphs.xy[allograph, level + 1] * rest
        xy = vary_strokes(xy, stroke, style, noise)

        cut = style["cut"][:, None] * noise["cut"].abs()
        inked = stroke[:, 1:] == stroke[:, :-1]
        inked &= (along[:, 1:] > cut[:, :1]) & (along[:, :-1] < 1 - cut[:, 1:])
        width = (0.5 + 0.9 * style["weight"].square()) * (1 + 0.1 * noise["weight"][:, 0])
        reach = ink_reach(width, style["gain"])
        size = style["size"] + 0.7 * noise["size"][:, 0]
        xy = place_characters(xy, inked, reach, is_mark, size, style["mass"], 0.3 * noise["place"], self.layout)

        along = 2 * along[:, 1:] - 1
        swing = noise["pressure"][:, :1] * along + noise["pressure"][:, 1:] * (2 * along * along - 1)
        pressure = 1 + 0.5 * style["pressure"][:, None] * swing
        dabs = (xy[:, 1:] + xy[:, :-1]) / 2
        length = (xy[:, 1:] - xy[:, :-1]).square().sum(dim=2).sqrt() * inked
        pen = (dabs, length, width[:, None] * pressure, style["gain"])
        return torch.cat([draw_ink(*part) for part in zip(*(t.split(INK_CHUNK) for t in pen), strict=True)])


def draw_set(
    characters: Sequence[str],
    count: int,
    writers: range,
    seed: int,
    layout: Literal["box", "mass"] = "box",
    allographs: bool = True,
    writer_styles: bool = True,
    warp: bool = True,
) -> tuple[Tensor, Tensor]:
    """Draw a dataset with the same number of samples of each class (or one more), each by a random writer.

    Args:
        characters: the classes.
        count: the number of samples.
        writers: the ids of the writers.
        seed: the seed of everything random.
        layout, allographs, warp: as in PenStrokes.
        writer_styles: `writers` of PenStrokes.

    Returns:
        images (count, 28, 28) uint8 and labels (count,) int64, in random order.

    Raises:
        ValueError: as in PenStrokes.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randperm(count, generator=generator) % len(characters)
    ids = torch.randint(writers.start, writers.stop, (count,), generator=generator)
    pen = PenStrokes(characters, layout, allographs, writer_styles, warp)
    return pen.draw(labels, ids, generator), labels
