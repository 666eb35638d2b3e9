"""The forms of letters in a line: those of pen_paths.toml, and those that schools teach to be joined."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab_kit.handwriting.pen_glyphs import Glyphs, load_glyphs, parse_strokes, resample

SCHOOLS = ("american", "english", "german")


@dataclass(frozen=True)
class LineGlyphs:
    """All forms, as in `Glyphs`, with those of the schools behind them."""

    glyphs: Glyphs
    school: Tensor  # (schools, 128) int64: the row of a school's form of the character with this code; -1 for none

    def rows(self, character: str) -> Tensor:
        """Return the rows of all forms of a character."""
        first = self.glyphs.first[character]
        own = torch.arange(first, first + self.glyphs.count[character])
        taught = self.school[:, ord(character)]
        return torch.cat([own, taught[taught >= 0]])


@functools.cache
def line_glyphs() -> LineGlyphs:
    """Return all forms, which are read once."""
    printed = load_glyphs()
    table = tomllib.loads(Path(__file__).with_name("pen_school.toml").read_text(encoding="utf-8"))
    rows, school = [], torch.full((len(SCHOOLS), 128), -1)
    for number, name in enumerate(SCHOOLS):
        for character, strokes in table[name].items():
            school[number, ord(character)] = len(printed.xy) + len(rows)
            rows.append(resample(parse_strokes(strokes)))
    xy, stroke, along = (torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))
    together = Glyphs(
        torch.cat([printed.xy, xy.float()]),
        torch.cat([printed.stroke, stroke]),
        torch.cat([printed.along, along.float()]),
        printed.first,
        printed.count,
    )
    return LineGlyphs(together, school)
