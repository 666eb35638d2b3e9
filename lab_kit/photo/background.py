"""Estimate the background of a picture: how bright and how grainy the paper is, and whether it is a dark board."""

import cv2
import numpy as np
from PIL import Image

# Pictures are reduced to the area of a square with sides of so many pixels. (A limit for the longer side would leave
# too few rows of the picture of a single line.)
POLARITY_SIDE = 192  # to decide which of ink and paper is darker. With fewer, the squares of a page would blur
STEP = 0.25  # of its logarithm: a smaller difference from its surroundings can be the soft edge of a shadow
MOST_INK = 0.4  # of the picture is ink, at most, if all of its rim is paper
CLEARLY = 2.0  # times as much must be lighter as is darker, for the ink to be lighter
MAX_STROKE_SHARE = 1 / 4  # of the picture's shorter side: strokes are thinner than this
FINE_GRAIN = 0.004  # of the paper's brightness: more noise than this is blurred away
INKED = 0.2  # of the paper's brightness: what is darker may be the ink of a thick pen,
MUCH_INK = 0.4  # if so much of a part of the picture is,
EVEN = 0.05  # and half of its pixels differ by less than this
DARKEST_PAPER = 24.0  # grey levels: darker paper counts as this bright, or its noise would be taken for ink


def grey_values(picture: Image.Image, longest: int) -> np.ndarray:
    """Return a picture's grey levels (H, W) uint8, reduced so that the longer side has at most `longest` pixels."""
    return _coarse(np.asarray(picture.convert("L")), longest)


def dark_on_light(grey: np.ndarray) -> np.ndarray:
    """Return the picture with dark ink on light paper: inverted if the ink was lighter than the paper.

    Ink covers less area than paper, and differs more from the median of its surroundings. So the distribution of these
    differences is skewed to the side of the ink: its third moment tells whether ink is lighter or darker. Where it says
    little, as on empty paper with a shadow, the ink is taken to be darker. (Where the rim of the picture is all one
    paper, pixels are compared with that: in thick writing, most of what surrounds a pixel may be ink.)
    """
    small = _coarse(grey, _longest(grey, POLARITY_SIDE))
    # In the logarithm, ink differs from its paper by as much in a shadow as in the light.
    bright = np.log(small + DARKEST_PAPER)
    rim = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    difference = bright - np.median(rim)
    if np.ptp(np.quantile(rim, (0.02, 0.98))) > STEP or (np.abs(difference) > STEP).mean() > MOST_INK:
        around = cv2.resize(_median_around(_coarse(small, max(small.shape) // 2)), small.shape[::-1])
        difference = bright - np.log(around + DARKEST_PAPER)
    cubes = difference * difference * difference
    light, dark = cubes[difference > STEP].sum(), -cubes[difference < -STEP].sum()
    return 255 - grey if light > CLEARLY * dark else grey


def _median_around(small: np.ndarray) -> np.ndarray:
    """Return the median of each pixel's surroundings, which are too small to reach over the edge of a shadow."""
    side = min(max(small.shape) // 4, min(small.shape)) | 1
    framed = cv2.medianBlur(cv2.copyMakeBorder(small, *[side // 2] * 4, cv2.BORDER_REFLECT), side)
    return framed[side // 2 : side // 2 + small.shape[0], side // 2 : side // 2 + small.shape[1]]


def darkness_against_paper(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Return how much darker than the paper each pixel is, and the noise of that measure.

    A stroke has paper on both sides, a shadow on one. So the brightness of the paper is estimated by a morphological
    closing, with a window that is wider than any stroke: it fills strokes, and leaves the edge of a shadow as it is,
    however steep. (The two must see the same picture: one that is blurred besides would differ along the edge.)

    Args:
        grey: (H, W) uint8, dark ink on light paper.

    Returns:
        (H, W) float32, the darkness as a share of the paper's brightness: about 0 on the paper, at most 1; and its
        standard deviation on the paper (the grain).
    """
    sharp = grey.astype(np.float32)
    grain = float(np.median(np.abs(sharp - cv2.GaussianBlur(sharp, (0, 0), 1.5))[::3, ::3])) / max(
        1.0, np.median(grey[::3, ::3])
    )
    seen = cv2.GaussianBlur(grey, (0, 0), 1) if grain > FINE_GRAIN else grey
    side = max(3, int(min(grey.shape) * MAX_STROKE_SHARE) | 1)
    paper = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    darkness = 1 - seen / cv2.max(paper.astype(np.float32), DARKEST_PAPER)
    sample = darkness[::3, ::3]
    middle = np.median(sample)  # above 0, because a closing picks the brightest grains of the paper
    parts = [part for rows in np.array_split(sample - middle, 3) for part in np.array_split(rows, 3, axis=1)]
    spread = [_spread(part) for part in parts if part.size]
    return darkness - middle, 1.4826 * float(np.quantile(spread, 0.75))


def _spread(difference: np.ndarray) -> float:
    """Return by how much pixels of a part differ, given their differences from the paper.

    Where much of it is darker, they differ from the paper or from that. A thick pen is even, as cloth and wood are not.
    """
    dark = difference[difference > INKED]
    if dark.size > MUCH_INK * difference.size:
        spread = float(np.median(np.minimum(np.abs(difference), np.abs(difference - np.median(dark)))))
        if spread < EVEN:
            return spread
    return float(np.median(np.abs(difference)))


def _coarse(grey: np.ndarray, longest: int) -> np.ndarray:
    """Reduce a picture so that its longer side has at most `longest` pixels."""
    share = longest / max(grey.shape)
    return grey if share >= 1 else cv2.resize(grey, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def _longest(grey: np.ndarray, side: int) -> int:
    """Return the longer side, in pixels, of a picture shaped like `grey` with the area of a square of this side."""
    height, width = grey.shape
    return max(side, round(side * (max(height, width) / min(height, width)) ** 0.5))
