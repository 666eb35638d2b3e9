"""Leave out what a phone shows at the top of its screen: the time at the left, and signs or a button at the right."""

import numpy as np
from PIL import Image

SHADES, ALIKE = 2, 0.5  # so few grey levels from the commonest are so many of a screen's pixels, and of no photo's
TOP = 0.2  # of the screen's height: the bar is above this,
MIDDLE = (0.25, 0.75)  # and there is nothing in it between these shares of the width


def without_status_bar(ink: np.ndarray, picture: Image.Image) -> np.ndarray:
    """Return the ink (H, W) uint8 of a picture without the bar at its top, if it is a picture of a screen."""
    height, width = ink.shape
    rows = (ink > 127).any(axis=1)
    starts, ends = np.flatnonzero(np.diff(rows.astype(np.int8), prepend=0, append=0)).reshape(-1, 2).T
    if len(starts) < 2 or ends[0] > TOP * height or starts[1] - ends[0] < ends[0] - starts[0]:
        return ink
    columns = (ink[starts[0] : ends[0]] > 127).any(axis=0)
    left, right = (int(share * width) for share in MIDDLE)
    if columns[left:right].any() or not (columns[:left].any() and columns[right:].any()) or not _is_even(picture):
        return ink
    middle = (ends[0] + starts[1]) // 2
    return np.where(np.arange(height)[:, None] < middle, 0, ink).astype(np.uint8)


def _is_even(picture: Image.Image) -> bool:
    """Return whether the ground of a picture is all of one shade, as no camera sees it."""
    shades = np.bincount(np.asarray(picture.convert("L"))[::2, ::2].ravel(), minlength=256)
    common = int(shades.argmax())
    return bool(shades[max(0, common - SHADES) : common + SHADES + 1].sum() >= ALIKE * shades.sum())
