"""Measure the width of pen strokes, and redraw them at another size and width.

Measured on 4,000 pen-stroke characters (`lab_kit.handwriting.pen_strokes`): strokes are 2.25 pixels wide (median; nine
in ten are 1.5 to 4.4), 68% of a character's ink pixels are white (above 250), and its edges are about a pixel wide. On
the real characters of MNIST and Chars74K: 2.25 to 2.75 pixels (1.6 to 3.7), and 45% to 57%.
"""

import cv2
import numpy as np

SUPERSAMPLING = 4  # strokes are drawn at this many times the resolution, and reduced at the end
MIN_STROKE, MAX_STROKE = 1.9, 3.2  # pixels: widths in between stay as they are
EDGE = 0.9  # pixels, how wide the grey edge of a stroke is
PADDING = 3  # pixels of paper around a drawing


def stroke_width(mask: np.ndarray) -> float:
    """Return the median width in pixels of the strokes of a mask (H, W) uint8; 0 if there are none."""
    left, top, width, height = cv2.boundingRect(mask)
    framed = cv2.copyMakeBorder(mask[top : top + height, left : left + width], 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    inside = cv2.distanceTransform(framed, cv2.DIST_L2, 3)
    ridge = inside[(inside > 0) & (inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)))]
    return max(1.0, 2 * float(np.median(ridge)) - 0.5) if len(ridge) else 0.0


def redraw(ink: np.ndarray, scale: float, wider: float) -> np.ndarray:
    """Scale ink, and make its strokes wider or thinner, with soft edges like those of a pen.

    It computes for each pixel the signed distance from the nearest edge of a stroke, and moves the edges.

    Args:
        ink: (H, W) uint8, with the edge of strokes at 128.
        scale: factor by which the sides are scaled.
        wider: by how many pixels of the result the strokes become wider than by scaling; thinner if it is negative.

    Returns:
        (H', W') float32 from 0 to 1, at `SUPERSAMPLING` times the final resolution, with a padding of paper.
    """
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    large = cv2.resize(ink, (width, height), interpolation=how)
    large = cv2.copyMakeBorder(large, *[PADDING * SUPERSAMPLING] * 4, cv2.BORDER_CONSTANT)
    large = cv2.GaussianBlur(large, (0, 0), SUPERSAMPLING / 4)
    mask = (large > 127).astype(np.uint8)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    far = inside - cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    if wider < 0:  # never so thin that strokes vanish
        wider = max(wider, -stroke_width(mask))
    return ((far + wider / 2) / (EDGE * SUPERSAMPLING) + 0.5).clip(0, 1)


def downsample(drawing: np.ndarray) -> np.ndarray:
    """Reduce a supersampled drawing float32 from 0 to 1 to its final size: (H, W) uint8."""
    height, width = drawing.shape
    picture = cv2.resize(drawing, (width // SUPERSAMPLING, height // SUPERSAMPLING), interpolation=cv2.INTER_AREA)
    return (picture * 255).round().astype(np.uint8)
