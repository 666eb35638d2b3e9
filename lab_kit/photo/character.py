"""Normalize a photographed or drawn character: position, size and stroke width as in the training data."""

from typing import Literal

import cv2
import numpy as np
from PIL import Image

from lab_kit.photo.groups import one_character
from lab_kit.photo.ink import NoWriting, extract_ink
from lab_kit.photo.sheet import straighten
from lab_kit.photo.strokes import MAX_STROKE, MIN_STROKE, SUPERSAMPLING, downsample, redraw, stroke_width

SIDE = 28  # pixels: the other lengths here are for a picture of this size
LONGER_SIDE = {"box": 22.0, "mass": 20.0}  # pixels of the longer side of a character's bounding box
MARK_RATIO = 3.0  # ink that is shorter than this many stroke widths is a dot or a comma
MARK_STROKE = 2.5  # pixels, the stroke width of a dot or a comma
LEAST = 4  # pixels of ink, or the network would see next to nothing
MIN_DETAIL = 100  # pixels: a character that is smaller in the reduced picture is cut out of the full one


def prepare_character(picture: Image.Image, layout: Literal["box", "mass"], size: int = 28) -> np.ndarray:
    """Return a written character with the position, size and stroke width of the characters in a data set.

    It is not rotated, and its slant stays: a 7 could become a 1, and networks have learned from all slants.

    Args:
        picture: a photo or a drawing of one character.
        layout: "box": the longer side of its bounding box has 22 pixels, and the box is centred, as in EMNIST and in
            the pen strokes (where it has 19 to 25). "mass": 20 pixels, and the centre of mass of the ink is centred, as
            in MNIST. Ink that is hardly longer than its stroke is wide, such as a dot, gets a normal stroke width and
            does not fill the box.
        size: pixels of the result's sides. The lengths above are for 28, and are scaled with it.

    Returns:
        (size, size) uint8: ink 255 on paper 0.

    Raises:
        NoWriting: there is no ink in the picture, or next to none.
        TwoCharacters: there is more than one character.
    """
    seen = draw_character(_close_up(picture), layout, size)
    if (seen > 127).sum() < LEAST:
        raise NoWriting
    return seen


def draw_character(written: np.ndarray, layout: Literal["box", "mass"], size: int = 28) -> np.ndarray:
    """Return the ink of a character, (H, W) uint8 with some above 127, as `prepare_character` does that of a photo."""
    mask = (written > 127).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    # 1 pixel more on each side, for the grey edges
    written = np.pad(written, 1)[top : top + height + 2, left : left + width + 2]
    stroke, longer = stroke_width(mask), max(width, height)
    unit = SUPERSAMPLING * size / SIDE
    if longer < MARK_RATIO * stroke:
        scale, pen = MARK_STROKE * unit / stroke, MARK_STROKE * unit
    else:
        scale = LONGER_SIDE[layout] * unit / longer
        for _ in range(3):  # size of the box = size of the pen's path + width of the pen, which depends on the scale
            pen = min(max(stroke * scale, MIN_STROKE * unit), MAX_STROKE * unit)
            scale = (LONGER_SIDE[layout] * unit - pen) / (longer - stroke)
    drawing = redraw(written, scale, pen - stroke * scale)
    x, y = _middle(drawing, layout)
    side = size * SUPERSAMPLING
    move = np.float32([[1, 0, side / 2 - x], [0, 1, side / 2 - y]])
    return downsample(cv2.warpAffine(drawing, move, (side, side), flags=cv2.INTER_LINEAR))


def _close_up(picture: Image.Image) -> np.ndarray:
    """Return the ink of a character (H, W) uint8; if it is small in a large picture, of a crop around it."""
    sheet = straighten(picture)
    written = one_character(extract_ink(sheet))
    left, top, width, height = cv2.boundingRect((written > 127).astype(np.uint8))
    share, longer = max(sheet.size) / max(written.shape), max(width, height)
    if share <= 1 or longer >= MIN_DETAIL:
        return written
    box = [max(0, left - longer), max(0, top - longer), left + width + longer, top + height + longer]
    near = sheet.crop([min(round(place * share), side) for place, side in zip(box, 2 * sheet.size, strict=True)])
    detailed = extract_ink(near)
    found = cv2.dilate(written[box[1] : box[3], box[0] : box[2]], np.ones((5, 5), np.uint8))
    detailed[cv2.resize(found, detailed.shape[::-1]) < 128] = 0
    return detailed if detailed.max(initial=0) > 127 else written


def _middle(drawing: np.ndarray, layout: str) -> tuple[float, float]:
    """Return the point (column, row) of the drawing that the layout puts in the centre, from its upper left corner."""
    if layout == "mass":
        sums = cv2.moments(drawing)
        return sums["m10"] / sums["m00"] + 0.5, sums["m01"] / sums["m00"] + 0.5
    left, top, width, height = cv2.boundingRect((drawing > 0.4).astype(np.uint8))
    return left + width / 2, top + height / 2
