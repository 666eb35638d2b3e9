"""Deskew: estimate the angle of the lines of writing in a picture, and rotate them to be horizontal."""

import cv2
import numpy as np

MAX_ANGLE = 15.0  # degrees
POINTS = 4000  # about so many pixels of ink are used
MIN_ASPECT = 2.5  # width per height: shorter writing has no clear direction
MIN_GAIN = 1.02  # the best angle must be better than no rotation by this factor


def estimate_skew(ink: np.ndarray) -> float:
    """Return the angle in degrees by which the lines of writing descend to the right; 0 if it is not clear.

    Horizontal lines have their ink in few rows. So the angle is chosen that gives the largest sum of the squared row
    sums (the projection profile: Postl, 1986).

    Args:
        ink: (H, W) uint8.
    """
    y, x = np.nonzero(ink > 127)
    if len(x) == 0 or np.ptp(x) < MIN_ASPECT * np.ptp(y):
        return 0.0
    step = max(1, len(x) // POINTS)
    x, y = x[::step] - x.mean(), y[::step] - y.mean()
    fine = best_angle(x, y, MAX_ANGLE)
    return fine if _concentration(x, y, fine) > MIN_GAIN * _concentration(x, y, 0.0) else 0.0


def rotate(ink: np.ndarray, angle: float) -> np.ndarray:
    """Rotate ink (H, W) uint8 counter-clockwise by an angle in degrees; the result is larger, so nothing is cut off."""
    return rotate_with_matrix(ink, angle)[0]


def rotate_with_matrix(ink: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rotated ink, as `rotate` does, and the matrix (2, 3) that leads to its points."""
    height, width = ink.shape
    if abs(angle) < 0.2:
        return ink, np.eye(2, 3)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = int(width * cos + height * sin) + 1, int(width * sin + height * cos) + 1
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return cv2.warpAffine(ink, turn, size, flags=cv2.INTER_LINEAR), turn


def best_angle(x: np.ndarray, y: np.ndarray, most: float, rows: int = 60) -> float:
    """Return the angle in degrees, at most `most`, at which points are most concentrated in some of so many rows."""
    coarse = max(np.arange(-most, most + 0.5), key=lambda angle: _concentration(x, y, angle, rows))
    return float(max(coarse + np.arange(-1, 1.01, 0.25), key=lambda angle: _concentration(x, y, angle, rows)))


def _concentration(x: np.ndarray, y: np.ndarray, angle: float, rows: int = 60) -> float:
    """Return how concentrated the points are in rows at this angle in degrees: the sum of the squared row sums."""
    places = y - x * np.tan(np.radians(angle))
    places = ((places - places.min()) / max(1.0, np.ptp(y) / rows)).astype(int)
    return float((np.bincount(places).astype(float) ** 2).sum())
