"""What was written on: how bright it is at each place, and how grainy; paper, or a board."""

import cv2
import numpy as np
from PIL import Image

COARSE = 160  # sides of a square with the area at which brightness is estimated, in pixels: it changes slowly
COARSEST = 40  # the same, at which ink and paper are told apart. The picture of one line is long, and must stay high
WIDE = 4  # strokes are thinner than a quarter of the picture's shorter side
DARKEST = 24.0  # grey levels: what is darker than this is taken for this bright, or its noise would pass for ink


def grey_values(picture: Image.Image, longest: int) -> np.ndarray:
    """Return grey levels (H, W) uint8; pictures longer than `longest` pixels are made so small."""
    return _coarse(np.asarray(picture.convert("L")), longest)


def dark_on_light(grey: np.ndarray) -> np.ndarray:
    """Return the picture with dark ink on light paper, whichever way it was.

    Of what differs from its wide surroundings, ink differs more, and paper is more: so the differences lean to the
    side of the ink (their third moment has its sign).
    """
    small = _coarse(grey, _longest(grey, COARSEST))
    side = min(max(small.shape) // 2, min(small.shape)) | 1  # in a long picture, a wider one would hold a shadow's edge
    around = cv2.medianBlur(cv2.copyMakeBorder(small, *[side // 2] * 4, cv2.BORDER_REFLECT), side)
    height, width = small.shape
    around = around[side // 2 : side // 2 + height, side // 2 : side // 2 + width]
    differences = small.astype(np.float32) - around
    return 255 - grey if (differences**3).mean() > 0 else grey


def against_paper(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Return how much darker than the paper each place is, and how much of that the paper's grain explains.

    The brightness of the paper is a closing of the picture: the brightest of each neighbourhood that is wider than
    strokes are.

    Args:
        grey: (H, W) uint8, dark ink on light paper.

    Returns:
        (H, W) float32, as a share of the paper's brightness: about 0 on the paper, at most 1; and the standard
        deviation of that on the paper.
    """
    small = cv2.GaussianBlur(_coarse(grey, _longest(grey, COARSE)), (3, 3), 0)
    side = max(3, min(small.shape) // WIDE | 1)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    paper = cv2.blur(paper, (side // 2 | 1, side // 2 | 1))  # a twentieth of the time that a Gaussian takes
    paper = cv2.resize(paper, grey.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    darkness = 1 - grey / cv2.max(paper, DARKEST)
    sample = darkness[::3, ::3]
    middle = np.median(sample)  # above 0: a closing takes the brightest grains for the paper
    grain = 1.4826 * float(np.median(np.abs(sample - middle)))
    return darkness - middle, grain


def _coarse(grey: np.ndarray, longest: int) -> np.ndarray:
    share = longest / max(grey.shape)
    return grey if share >= 1 else cv2.resize(grey, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def _longest(grey: np.ndarray, side: int) -> int:
    """Return the longer side of a picture that has the shape of `grey` and the area of a square, in pixels."""
    height, width = grey.shape
    return max(side, round(side * (max(height, width) / min(height, width)) ** 0.5))
