"""Find the sheet of paper in a photo, and undo the perspective in which it is seen."""

import cv2
import numpy as np
from PIL import Image

SIDE = 320  # pixels of the longer side, to which the picture is reduced to look for the sheet
SMALLEST, LARGEST = 0.12, 0.97  # of the picture's area
FILLED = 0.95  # of the quadrilateral that is as bright as paper, and of what is as bright that it covers
PAPER = 0.6  # of a sheet, at least, is not written on
BRIGHTER = 1.1  # times as bright as what lies around it
RIM = 0.015  # of the picture's longer side: an edge of the sheet that is nearer to the picture's edge is cut off
INSIDE = 0.01  # of the sheet, at each side, that is left out: its edge is no writing
STEP = 4  # pixels from an edge of the sheet: there it is bright inside and dark outside
MIDDLE, NEAR = 0.1, 0.1  # of a side, at each end, says nothing of where it lies; of the sheet's size: its outline
PARALLEL = 0.3  # the sine of a smaller angle: two sides do not meet
TRIES = 8  # levels of brightness that may tell paper from table


def straighten(picture: Image.Image) -> Image.Image:
    """Return the sheet alone, seen from straight above; the picture itself, if there is no sheet on a table in it."""
    return straighten_with_view(picture)[0]


def straighten_with_view(picture: Image.Image) -> tuple[Image.Image, np.ndarray]:
    """Return the sheet alone, and the matrix (3, 3) that leads from its points back to those of the picture."""
    corners = find_sheet(np.asarray(picture.convert("L")))
    if corners is None:
        return picture, np.eye(3)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = (max(8, int(max(sides[k], sides[k + 2]))) for k in (0, 1))
    x, y = INSIDE * width, INSIDE * height
    target = np.float32([[-x, -y], [width + x, -y], [width + x, height + y], [-x, height + y]])
    view = cv2.getPerspectiveTransform(corners, target)
    sheet = cv2.warpPerspective(np.asarray(picture), view, (width, height), flags=cv2.INTER_LINEAR)
    return Image.fromarray(sheet), np.linalg.inv(view)


def find_sheet(grey: np.ndarray) -> np.ndarray | None:
    """Return the corners of a bright sheet on a darker ground, clockwise from the upper left: (4, 2) float32, or None.

    At least three of its edges must be in the picture: a single edge, or two, may be those of a shadow.

    Args:
        grey: (H, W) uint8.
    """
    scale = min(1.0, SIDE / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    window = max(3, min(small.shape) // 12) | 1  # wider than strokes
    plain = small
    small = cv2.medianBlur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8)), 5)
    low, high = np.percentile(small, [2, 98])
    if high < BRIGHTER * low:
        return None
    found = [corners for level in np.linspace(low, high, TRIES + 2)[1:-1] if (corners := _bright_sheet(small, level))]
    if not found:
        return None
    _, corners = max(found, key=lambda item: item[0])
    inside = cv2.fillConvexPoly(np.zeros_like(plain), corners.round().astype(np.int32), 1) > 0
    if (plain[inside] > 0.8 * small[inside]).mean() < PAPER:
        return None  # a block of light writing
    return np.float32((corners + 0.5) / scale)


def _bright_sheet(small: np.ndarray, level: float) -> tuple[float, np.ndarray] | None:
    """Return the quadrilateral that is brighter than a level, if that is a sheet: how good it is, and its corners."""
    bright = cv2.morphologyEx((small > level).astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    outlines, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    corners = _quadrilateral(cv2.convexHull(outline))
    if corners is not None:
        corners = _fitted(corners, outline[:, 0].astype(np.float32))
    if corners is None or not SMALLEST < cv2.contourArea(corners) / small.size < LARGEST:
        return None
    inside = cv2.fillConvexPoly(np.zeros_like(bright), corners.round().astype(np.int32), 1)
    around = cv2.dilate(inside, np.ones((9, 9), np.uint8)) - cv2.dilate(inside, np.ones((3, 3), np.uint8))
    middles = (corners + np.roll(corners, -1, axis=0)) / 2
    rim = RIM * max(small.shape)
    seen = ((middles > rim) & (middles < np.array(small.shape[::-1]) - 1 - rim)).all(axis=1).sum()
    filled = min(bright[inside > 0].mean(), cv2.contourArea(corners) / max(1.0, cv2.contourArea(outline)), 1.0)
    if seen < 3 or filled < FILLED or not around.any():
        return None
    if np.median(small[inside > 0]) < BRIGHTER * np.median(small[around > 0]):
        return None
    return _contrast(small, corners) * filled**12, corners


def _contrast(small: np.ndarray, corners: np.ndarray) -> float:
    """Return how much brighter the picture is just inside of a quadrilateral than just outside, at its weakest side.

    Sides at the edge of the picture do not count.
    """
    height, width = small.shape
    ratios = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (end - start) / max(1.0, float(np.linalg.norm(end - start)))
        inwards = np.array([-along[1], along[0]])
        points = start + np.linspace(0.1, 0.9, 24)[:, None] * (end - start)
        places = [(points + step * STEP * inwards).round().astype(int) for step in (1, -1)]
        seen = np.all([((p >= 0) & (p < [width, height])).all(axis=1) for p in places], axis=0)
        if seen.sum() > len(points) // 2:
            inside, outside = (np.median(small[p[seen, 1], p[seen, 0]]) for p in places)
            ratios.append(inside / max(1.0, outside))
    return float(min(ratios, default=0.0))


def _fitted(corners: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Return the corners (4, 2) of an outline (points, 2), each where straight lines through two of its sides meet."""
    size, normals, distances = np.sqrt(cv2.contourArea(corners)), [], []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (end - start) / max(1.0, float(np.linalg.norm(end - start)))
        share = (outline - start) @ along / max(1.0, float(np.linalg.norm(end - start)))
        far = np.abs((outline - start) @ (-along[1], along[0]))
        near = outline[(share > MIDDLE) & (share < 1 - MIDDLE) & (far < NEAR * size)]
        if len(near) < 2:
            return corners
        x, y, left, top = cv2.fitLine(near, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        normals.append((-y, x))
        distances.append(x * top - y * left)
    pairs, values = (
        np.stack([np.roll(normals, 1, axis=0), normals], axis=1),
        np.stack([np.roll(distances, 1), distances], 1),
    )
    if (np.abs(np.linalg.det(pairs)) < PARALLEL).any():
        return corners
    meet = np.float32(np.linalg.solve(pairs, values[..., None])[..., 0])
    return meet if np.abs(meet - corners).max() < NEAR * size else corners


def _quadrilateral(hull: np.ndarray) -> np.ndarray | None:
    """Return the four corners of a convex outline, clockwise from the upper left: (4, 2) float32; None without four."""
    length = cv2.arcLength(hull, True)
    for tolerance in (0.01, 0.02, 0.03, 0.05):
        corners = cv2.approxPolyDP(hull, tolerance * length, True)[:, 0].astype(np.float32)
        if len(corners) == 4:
            start = int(corners.sum(axis=1).argmin())
            corners = np.roll(corners, -start, axis=0)
            clockwise = cv2.contourArea(corners, oriented=True) > 0
            return corners if clockwise else np.roll(corners[::-1], 1, axis=0)
    return None
