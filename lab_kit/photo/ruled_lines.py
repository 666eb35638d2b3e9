"""Take ruled lines away from under the writing, in both directions."""

import cv2
import numpy as np

from lab_kit.photo.components import components
from lab_kit.photo.deskew import best_angle

MAX_ANGLE = 12.0  # degrees by which lines may be turned
AROUND = (-1.2, -0.6, 0.0, 0.6, 1.2)  # degrees from the commonest angle: in perspective, lines are not parallel
LENGTH = 0.4  # of the picture's width: shorter strokes are writing,
SPAN, SEVERAL = 0.75, 3  # and so is what does not go on from edge to edge, or, with so many others, over this share
FAINT_END = 0.4  # of its usual darkness: where a line is fainter, it has ended
EDGE = 0.01  # of the picture's width: so near to its edge, a line goes on beyond it
THIN = 0.08  # of the picture's shorter side: what is thicker was written
FAINTEST = 0.025  # of the paper's brightness, by which a ruled line is darker
EVEN = 1.4  # times as dark as in the middle: a darker part of a line is a stroke along it
MIDDLE = 1.12  # times as dark as where it is faintest is a line, about
CROSSES = 0.15  # of the darkness above and below a line: what is written across the line adds at least so much to it
COLUMN = 4  # pixels: averages over so many show lines as well, and cost less. Letters stand farther apart
POINTS = 4000  # pixels that are looked at to find the angle
MASK = 0.06  # darkness of these pixels


def remove_ruled_lines(darkness: np.ndarray) -> np.ndarray:
    """Return the darkness of a picture without its ruled lines, and strokes mended where they crossed them.

    The paper is as dark along a line as the line is without writing, so what is written on it is compared with that.

    Args:
        darkness: (H, W) float32, the share of the paper's brightness that is missing.
    """
    rows = _with_edges(find_rows(darkness))
    columns = _with_edges(find_rows(np.ascontiguousarray(darkness.T))).T
    lines = np.maximum(rows, columns)
    if not lines.any():
        return darkness
    written = np.ascontiguousarray(1 - (1 - darkness) / (1 - lines.clip(0, 0.95)), np.float32)
    mended = np.where(rows > 0, _mended(written, rows), written)
    mended = np.where(columns > 0, _mended(np.ascontiguousarray(mended.T), columns.T).T, mended)
    return np.where(lines > 0, mended, darkness)


def _with_edges(lines: np.ndarray) -> np.ndarray:
    """Return lines from left to right as dark as they are in the middle, with their blurred edges."""
    return cv2.dilate(MIDDLE * lines, np.ones((3, 1), np.uint8))


def _mended(written: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Close the gaps that lines from left to right have left in strokes, and leave open what was open."""
    below = (lines > 0).astype(np.uint8)
    thick = int(below.sum() / max(1, (np.diff(below, axis=0) == 1).sum())) | 1
    closed = cv2.morphologyEx(written, cv2.MORPH_CLOSE, np.ones((thick + 4, 1), np.uint8))
    return np.where(written > CROSSES * closed, closed, written)


def find_rows(darkness: np.ndarray) -> np.ndarray:
    """Return how dark lines from left to right are, (H, W) float32, and 0 elsewhere, also where something crosses them.

    A grey opening with a long, thin window keeps of each row what is dark all along it.
    """
    height, width = darkness.shape
    columns = max(1, width // COLUMN)
    narrow = cv2.dilate(
        cv2.resize(darkness, (columns, height), interpolation=cv2.INTER_AREA), np.ones((3, 1), np.uint8)
    )
    if not _may_have_rows(narrow > FAINTEST):
        return np.zeros_like(darkness)
    y, x = np.nonzero(darkness > MASK)
    if len(x) < 2 * width // 3:
        return np.zeros_like(darkness)
    step = max(1, len(x) // POINTS)
    middle = best_angle(x[::step], y[::step], MAX_ANGLE, rows=max(20, height // 3))
    found = np.zeros_like(narrow)
    window = np.ones((1, int(LENGTH * columns)), np.uint8)
    for angle in AROUND:
        slope = np.tan(np.radians(middle + angle)) * width / columns
        extra = int(abs(slope) * columns) + 1
        shear = np.float32([[1, 0, 0], [-slope, 1, extra if slope > 0 else 0]])
        level = cv2.warpAffine(narrow, shear, (columns, height + extra), borderMode=cv2.BORDER_REPLICATE)
        level = cv2.morphologyEx(level, cv2.MORPH_OPEN, window)
        back = cv2.warpAffine(level, shear, (columns, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        found = cv2.max(found, back)
    found = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.min(found, _printed(found))


def _printed(found: np.ndarray) -> np.ndarray:
    """Return how dark at most each of the lines is that were printed and not written, (H, W) float32; 0 elsewhere."""
    height, width = found.shape
    mask = (found > FAINTEST).astype(np.uint8)
    labels, boxes = components(mask)
    level = np.zeros(len(boxes), np.float32)
    near = max(2, int(EDGE * width))
    several = (boxes[1:, cv2.CC_STAT_WIDTH] >= SPAN * width).sum() >= SEVERAL
    window = np.ones((max(5, int(THIN * min(found.shape))), 1), np.uint8)
    thick = np.unique(labels[cv2.erode(mask, window, borderValue=0) > 0])
    for k, (left, top, wide, high, _) in enumerate(boxes[1:], 1):
        part = np.s_[top : top + high, left : left + wide]
        own = labels[part] == k
        usual = np.median(found[part][own])
        dark = np.flatnonzero((own & (found[part] > FAINT_END * usual)).any(axis=0))
        sides = left + dark[0] <= near, left + dark[-1] >= width - 1 - near, top <= 2, top + high >= height - 2
        if k not in thick and (sum(map(bool, sides)) >= 2 or (several and wide >= SPAN * width)):
            level[k] = EVEN * usual
    return level[labels]


def _may_have_rows(dark: np.ndarray) -> bool:
    """Return whether a line could go on for long enough in a mask (H, W): most drawings need no search."""
    edges = sum(bool(edge.any()) for edge in (dark[:3], dark[-3:], dark[:, :1], dark[:, -1:]))
    return bool(edges >= 2 or dark.any(axis=0).mean() >= SPAN)
