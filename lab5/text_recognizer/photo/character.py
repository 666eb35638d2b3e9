"""One character as it looks in the data that networks have learned from."""

from typing import Literal

import cv2
import numpy as np
from PIL import Image

from text_recognizer.photo.ink import ink
from text_recognizer.photo.strokes import FINE, THICK, THIN, redraw, shrunk, stroke_width

SIDE = 28  # pixels, the size that the following numbers are for
LONGER_SIDE = {"box": 22.0, "mass": 20.0}  # of a character's box
MARK = 3.0  # times as long as its stroke is wide: less is a dot or a comma
DOT = 2.5  # pixels, the width of its stroke
SHARP = 100  # pixels: a character that is smaller in the picture as a whole is looked at from closer by


def character(picture: Image.Image, layout: Literal["box", "mass"], size: int = 28) -> np.ndarray:
    """Return a written character at the place and the size, and with the pen, of the characters in a data set.

    It is not turned or slanted otherwise: a 7 could become a 1, and networks have seen all of that.

    Args:
        picture: a photo or a drawing.
        layout: "box": its box has a longer side of 22 pixels and is in the middle, as EMNIST's and the pen strokes'
            (there 19 to 25). "mass": 20 pixels, and the middle of its ink is in the middle, as MNIST's. What is hardly
            longer than its stroke is wide, such as a dot, keeps the width of a pen and does not fill the box.
        size: pixels of the sides; lengths are for 28, and grow with it.

    Returns:
        (size, size) uint8: ink 255 on paper 0.

    Raises:
        NoWriting: there is nothing in the picture.
    """
    written = _close_up(picture)
    mask = (written > 127).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    written = np.pad(written, 1)[top : top + height + 2, left : left + width + 2]  # with grey edges
    stroke, longer = stroke_width(mask), max(width, height)
    unit = FINE * size / SIDE
    if longer < MARK * stroke:
        scale, pen = DOT * unit / stroke, DOT * unit
    else:
        scale = LONGER_SIDE[layout] * unit / longer
        for _ in range(3):  # the box is as large as the path of the pen and the pen itself
            pen = min(max(stroke * scale, THIN * unit), THICK * unit)
            scale = (LONGER_SIDE[layout] * unit - pen) / (longer - stroke)
    drawing = redraw(written, scale, pen - stroke * scale)
    x, y = _middle(drawing, layout)
    side = size * FINE
    move = np.float32([[1, 0, side / 2 - x], [0, 1, side / 2 - y]])
    return shrunk(cv2.warpAffine(drawing, move, (side, side), flags=cv2.INTER_LINEAR))


def _close_up(picture: Image.Image) -> np.ndarray:
    """Return the ink of a picture (H, W) uint8; of a small character in a large picture, only its surroundings."""
    written = ink(picture)
    left, top, width, height = cv2.boundingRect((written > 127).astype(np.uint8))
    share, longer = max(picture.size) / max(written.shape), max(width, height)
    if share <= 1 or longer >= SHARP:
        return written
    box = [max(0, left - longer), max(0, top - longer), left + width + longer, top + height + longer]
    return ink(
        picture.crop([min(round(place * share), side) for place, side in zip(box, 2 * picture.size, strict=True)])
    )


def _middle(drawing: np.ndarray, layout: str) -> tuple[float, float]:
    """Return the column and row of what goes into the middle, in places from the drawing's left and upper edge."""
    if layout == "mass":
        sums = cv2.moments(drawing)
        return sums["m10"] / sums["m00"] + 0.5, sums["m01"] / sums["m00"] + 0.5
    left, top, width, height = cv2.boundingRect((drawing > 0.4).astype(np.uint8))
    return left + width / 2, top + height / 2
