"""Lines of handwriting, as imaginary writers write them: natural widths, joined letters, an uneven writing line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab_kit.handwriting import pen_set
from lab_kit.handwriting.pen_joins import JOIN_POINTS, choose_forms, join_curves, willing_to_join
from lab_kit.handwriting.pen_layout import BASELINE_Y
from lab_kit.handwriting.pen_line_ink import LinePaths, draw_lines
from lab_kit.handwriting.pen_line_style import LINE_NOISE, line_style
from lab_kit.handwriting.pen_school import line_glyphs
from lab_kit.handwriting.pen_writers import NOISE, vary_strokes

LINES_AT_ONCE = 64  # so that their data fits into memory that is fast
LINE_CHANCES = 8  # random numbers of a line
LEAST_SPACE = 1.2  # gaps between letters: what stands between words besides is not less
SMALL_HEIGHT = 8  # grid units, from the writing line to the top of small letters
# The files that decide how lines look.
CODE_FILES = (
    *pen_set.CODE_FILES,
    *(
        Path(__file__).with_name(name)
        for name in ("pen_lines.py", "pen_line_ink.py", "pen_line_style.py", "pen_joins.py", "pen_school.py",
                     "pen_school.toml")
    ),
)  # fmt: skip
WAVES = ((0.04, 1.0), (0.1, 0.5))  # of the writing line: radians per grid unit, and height


@dataclass
class Characters:
    """The characters of several lines, one line after the other, without the spaces: M of them.

    Attributes:
        code: (M,) int64, as `ord` gives it.
        line: (M,) int64, the number of its line.
        word: (M,) int64, the place in this list of the first character of its word.
        spaces: (M,) int64, how many spaces come before it; 0 for the first of a line.
        first: (lines,) int64, the place of the first character of each line.
    """

    code: Tensor
    line: Tensor
    word: Tensor
    spaces: Tensor
    first: Tensor


def write_lines(texts: Sequence[str], writers: Tensor, generator: torch.Generator, height: int) -> list[np.ndarray]:
    """Write each text as one line, which fills the height of its picture.

    The same texts, writers and generator state give the same bytes, with any number of threads.

    Args:
        texts: what to write; in each is something other than spaces.
        writers: (N,) int64, writer ids >= 0.
        generator: the source of the variation from letter to letter.
        height: of the pictures, in pixels.

    Returns:
        N pictures (height, any width) uint8: white ink (255) on black (0).

    Raises:
        ValueError: a text is empty, or has a character without pen paths.
    """
    pictures = []
    for start in range(0, len(texts), LINES_AT_ONCE):
        part = slice(start, start + LINES_AT_ONCE)
        pictures += draw_lines(line_paths(texts[part], writers[part], generator), height)
    return pictures


def split_characters(texts: Sequence[str]) -> Characters:
    """Return the characters of the texts.

    Raises:
        ValueError: a text is empty, or has a character without pen paths.
    """
    if missing := set("".join(texts)) - set(line_glyphs().glyphs.count):
        raise ValueError(f"there are no pen paths for {sorted(missing)}")
    if not all(map(str.strip, texts)):
        raise ValueError("a line without a character cannot be written")
    codes = np.frombuffer("\n".join(texts).encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    places = np.flatnonzero((codes != ord("\n")) & (codes != ord(" ")))
    line = np.cumsum(codes == ord("\n"))[places]
    begins = np.diff(line, prepend=-1) > 0
    spaces = np.where(begins, 0, np.diff(places, prepend=-1) - 1)
    word = np.maximum.accumulate(np.where(begins | (spaces > 0), np.arange(len(places)), 0))
    return Characters(*map(torch.from_numpy, (codes[places], line, word, spaces, np.flatnonzero(begins))))


def line_paths(texts: Sequence[str], writers: Tensor, generator: torch.Generator) -> LinePaths:
    """Return the way of the pen through lines of text; arguments as in `write_lines`."""
    characters = split_characters(texts)
    line, count = characters.line, len(characters.code)
    purposes = NOISE | {f"line_{purpose}": numbers for purpose, numbers in LINE_NOISE.items()}
    random = torch.rand(count, sum(purposes.values()), dtype=torch.float64, generator=generator)
    chance = (2 * torch.rand(len(texts), LINE_CHANCES, dtype=torch.float64, generator=generator) - 1).float()
    of_lines = line_style(writers)
    style = {trait: values[line] for trait, values in of_lines.items()}
    noise = dict(zip(purposes, (2 * random - 1).float().split(list(purposes.values()), dim=1), strict=True))

    form = choose_forms(characters.code, writers[line], style, random[:, :4])
    joined = willing_to_join(characters.code, characters.word, style, random[:, -1])
    x, y = _letters(form, style, noise)
    x = x + _places(characters, x, style, noise)[:, None]
    y = y + _heights(x, style, noise, chance[line])
    curves, joined = join_curves(torch.stack([x, y], dim=2), form, joined)
    x, y = torch.cat([curves[..., 0], x], dim=1), torch.cat([curves[..., 1], y], dim=1)
    lean = style["slant"] + 0.3 * style["turn"] + style["sway"] * noise["line_lean"][characters.word, 0]
    x = x - (lean + 0.05 * style["tremor"] * noise["slant"][:, 0])[:, None] * y

    stroke, along = line_glyphs().glyphs.stroke[form], 2 * line_glyphs().glyphs.along[form][:, 1:] - 1
    inked = torch.cat([joined[:, None].expand(-1, JOIN_POINTS), stroke[:, 1:] == stroke[:, :-1]], dim=1)
    swing = noise["pressure"][:, :1] * along + noise["pressure"][:, 1:] * (2 * along * along - 1)
    pressure = torch.cat([torch.ones(count, JOIN_POINTS), 1 + 0.5 * style["pressure"][:, None] * swing], dim=1)
    pressure = pressure * (1 + 0.06 * noise["weight"])
    return LinePaths(x, y, inked, pressure, line, of_lines, chance)


def _letters(form: Tensor, style: dict[str, Tensor], noise: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the points (M, P) of each letter by itself, upright: x from its left edge, y from the writing line."""
    glyphs = line_glyphs().glyphs
    level = style["speed"].long()
    rest = (style["speed"] - level)[:, None, None]
    xy = glyphs.xy[form, level] * (1 - rest) + glyphs.xy[form, level + 1] * rest
    calm = style | {trait: style[trait] * style["tremor"] for trait in ("waves", "bend", "drift")}
    calm |= {trait: torch.zeros(len(form)) for trait in ("slant", "turn")}  # the whole line leans, not each letter
    xy = vary_strokes(xy, glyphs.stroke[form], calm, {k: v * style["tremor"][:, None] for k, v in noise.items()})
    x, y = xy[..., 0], xy[..., 1] - BASELINE_Y
    small, tall, tail = (style[trait][:, None] for trait in ("small", "tall", "tail"))
    size = 1 + (style["uneven"] * noise["line_uneven"][:, 0])[:, None]
    y = size * (small * y.clamp(-SMALL_HEIGHT, 0) + tall * (y + SMALL_HEIGHT).clamp(max=0) + tail * y.clamp(min=0))
    return size * small.sqrt() * (x - x.amin(dim=1, keepdim=True)), y


def _places(characters: Characters, x: Tensor, style: dict[str, Tensor], noise: dict[str, Tensor]) -> Tensor:
    """Return (M,) where the left edge of each letter goes, beside the letter before it."""
    gap = style["gap"] * (1 + 0.4 * noise["line_gap"][:, 0])
    space = style["space"].maximum(LEAST_SPACE * style["gap"])
    gap = gap + characters.spaces * space * (1 + 0.3 * noise["line_space"][:, 0])
    end = torch.cumsum((gap + x.amax(dim=1)).double(), dim=0)
    left = end - x.amax(dim=1)
    return (left - left[characters.first][characters.line]).float()


def _heights(x: Tensor, style: dict[str, Tensor], noise: dict[str, Tensor], chance: Tensor) -> Tensor:
    """Return (M, 1) how far each letter is below a straight writing line: that wanders and slopes, and letters hop."""
    far = x.mean(dim=1, keepdim=True).double()
    wander = torch.zeros_like(far)
    for k, (pace, high) in enumerate(WAVES):
        wander += high * chance[:, 2 * k, None] * torch.sin(pace * far + 3 * chance[:, 2 * k + 1, None])
    fall = style["wander"][:, None] * wander + style["slope"][:, None] * far
    return fall.float() + style["hop"][:, None] * noise["line_hop"]
