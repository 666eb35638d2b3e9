"""Handwriting without a data set: pen paths, drawn by seeded imaginary writers.

A *writer* is a style: a slant, a pen, a size, habits. A sample is a writer plus the variation from one letter
to the next.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from text_recognizer.data.pen_glyphs import load_glyphs
from text_recognizer.data.pen_ink import edge, ink
from text_recognizer.data.pen_layout import SIZE, place
from text_recognizer.data.pen_writers import NOISE, STYLE, average_style, habit_of, style_of, vary

CHUNK, INK_CHUNK = 1024, 128  # samples moved and inked at a time: what they need fits the processor's cache
FAITHFUL = 0.8  # how often writers use their own form of a character


class PenStrokes:
    """Handwriting drawn by imaginary writers: pen paths + a writer's style + variation from letter to letter.

    Args:
        characters: what the labels stand for, in order; each must be in pen_paths.toml.
        layout: "box" puts a letter's box into the middle; "mass" its centre of mass, in a 20-pixel box, as MNIST
            does. Marks keep their size and their height on the line in both.
        allographs: False: only the first form of each character.
        writers: False: everyone writes in the average style and has no habits.
        warp: False: no variation from letter to letter.

    Raises:
        ValueError: for an unknown layout.
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
        """Draw one image per label.

        The same labels, writers and state of the generator give the same bytes, whatever the number of
        threads and however the samples are spread over calls.

        Args:
            labels: (N,) int64, indices into `characters`.
            writers: (N,) int64, writer ids >= 0.
            generator: source of the variation from letter to letter.

        Returns:
            (N, 28, 28) uint8: white ink (255) on black (0), upright.

        Raises:
            ValueError: for a label or writer out of range, or a character without pen paths.
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

        # All random numbers at once, one row for each sample: how samples are split up later does not matter.
        noise = torch.rand(len(labels), sum(NOISE.values()), dtype=torch.float64, generator=generator)
        allograph = self._choose_allograph(labels, writers, noise[:, : NOISE["allograph"]])
        style = style_of(writers) if self.writers else average_style(len(labels))
        noise = (2 * noise - 1).float() * self.warp
        is_mark = torch.tensor([not c.isalnum() for c in self.characters])[labels]
        is_blank = torch.tensor([glyphs.count[c] == 0 for c in self.characters])[labels]
        for rows in torch.arange(len(labels))[~is_blank].split(CHUNK):
            images[rows] = self._draw_chunk(allograph[rows], style[rows], noise[rows], is_mark[rows])
        return images

    def _choose_allograph(self, labels: Tensor, writers: Tensor, noise: Tensor) -> Tensor:
        """(N,) rows of the glyph table: mostly the writer's own form of the character."""
        glyphs = load_glyphs()
        first = torch.tensor([glyphs.first[c] for c in self.characters])[labels]
        if not self.allographs:
            return first
        count = torch.tensor([glyphs.count[c] for c in self.characters])[labels]
        codes = torch.tensor([ord(c) for c in self.characters])[labels]
        own = (noise[:, 0] < FAITHFUL) & self.writers
        u = torch.where(own, habit_of(writers, codes), noise[:, 1])
        return first + (count * u * (0.7 + 0.3 * u)).long()  # forms at the top of a table are common

    def _draw_chunk(self, allograph: Tensor, style: Tensor, noise: Tensor, is_mark: Tensor) -> Tensor:
        glyphs = load_glyphs()
        style = dict(zip(STYLE, style.unbind(dim=1), strict=True))
        noise = dict(zip(NOISE, noise.split(list(NOISE.values()), dim=1), strict=True))
        stroke, along = glyphs.stroke[allograph], glyphs.along[allograph]

        level = style["speed"].long()
        rest = (style["speed"] - level)[:, None, None]
        xy = glyphs.xy[allograph, level] * (1 - rest) + glyphs.xy[allograph, level + 1] * rest
        xy = vary(xy, stroke, style, noise)

        cut = style["cut"][:, None] * noise["cut"].abs()
        inked = stroke[:, 1:] == stroke[:, :-1]
        inked &= (along[:, 1:] > cut[:, :1]) & (along[:, :-1] < 1 - cut[:, 1:])
        width = (0.5 + 0.9 * style["weight"].square()) * (1 + 0.1 * noise["weight"][:, 0])
        reach = edge(width, style["gain"])
        size = style["size"] + 0.7 * noise["size"][:, 0]
        xy = place(xy, inked, reach, is_mark, size, style["mass"], 0.3 * noise["place"], self.layout)

        along = 2 * along[:, 1:] - 1
        swing = noise["pressure"][:, :1] * along + noise["pressure"][:, 1:] * (2 * along * along - 1)
        pressure = 1 + 0.5 * style["pressure"][:, None] * swing
        dabs = (xy[:, 1:] + xy[:, :-1]) / 2
        length = (xy[:, 1:] - xy[:, :-1]).square().sum(dim=2).sqrt() * inked
        pen = (dabs, length, width[:, None] * pressure, style["gain"])
        return torch.cat([ink(*part) for part in zip(*(t.split(INK_CHUNK) for t in pen), strict=True)])


def write_set(
    characters: Sequence[str],
    count: int,
    writers: range,
    seed: int,
    layout: Literal["box", "mass"] = "box",
    allographs: bool = True,
    writer_styles: bool = True,
    warp: bool = True,
) -> tuple[Tensor, Tensor]:
    """A data set with equally many samples of every class, to within one, each by a random one of `writers`.

    Returns:
        images (count, 28, 28) uint8 and labels (count,) int64, in random order.

    Raises:
        ValueError: as PenStrokes does.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randperm(count, generator=generator) % len(characters)
    ids = torch.randint(writers.start, writers.stop, (count,), generator=generator)
    pen = PenStrokes(characters, layout, allographs, writer_styles, warp)
    return pen.draw(labels, ids, generator), labels
