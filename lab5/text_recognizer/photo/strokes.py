"""Strokes of a pen: how wide they are, and how to draw them at another size with another pen.

Measured on 4,000 pen-stroke characters (`text_recognizer.data.pen_strokes`): 2.25 pixels wide in the median, 1.5 to 4.4
for nine in ten; 68% of a character's pixels are white (above 250), its edges fall off within about a pixel. The real
characters of MNIST and Chars74K: 2.25 to 2.75, 1.6 to 3.7; 45% to 57%.
"""

import cv2
import numpy as np

FINE = 4  # places for each pixel, at which strokes are drawn before they are made small
THIN, THICK = 1.9, 3.2  # pixels: what is within stays as wide as it is
SOFT = 0.9  # pixels within which the edge of a stroke falls off
PAPER = 3  # pixels that a drawing has around it


def stroke_width(mask: np.ndarray) -> float:
    """Return how wide the strokes of a mask (H, W) uint8 are, in pixels, as most of their length is; 0 without any."""
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    inside = cv2.distanceTransform(framed, cv2.DIST_L2, 3)
    ridge = inside[(inside > 0) & (inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)))]
    return max(1.0, 2 * float(np.median(ridge)) - 0.5) if len(ridge) else 0.0


def redraw(ink: np.ndarray, scale: float, wider: float) -> np.ndarray:
    """Return ink at another size, its strokes wider or thinner than that makes them, with the edges of a pen.

    Every place gets its distance from the nearest edge, and ink where that is more than the edge is moved by.

    Args:
        ink: (H, W) uint8, with the edge of strokes at 128.
        scale: places of the result for each of `ink`.
        wider: places by which strokes become wider; negative ones make them thinner.

    Returns:
        (H', W') float32 from 0 to 1, `FINE` places for each pixel, with paper around.
    """
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    large = cv2.resize(ink, (width, height), interpolation=how)
    large = cv2.copyMakeBorder(large, *[PAPER * FINE] * 4, cv2.BORDER_CONSTANT)
    large = cv2.GaussianBlur(large, (0, 0), FINE / 4)
    mask = (large > 127).astype(np.uint8)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    far = inside - cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    if wider < 0:  # never so thin that the finest strokes go
        wider = max(wider, -stroke_width(mask))
    return ((far + wider / 2) / (SOFT * FINE) + 0.5).clip(0, 1)


def shrunk(drawing: np.ndarray) -> np.ndarray:
    """Return a drawing (H FINE, W FINE) float32 as a picture (H, W) uint8."""
    height, width = drawing.shape
    picture = cv2.resize(drawing, (width // FINE, height // FINE), interpolation=cv2.INTER_AREA)
    return (picture * 255).round().astype(np.uint8)
