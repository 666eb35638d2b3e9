"""Bring a line of writing to the form in which readers of lines see it: a fixed height, any width."""

import cv2
import numpy as np

from lab_kit.photo.stroke_density import even_density

FAINTEST = 60  # grey level below which nothing counts as ink
SHARE = 0.35  # of the darkest ink: what is fainter does not count, either
PAPER = 30  # grey level of what is left of the paper
FULL = 70  # percentile of the ink that becomes full white
BORDER = 2  # pixels of paper above and below the ink
MARGIN = 6  # and to its left and right


def fit_line(ink: np.ndarray, height: int) -> np.ndarray:
    """Crop a line to its ink, even out contrast and density of strokes, and scale it.

    Args:
        ink: (H, W) uint8, bright ink on dark paper, of any size.
        height: of the result, in pixels.

    Returns:
        (height, any width) uint8: ink 255 on paper 0, which fills the height. Without ink, blank paper.
    """
    found = ink > max(FAINTEST, SHARE * ink.max(initial=0))
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    if not len(rows):
        return np.zeros((height, height), np.uint8)
    line = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    full = np.percentile(line[found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]], FULL)
    line = ((line - PAPER) * (255 / max(full - PAPER, 1))).clip(0, 255).astype(np.uint8)
    high = height - 2 * BORDER
    wide = max(8, round(line.shape[1] * high / len(line)))
    shrinks = high < len(line)
    line = cv2.resize(line, (wide, high), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.pad(even_density(line), ((BORDER, BORDER), (MARGIN, MARGIN)))
