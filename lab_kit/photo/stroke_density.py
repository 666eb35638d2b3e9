"""Make lines of writing alike in how close their strokes stand: narrow hands are stretched, wide ones squeezed."""

import cv2
import numpy as np

INK = 100  # grey level from which a pixel counts as ink
STANDARD = 0.25  # strokes that a row crosses, for each pixel of width and pixel of height
NARROWEST, WIDEST = 0.35, 2.0  # factors by which a line is stretched at least and at most
LONG = 6  # heights: in a line that is shorter than this, too few strokes are counted to be sure


def stroke_density(line: np.ndarray) -> float:
    """Return how many strokes the rows that cross most cross per pixel of width, of a line (H, W) uint8 of ink."""
    ink = line > INK
    columns = np.flatnonzero(ink.any(axis=0))
    if len(columns) < 2:
        return 0.0
    crossed = np.sort((ink[:, 1:] & ~ink[:, :-1]).sum(axis=1))
    return float(crossed[-max(1, len(crossed) // 4) :].mean()) / (columns[-1] - columns[0] + 1)


def even_density(line: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Return a line (H, W) uint8 of ink, stretched or squeezed to (H, any width): strokes at the standard density.

    Args:
        line: ink 255 on paper 0, which fills the height.
        factor: by which it is stretched besides.
    """
    height, width = line.shape
    stretch = min(max(stroke_density(line) * height * STANDARD, NARROWEST), WIDEST)
    wide = max(1, round(width * factor * stretch ** min(1.0, width / (LONG * height))))
    return cv2.resize(line, (wide, height), interpolation=cv2.INTER_AREA if wide < width else cv2.INTER_LINEAR)
