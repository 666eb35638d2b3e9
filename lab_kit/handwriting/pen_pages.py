"""Pages of handwriting: lines of one imaginary writer below each other, as unevenly as people write them."""

from collections.abc import Sequence

import numpy as np
import torch

from lab_kit.handwriting.pen_line_ink import draw_lines
from lab_kit.handwriting.pen_lines import line_paths

LEADING = (19.0, 34.0)  # grid units from one writing line to the next
INDENT = 45.0  # grid units, at most, that the first line starts further right; half of the pages have none
DRIFT = 2.5  # grid units, either way, by which the left edge moves from line to line
RAGGED = 6.0  # grid units, at most, that a line starts further right, by chance
ABOVE, BELOW = 22.0, 12.0  # grid units of a line's picture above and below its writing line
MARGIN = 8  # pixels around the writing


def write_page(
    lines: Sequence[str], writer: int, generator: torch.Generator, size: tuple[int, int], largest: float = 3.0
) -> np.ndarray:
    """Write lines below each other, as large as the page allows.

    The same lines, writer and generator state give the same bytes, with any number of threads.

    Args:
        lines: what to write; in each is something other than spaces.
        writer: id >= 0.
        generator: the source of all variation.
        size: (height, width) of the page in pixels.
        largest: pixels for each grid unit, at most: a short page is not blown up to fill the paper.

    Returns:
        (height, width) uint8: white ink (255) on black (0).

    Raises:
        ValueError: a line is empty, or has a character without pen paths.
    """
    height, width = size
    chance = torch.rand(4 + len(lines), dtype=torch.float64, generator=generator).tolist()
    leading = LEADING[0] + (LEADING[1] - LEADING[0]) * chance[0]
    starts = [DRIFT * (2 * chance[1] - 1) * row + RAGGED * chance[4 + row] for row in range(len(lines))]
    starts[0] += INDENT * max(0.0, 2 * chance[2] - 1)
    starts = [start - min(starts) for start in starts]

    paths = line_paths(lines, torch.full((len(lines),), writer), generator)
    ends = torch.full((len(lines),), -torch.inf).scatter_reduce(0, paths.line, paths.x.amax(dim=1), "amax")
    begins = torch.full((len(lines),), torch.inf).scatter_reduce(0, paths.line, paths.x.amin(dim=1), "amin")
    widest = max(start + end - begin for start, begin, end in zip(starts, begins.tolist(), ends.tolist(), strict=True))
    tall = ABOVE + BELOW + leading * (len(lines) - 1)
    scale = min((width - 2 * MARGIN) / widest, (height - 2 * MARGIN) / tall, largest)

    strip = round((ABOVE + BELOW) * scale)
    pictures = draw_lines(paths, strip, scale, ABOVE / (ABOVE + BELOW))
    page = np.zeros((height, width), np.uint8)
    first = MARGIN + chance[3] * (height - 2 * MARGIN - tall * scale)
    for row, (picture, start) in enumerate(zip(pictures, starts, strict=True)):
        top, left = round(first + row * leading * scale), round(MARGIN / 2 + start * scale)
        place = page[top : top + strip, left : left + picture.shape[1]]
        np.maximum(place, picture[: place.shape[0], : place.shape[1]], out=place)
    return page


def break_lines(text: str, length: int, random: np.random.Generator) -> list[str]:
    """Break a text into lines as people do: ragged, and now and then in the middle of a long word, with a hyphen.

    Args:
        text: words with single spaces between them.
        length: the most characters of a line, at least 8.
        random: chance.
    """
    lines, words = [""], text.split()
    while words:
        word = words.pop(0)
        room = int(length * random.uniform(0.75, 1)) - len(lines[-1]) - bool(lines[-1])
        if len(word) <= room:
            lines[-1] += f" {word}" if lines[-1] else word
        elif word.isalpha() and len(word) >= 7 and room >= 4 and (not lines[-1] or random.random() < 0.4):
            cut = int(random.integers(3, min(room - 1, len(word) - 3) + 1))
            lines[-1] += f" {word[:cut]}-" if lines[-1] else f"{word[:cut]}-"
            words.insert(0, word[cut:])
            lines.append("")
        elif lines[-1]:
            words.insert(0, word)
            lines.append("")
        else:  # a long word that cannot be divided
            lines[-1] = word[:length]
            words[:0] = [word[length:]] if len(word) > length else []
            lines.append("")
    return [line for line in lines if line]
