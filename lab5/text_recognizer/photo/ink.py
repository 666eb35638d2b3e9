"""What was written, without what it was written on."""

import cv2
import numpy as np
from PIL import Image

from text_recognizer.errors import UserError
from text_recognizer.photo.clutter import without_rim, without_specks
from text_recognizer.photo.paper import against_paper, dark_on_light, grey_values

LONGEST = 600  # pixels of the longer side at which a picture is looked at
FAINTEST = 0.08  # share of the paper's brightness by which ink must differ from it
GRAINS = 6  # standard deviations of the paper's grain by which it must do so, too


class NoWriting(UserError):
    """A picture in which nothing is written (422 in HTTP)."""

    def __init__(self) -> None:
        super().__init__("There is no writing in this picture. Write darker, or larger, or closer to the camera.")


def ink(picture: Image.Image, longest: int = LONGEST) -> np.ndarray:
    """Return how much ink there is at each place.

    Args:
        picture: of any mode and size: dark ink on light paper, or the other way round.
        longest: pixels of the longer side of what is returned; smaller pictures stay as large as they are.

    Returns:
        (H, W) uint8: ink 255 on paper 0, with grey edges, half way at 128. There is some.

    Raises:
        NoWriting: the page is blank, or there is nothing but grain on it.
    """
    darkness, grain = against_paper(dark_on_light(grey_values(picture, longest)))
    if grain > 0.01:
        darkness = cv2.GaussianBlur(darkness, (0, 0), 1)
        grain /= 2
    faintest = max(FAINTEST, GRAINS * grain)
    seen = without_rim((darkness > faintest).astype(np.uint8))
    box = _box(seen)
    seen, part = seen[box], darkness[box]
    level = _level(part[seen > 0], faintest)
    written = without_specks(part * cv2.dilate(seen, np.ones((5, 5), np.uint8)) / level, 0.35, 0.6)
    if not written.any():
        raise NoWriting
    values = np.zeros(darkness.shape, np.uint8)
    values[box] = ((written - 0.15) / 0.7 * 255).clip(0, 255).round()
    return values


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the part of a mask (H, W) uint8 that holds all of it, and a little paper around."""
    left, top, width, height = cv2.boundingRect(mask)
    return slice(max(0, top - 4), top + height + 4), slice(max(0, left - 4), left + width + 4)


def _level(darkness: np.ndarray, faintest: float) -> float:
    """Return how dark the ink is in the middle of its strokes, where there may be fainter things besides it.

    Otsu's threshold (1979) parts what is dark from edges, ruled lines and what shines through the paper.
    """
    if len(darkness) < 4:
        raise NoWriting
    levels = (darkness * 255).clip(0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    return max(faintest, float(np.median(darkness[levels > threshold])) if (levels > threshold).any() else 0.0)
