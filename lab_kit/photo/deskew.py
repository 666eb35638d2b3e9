"""Deskew: estimate the angle of the lines of writing in a picture, and rotate them to be horizontal."""

import cv2
import numpy as np


def rotate(ink: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotate ink (H, W) uint8 counter-clockwise by an angle in degrees.

    Returns:
        the ink, larger, so that nothing is cut off; and the matrix (2, 3) that leads to its points.
    """
    height, width = ink.shape
    if abs(angle) < 0.2:
        return ink, np.eye(2, 3)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = int(width * cos + height * sin) + 1, int(width * sin + height * cos) + 1
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return cv2.warpAffine(ink, turn, size, flags=cv2.INTER_LINEAR), turn


def best_angle(x: np.ndarray, y: np.ndarray, most: float, rows: int = 60) -> float:
    """Return the angle in degrees, at most `most`, at which points are most concentrated in rows.

    Horizontal lines have their ink in few of the rows. So the angle is chosen that gives the largest sum of the squared
    row sums (the projection profile: Postl, 1986).

    Args:
        x, y: the points.
        most: the largest angle.
        rows: into so many the height is divided.
    """
    coarse = max(np.arange(-most, most + 0.5), key=lambda angle: _concentration(x, y, angle, rows))
    return float(max(coarse + np.arange(-1, 1.01, 0.25), key=lambda angle: _concentration(x, y, angle, rows)))


def _concentration(x: np.ndarray, y: np.ndarray, angle: float, rows: int = 60) -> float:
    """Return how concentrated the points are in rows at this angle in degrees: the sum of the squared row sums."""
    places = y - x * np.tan(np.radians(angle))
    places = ((places - places.min()) / max(1.0, np.ptp(y) / rows)).astype(int)
    return float((np.bincount(places).astype(float) ** 2).sum())
