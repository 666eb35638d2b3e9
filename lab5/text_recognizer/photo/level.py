"""Turn a picture of writing so that its lines run level."""

import cv2
import numpy as np

STEEPEST = 15.0  # degrees
POINTS = 4000  # of the ink that are looked at
LONG = 2.5  # times as long as high: less is too short to have a direction
BETTER = 1.02  # times as clearly parted in rows as it was: or it is left alone


def slope(ink: np.ndarray) -> float:
    """Return the angle in degrees by which lines of writing fall to the right, 0 where that is not clear.

    Level lines have their ink in few rows: of all angles, the one counts for which the squares of the rows' sums add
    up to most (Postl, 1986).

    Args:
        ink: (H, W) uint8.
    """
    y, x = np.nonzero(ink > 127)
    if len(x) == 0 or np.ptp(x) < LONG * np.ptp(y):
        return 0.0
    step = max(1, len(x) // POINTS)
    x, y = x[::step] - x.mean(), y[::step] - y.mean()
    coarse = _best(x, y, np.arange(-STEEPEST, STEEPEST + 0.5))
    fine = _best(x, y, coarse + np.arange(-1, 1.01, 0.25))
    return fine if _parted(x, y, fine) > BETTER * _parted(x, y, 0.0) else 0.0


def turned(ink: np.ndarray, angle: float) -> np.ndarray:
    """Return ink (H, W) uint8 turned to the left by an angle in degrees, on paper that is as large as that needs."""
    if abs(angle) < 0.2:
        return ink
    height, width = ink.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = int(width * cos + height * sin) + 1, int(width * sin + height * cos) + 1
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return cv2.warpAffine(ink, turn, size, flags=cv2.INTER_LINEAR)


def _best(x: np.ndarray, y: np.ndarray, angles: np.ndarray) -> float:
    return float(angles[np.argmax([_parted(x, y, angle) for angle in angles])])


def _parted(x: np.ndarray, y: np.ndarray, angle: float) -> float:
    """How clearly the points lie in rows, at an angle."""
    rows = y - x * np.tan(np.radians(angle))
    rows = ((rows - rows.min()) / max(1.0, np.ptp(y) / 60)).astype(int)
    return float((np.bincount(rows).astype(float) ** 2).sum())
