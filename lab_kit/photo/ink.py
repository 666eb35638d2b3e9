"""Extract the ink of a picture: remove paper, shadows, ruled lines and specks."""

import cv2
import numpy as np
from PIL import Image

from lab_kit.errors import UserError
from lab_kit.photo.background import dark_on_light, darkness_against_paper, grey_values
from lab_kit.photo.clutter import remove_rim, remove_shades, remove_specks
from lab_kit.photo.ruled_lines import remove_ruled_lines
from lab_kit.photo.things import find_things

LONGEST = 600  # pixels of the longer side, to which pictures are reduced first
MIN_DARKNESS = 0.08, 0.04  # of the paper's brightness: ink is darker than the paper by this share, faint ink by that,
FAINT = 0.16  # of the paper's brightness: the middles of faint strokes are no darker,
MIN_DEVIATIONS = 6  # and by at least this many standard deviations of the paper's grain
MARGIN = 12  # pixels of paper around the ink that are looked at
LOW, HIGH = 0.35, 0.6  # of the darkness in the middle of strokes: all of a stroke is darker, and some of it


class NoWriting(UserError):
    """The picture has no writing in it (status 422 in HTTP)."""

    def __init__(self) -> None:
        super().__init__("There is no writing in this picture. Write darker or larger, or hold the camera closer.")


def extract_ink(picture: Image.Image, longest: int = LONGEST) -> np.ndarray:
    """Return how much ink there is at each pixel.

    Args:
        picture: of any mode and size: dark ink on light paper, or the other way round.
        longest: pixels of the result's longer side at most; smaller pictures keep their size.

    Returns:
        (H, W) uint8: ink 255 on paper 0; the edges of strokes are grey, with 128 half way. At least one pixel is ink.

    Raises:
        NoWriting: the page is blank, or there is nothing but noise on it.
    """
    grey = dark_on_light(grey_values(picture, longest))
    darkness, grain = darkness_against_paper(grey)
    darkness = remove_ruled_lines(darkness)
    for least in MIN_DARKNESS:
        faintest = max(least, MIN_DEVIATIONS * grain)
        mask = remove_rim((darkness > faintest).astype(np.uint8))
        box = _around(mask)  # the rest is paper: passing over it saves most of the time for a small drawing
        mask, near = remove_shades(mask[box], grey[box]), darkness[box]
        level = _level(near, mask, faintest)
        if level > FAINT:
            break
    if not mask.any():
        raise NoWriting
    written = remove_specks(near * cv2.dilate(mask, np.ones((5, 5), np.uint8)) / level, LOW, HIGH)
    sharp = remove_shades((written > LOW).astype(np.uint8), grey[box])
    if not sharp.any():
        raise NoWriting
    written *= cv2.dilate(sharp, np.ones((3, 3), np.uint8))
    ink = np.zeros_like(grey)
    ink[box] = ((written - 0.15) / 0.7 * 255).clip(0, 255).round()
    return ink


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """Return where the ink of a mask (H, W) uint8 is, and a margin of paper: rows and columns."""
    left, top, width, height = cv2.boundingRect(mask)
    rows, columns = (
        slice(max(0, top - MARGIN), top + height + MARGIN),
        slice(max(0, left - MARGIN), left + width + MARGIN),
    )
    return rows, columns


def _level(darkness: np.ndarray, mask: np.ndarray, faintest: float) -> float:
    """Return how dark ink is in the middle of strokes, at least `faintest`, from the pixels that may be ink.

    Otsu's threshold (1979) separates it from what is fainter: edges, ruled lines, and ink on the back of the paper. A
    dark pen or a hole says nothing of the ink beside it.
    """
    written = mask > find_things(mask)
    dark = darkness[written if written.any() else mask > 0]
    if len(dark) < 4:
        return faintest
    levels = (dark * 255).clip(0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    return max(faintest, float(np.median(dark[levels > threshold])) if (levels > threshold).any() else 0.0)
