"""Read a photo of one line: find its ink, level it, and bring it to the form in which a reader sees lines."""

import numpy as np
from PIL import Image

from lab_kit.errors import UserError
from lab_kit.photo.fit_line import fit_line
from lab_kit.photo.page import WrittenLine, find_lines

SECOND_LINE = 0.1  # of the main line's ink: with less, it does not count as another line


def prepare_line(picture: Image.Image, height: int) -> np.ndarray:
    """Return a written line as readers of natural lines see it: (height, any width) uint8, ink 255 on paper 0.

    Args:
        picture: a photo or a drawing of one line.
        height: of the result, in pixels.

    Raises:
        NoWriting: there is no ink in the picture.
        UserError: there are several lines.
    """
    return fit_line(only_line(picture).ink, height)


def only_line(picture: Image.Image) -> WrittenLine:
    """Return the line of a photo; raises NoWriting where there is none, UserError where there are several."""
    lines = written_lines(picture)
    if len(lines) > 1:
        raise UserError(
            f"There are {len(lines)} lines in this picture, and only one can be read at a time. "
            "Crop the picture to one line, or write everything in one line."
        )
    return lines[0]


def written_lines(picture: Image.Image) -> list[WrittenLine]:
    """Return the lines of a photo, from the top; one alone, if there is little ink beside it.

    Raises:
        NoWriting: there is no ink in the picture.
    """
    lines = find_lines(picture)
    inks = [int(line.ink.sum()) for line in lines]
    if sum(ink > SECOND_LINE * max(inks) for ink in inks) > 1:
        return lines
    return [lines[inks.index(max(inks))]]
