"""Extract the ink of a picture: remove paper, shadows, ruled lines and specks."""

import cv2
import numpy as np
from PIL import Image

from lab_kit.errors import UserError
from lab_kit.photo.background import dark_on_light, darkness_against_paper, grey_values
from lab_kit.photo.clutter import remove_rim, remove_specks
from lab_kit.photo.ruled_lines import remove_ruled_lines

LONGEST = 600  # pixels of the longer side, to which pictures are reduced first
MIN_DARKNESS = 0.08  # of the paper's brightness: ink is darker than the paper by at least this share,
MIN_DEVIATIONS = 6  # and by at least this many standard deviations of the paper's grain


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
    darkness, grain = darkness_against_paper(dark_on_light(grey_values(picture, longest)))
    darkness = remove_ruled_lines(darkness)
    faintest = max(MIN_DARKNESS, MIN_DEVIATIONS * grain)
    mask = remove_rim((darkness > faintest).astype(np.uint8))
    box = _box(mask)
    mask, part = mask[box], darkness[box]
    level = _level(part[mask > 0], faintest)
    written = remove_specks(part * cv2.dilate(mask, np.ones((5, 5), np.uint8)) / level, 0.35, 0.6)
    if not written.any():
        raise NoWriting
    values = np.zeros(darkness.shape, np.uint8)
    values[box] = ((written - 0.15) / 0.7 * 255).clip(0, 255).round()
    return values


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the bounding box of a mask (H, W) uint8 as slices, with a margin of 4 pixels."""
    left, top, width, height = cv2.boundingRect(mask)
    return slice(max(0, top - 4), top + height + 4), slice(max(0, left - 4), left + width + 4)


def _level(darkness: np.ndarray, faintest: float) -> float:
    """Return how dark ink is in the middle of strokes, at least `faintest`, from the pixels that may be ink.

    Otsu's threshold (1979) separates it from what is fainter: edges, ruled lines, and ink on the back of the paper.
    """
    if len(darkness) < 4:
        raise NoWriting
    levels = (darkness * 255).clip(0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    return max(faintest, float(np.median(darkness[levels > threshold])) if (levels > threshold).any() else 0.0)
