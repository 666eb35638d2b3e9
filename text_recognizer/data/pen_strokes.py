"""Handwriting without a data set: pen paths, drawn by seeded imaginary writers.

A *writer* is a style: a slant, a pen, a size, habits. A sample is a writer plus the variation from one letter to the
next. `python -m text_recognizer.data.pen_strokes --save sheet.png` draws a contact sheet.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from text_recognizer.data.pen_glyphs import POINTS, SMOOTHING, STROKES, load_glyphs
from text_recognizer.data.pen_ink import SIZE, edge, ink

VERSION = 1  # part of every cache key: raise it whenever the drawing changes
CHUNK, INK_CHUNK = 1024, 128  # samples placed and inked at a time: what they need fits the processor's cache
WAVES = 5  # slow waves along the path
MIDDLE = (SIZE - 1) / 2  # pixels are unit squares centred on whole numbers
BASELINE, UNIT = 22.5, 1.25  # where marks stand: the baseline's pixel row and the pixels per unit of the writing grid

# What makes a writer: the lowest and the highest value of each trait; values in the middle are the commonest.
STYLE = {
    "slant": (-0.25, 0.55),  # pixels to the right per pixel of height
    "turn": (-0.12, 0.12),  # radians, nearly
    "aspect": (0.65, 1.4),  # width of the letters
    "size": (18.5, 26.5),  # pixels, the longer side of a letter's box
    "width": (0.5, 1.15),  # pixels, standard deviation of a dab
    "gain": (1.2, 3.2),  # overexposure: low is a soft pencil, high a crisp pen
    "pressure": (0.0, 0.35),  # by how much the width varies along a letter
    "speed": (0.0, len(SMOOTHING) - 1.01),  # level of smoothing: a fast hand cuts corners
    "waves": (0.0, 0.5),  # grid units, unsteadiness along the path
    "bend": (0.0, 0.12),  # curvature of the page's two directions
    "drift": (0.0, 0.9),  # grid units, how far strokes land from where they belong
    "cut": (0.0, 0.1),  # share of a stroke that is missing at either end
    "mass": (-0.5, 0.9),  # 0: letters are centred by their box, 1: by their centre of mass
}

# How many random numbers a sample takes for each purpose.
NOISE = {
    "allograph": 2,
    "slant": 1,
    "turn": 1,
    "aspect": 1,
    "size": 1,
    "width": 1,
    "pressure": 2,
    "waves": 4 * WAVES,
    "bend": 6,
    "drift": 2 * STROKES,
    "stretch": 2 * STROKES,
    "cut": 2,
    "place": 2,
}


def hashed(keys: Tensor) -> Tensor:
    """Uniform random numbers in [0, 1), float64, each a pure function of its int64 key (SplitMix64's finaliser)."""
    z = keys * -7046029254386353131  # wraps around, as intended; constants are 64-bit words read as signed
    z = (z ^ ((z >> 30) & (1 << 34) - 1)) * -4658895280553007687
    z = (z ^ ((z >> 27) & (1 << 37) - 1)) * -7723592293110705685
    z = z ^ ((z >> 31) & (1 << 33) - 1)
    return ((z >> 11) & (1 << 53) - 1).double() / (1 << 53)


def writer_style(writers: Tensor) -> Tensor:
    """(N,) writer ids -> (N, traits) float32 in [0, 1]; a writer has the same traits whoever else is asked for."""
    columns = torch.arange(2 * len(STYLE))
    u = hashed(writers[:, None] * 4096 + columns).unflatten(1, (len(STYLE), 2))
    return u.mean(dim=2).float()  # TODO


def path_waves() -> Tensor:
    """(2 WAVES, POINTS) float32: half a wave, one, ... along the path, in sine and cosine, weaker as they quicken."""
    rows = []
    for k in range(1, WAVES + 1):
        angles = [math.pi * k * i / (POINTS - 1) for i in range(POINTS)]
        rows += [[f(a) / k for a in angles] for f in (math.sin, math.cos)]
    return torch.tensor(rows)


class PenStrokes:
    """Handwriting drawn by imaginary writers: pen paths + a writer's style + variation from letter to letter.

    Args:
        characters: what the labels stand for, in order; each must be in pen_paths.toml.
        layout: "emnist" puts a letter's box into the middle, as EMNIST does; "mnist" its centre of mass, in a
            20-pixel box, as MNIST does. Marks keep their size and height on the line in both.
        allographs: False: only the commonest form of each character.
        writers: False: everyone writes in the average style.
        warp: False: no variation from letter to letter.

    Raises:
        ValueError: for a character without pen paths or an unknown layout.
    """

    def __init__(
        self,
        characters: Sequence[str],
        layout: Literal["emnist", "mnist"] = "emnist",
        allographs: bool = True,
        writers: bool = True,
        warp: bool = True,
    ) -> None:
        if layout not in ("emnist", "mnist"):
            raise ValueError(f"layout must be 'emnist' or 'mnist', not '{layout}'")
        self.characters = tuple(characters)
        self.layout = layout
        self.allographs = allographs
        self.writers = writers
        self.warp = warp

    def draw(self, labels: Tensor, writers: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one image per label.

        The same labels, writers and generator state give the same bytes, whatever the number of threads and however
        the samples are spread over calls.

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
            raise ValueError(f"no pen paths for {missing}")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.characters):
            raise ValueError(f"labels must lie in 0..{len(self.characters) - 1}")
        if labels.shape != writers.shape or (len(writers) and int(writers.min()) < 0):
            raise ValueError("writers must be one id >= 0 for each label")
        noise = torch.rand(len(labels), sum(NOISE.values()), dtype=torch.float64, generator=generator)
        allograph = self._choose_allograph(labels, writers, noise[:, :2])
        noise = (2 * noise - 1).float() * self.warp
        style = writer_style(writers) if self.writers else torch.full((len(labels), len(STYLE)), 0.5)
        low, high = torch.tensor(list(STYLE.values())).T
        style = low + (high - low) * style
        is_mark = torch.tensor([not c.isalnum() for c in self.characters])[labels]
        blank = torch.tensor([glyphs.count[c] == 0 for c in self.characters])[labels]
        images = torch.zeros(len(labels), SIZE, SIZE, dtype=torch.uint8)
        for part in torch.arange(len(labels))[~blank].split(CHUNK):
            images[part] = self._draw_chunk(
                allograph[part],
                is_mark[part],
                dict(zip(STYLE, style[part].unbind(1), strict=True)),
                dict(zip(NOISE, noise[part].split(list(NOISE.values()), dim=1), strict=True)),
            )
        return images

    def _draw_chunk(
        self, allograph: Tensor, is_mark: Tensor, style: dict[str, Tensor], noise: dict[str, Tensor]
    ) -> Tensor:
        glyphs = load_glyphs()
        stroke, along = glyphs.stroke[allograph], glyphs.along[allograph]
        level = style["speed"].long()
        rest = (style["speed"] - level)[:, None, None]
        xy = glyphs.xy[allograph, level] * (1 - rest) + glyphs.xy[allograph, level + 1] * rest
        xy = self._vary(xy, stroke, style, noise)
        inked = stroke[:, 1:] == stroke[:, :-1]
        cut = style["cut"][:, None] * (noise["cut"].abs())
        inked &= (along[:, 1:] > cut[:, :1]) & (along[:, :-1] < 1 - cut[:, 1:])

        width = style["width"] * (1 + 0.1 * noise["width"][:, 0])
        gain = style["gain"]
        xy = self._place(xy, inked, edge(width, gain), is_mark, style, noise)
        middle = (xy[:, 1:] + xy[:, :-1]) / 2
        length = ((xy[:, 1:] - xy[:, :-1]).square().sum(dim=2)).sqrt() * inked
        swing = noise["pressure"][:, :1] * (2 * along[:, 1:] - 1) + noise["pressure"][:, 1:] * (
            1 - 8 * along[:, 1:] * (1 - along[:, 1:])
        )
        pressure = 1 + 0.5 * style["pressure"][:, None] * swing
        parts = zip(*(t.split(INK_CHUNK) for t in (middle, length, width[:, None] * pressure, gain)), strict=True)
        return torch.cat([ink(*part) for part in parts])

    def _choose_allograph(self, labels: Tensor, writers: Tensor, noise: Tensor) -> Tensor:
        """(N,) rows of the glyph table: mostly the writer's own form of the character, now and then another one."""
        glyphs = load_glyphs()
        first = torch.tensor([glyphs.first[c] for c in self.characters])[labels]
        if not self.allographs:
            return first
        count = torch.tensor([glyphs.count[c] for c in self.characters])[labels]
        habit = hashed(writers * 4096 + 2048 + torch.tensor([ord(c) for c in self.characters])[labels])
        u = torch.where((noise[:, 0] < 0.8) & self.writers, habit, noise[:, 1])
        return first + (count * u * (0.7 + 0.3 * u)).long()  # the first forms are the commonest

    def _vary(self, xy: Tensor, stroke: Tensor, style: dict[str, Tensor], noise: dict[str, Tensor]) -> Tensor:
        """Move the points (N, P, 2) as the hand does: stroke by stroke, along the path, and as a whole."""
        drift = style["drift"][:, None] * noise["drift"]
        stretch = 1 + 0.12 * noise["stretch"]
        low, high = xy.amin(dim=1, keepdim=True), xy.amax(dim=1, keepdim=True)
        middle, half = (low + high) / 2, ((high - low).amax(dim=2, keepdim=True) / 2).clamp(min=0.5)
        size = (half[:, :, 0] / 7).clamp(max=1)  # of a mark compared with a letter: small marks vary less
        x = (xy[..., 0] - middle[..., 0]) * stretch.gather(1, stroke) + drift.gather(1, stroke) * size
        y = (xy[..., 1] - middle[..., 1]) * stretch.gather(1, stroke + STROKES) + drift.gather(
            1, stroke + STROKES
        ) * size
        for k, wave in enumerate(path_waves()):
            x = x + (style["waves"] * noise["waves"][:, k])[:, None] * wave * size
            y = y + (style["waves"] * noise["waves"][:, k + 2 * WAVES])[:, None] * wave * size
        u, v = x / half[..., 0], y / half[..., 0]
        bend = (style["bend"][:, None] * noise["bend"])[..., None] * half
        x = x + bend[:, 0] * u * u + bend[:, 1] * u * v + bend[:, 2] * v * v
        y = y + bend[:, 3] * u * u + bend[:, 4] * u * v + bend[:, 5] * v * v
        slant = style["slant"] + 0.12 * noise["slant"][:, 0]
        turn = style["turn"] + 0.08 * noise["turn"][:, 0]
        x = x * (style["aspect"] * (1 + 0.15 * noise["aspect"][:, 0]))[:, None] - slant[:, None] * y
        x, y = x - turn[:, None] * y, y + turn[:, None] * x
        return torch.stack([x, y], dim=2) + middle

    def _place(
        self,
        xy: Tensor,
        inked: Tensor,
        margin: Tensor,
        is_mark: Tensor,
        style: dict[str, Tensor],
        noise: dict[str, Tensor],
    ) -> Tensor:
        """From grid units to pixels: fit letters into their box and centre them, set marks on the line."""
        touched = torch.cat([inked[:, :1], inked[:, 1:] | inked[:, :-1], inked[:, -1:]], dim=1)[..., None]
        low = xy.masked_fill(~touched, math.inf).amin(dim=1)
        high = xy.masked_fill(~touched, -math.inf).amax(dim=1)
        size = 20.0 if self.layout == "mnist" else (style["size"] + 0.7 * noise["size"][:, 0]).clamp(max=25.5)
        letter_unit = (size - 2 * margin) / (high - low).amax(dim=1).clamp(min=1)
        unit = torch.where(is_mark, UNIT * style["size"] / 22, letter_unit)[:, None]
        middle = (low + high) / 2

        # Whole numbers again, so that the sums do not depend on their order.
        weights = (((xy[:, 1:] - xy[:, :-1]).square().sum(dim=2)).sqrt() * inked * 64).round().double()
        places = ((xy[:, 1:] + xy[:, :-1]) * 32).round().double()
        mass = (places * weights[..., None]).sum(dim=1) / weights.sum(dim=1, keepdim=True) / 64
        offset = (middle - mass.float()) * unit
        if self.layout == "mnist":
            offset = offset.clamp(-3.5, 3.5)
        else:
            offset = (style["mass"].clamp(min=0)[:, None] * offset).clamp(-1.2, 1.2) + 0.5 * noise["place"]
            room = (SIZE / 2 - 1 - size / 2).clamp(min=0)[:, None]
            offset = torch.minimum(torch.maximum(offset, -room), room)
        line = BASELINE + (middle[:, 1] - 14) * unit[:, 0] + noise["place"][:, 1]
        limit = MIDDLE - 1 - margin - (high - low)[:, 1] * unit[:, 0] / 2
        line = torch.minimum(torch.maximum(line, MIDDLE - limit), MIDDLE + limit)
        x = MIDDLE + torch.where(is_mark, noise["place"][:, 0], offset[:, 0])
        y = torch.where(is_mark, line, MIDDLE + offset[:, 1])
        return (xy - middle[:, None]) * unit[:, None] + torch.stack([x, y], dim=1)[:, None]


def write_set(
    characters: Sequence[str],
    count: int,
    writers: range,
    seed: int,
    layout: Literal["emnist", "mnist"] = "emnist",
    allographs: bool = True,
    style: bool = True,
    warp: bool = True,
) -> tuple[Tensor, Tensor]:
    """A data set in which every class has equally many samples, to within one, each by a random one of `writers`.

    Returns:
        images (count, 28, 28) uint8 and labels (count,) int64, in random order.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randperm(count, generator=generator) % len(characters)
    ids = torch.randint(writers.start, writers.stop, (count,), generator=generator)
    return PenStrokes(characters, layout, allographs, style, warp).draw(labels, ids, generator), labels


def main() -> None:
    """Draw a contact sheet of all characters."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--save", required=True, help="the picture's file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=12, help="samples of each character")
    args = parser.parse_args()

    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    characters = [c for c, count in load_glyphs().count.items() if count]
    columns = 3
    rows = math.ceil(len(characters) / columns)
    generator = torch.Generator().manual_seed(args.seed)
    labels = torch.arange(len(characters)).repeat_interleave(args.samples)
    writers = torch.arange(args.samples).repeat(len(characters)) + 1000 * args.seed
    images = PenStrokes(characters).draw(labels, writers, generator)
    strips = images.unflatten(0, (len(characters), args.samples)).permute(0, 2, 1, 3).flatten(2)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * (args.samples + 1) * 0.42, rows * 0.44))
    for axis in axes.flat:
        axis.axis("off")
    for i, (character, strip) in enumerate(zip(characters, strips, strict=True)):
        axis = axes[i % rows, i // rows]
        axis.imshow(255 - strip, cmap="gray", vmin=0, vmax=255)
        axis.text(-10, 14, character, ha="right", va="center", fontsize=13, family="monospace", color="tab:red")
    figure.subplots_adjust(0.03, 0.01, 0.99, 0.99, wspace=0.06, hspace=0.05)
    figure.savefig(args.save, dpi=110)


if __name__ == "__main__":
    main()
