"""Tell what lies on a page, or is printed on it, from what was written: frames, holes, stains, dots and specks."""

from itertools import pairwise

import cv2
import numpy as np

from lab_kit.photo.components import components
from lab_kit.photo.strokes import stroke_width

THICK = 3.0  # times as thick as strokes are: a thing, such as a hole or a stain
HOLLOW, AROUND = 0.06, 0.6  # of its box is ink, and of the other pieces are in it: a drawn frame
APART = 0.5  # of the height of tall letters, between a line and what lies beside it
OFF = 1.0  # of the same height: dots are no farther above or below the middle of a line
TALLER = 1.6  # times as tall as tall letters: no letter
DOT = 2.0  # stroke widths: what is no longer is a dot
MOST_LOOKS = 3  # pieces, the largest, tell whether a line is all dots
FEW = 3  # pieces: fewer small ones in a line are specks


def without_things(ink: np.ndarray) -> np.ndarray:
    """Return the ink without frames, and without pieces that are much thicker than strokes, if there are others."""
    mask = (ink > 127).astype(np.uint8)
    side = round(THICK * stroke_width(mask)) | 1
    thick = cv2.erode(mask, np.ones((side, side), np.uint8), borderValue=0)
    labels, boxes = components(mask)
    thing = _frames(boxes)
    thing[np.unique(labels[thick > 0])] = True
    thing[0] = False
    if not thing.any():
        return ink
    kept = np.where(cv2.dilate(thing[labels].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0, 0, ink).astype(np.uint8)
    return kept if kept.max(initial=0) > 127 else ink


def _frames(boxes: np.ndarray) -> np.ndarray:
    """Return which pieces are lines around most of the others: (pieces,) bool."""
    left, top, wide, high, area = boxes.T
    frames = np.zeros(len(boxes), bool)
    for k in np.flatnonzero(area < HOLLOW * wide * high):
        inside = (left > left[k]) & (top > top[k]) & (left + wide < (left + wide)[k]) & (top + high < (top + high)[k])
        frames[k] = k and inside.sum() >= max(FEW, AROUND * (len(boxes) - 2))
    return frames


def beside(labels: np.ndarray, boxes: np.ndarray, own: np.ndarray, tall: float) -> list[int]:
    """Return the pieces of a line (H, W) bool that lie apart and are no letters: dots, pens, tall things.

    Args:
        labels, boxes: of all pieces of the page.
        own: where the line is.
        tall: the height of tall letters.
    """
    pieces = np.unique(labels[own])
    left, top, width, height, _ = boxes[pieces].T
    found: list[int] = []
    for order, near, far in ((np.argsort(left), left, left + width), (np.argsort(-left - width), -left - width, -left)):
        for k, after in pairwise(order):
            apart = near[after] - far[k] > APART * tall
            dot = max(width[k], height[k]) <= 2 * DOT * stroke_width(_mask(labels, boxes, pieces[k]))
            if not apart or not (dot or height[k] > TALLER * tall):
                break
            found.append(int(pieces[k]))
    y, x = np.nonzero(own)
    slope, start = np.polyfit(x, y, 1) if np.ptp(x) > tall else (0.0, y.mean())
    for k in range(len(pieces)):
        far_off = abs(top[k] + height[k] / 2 - start - slope * (left[k] + width[k] / 2)) > OFF * tall
        if far_off and max(width[k], height[k]) <= 2 * DOT * stroke_width(_mask(labels, boxes, pieces[k])):
            found.append(int(pieces[k]))
    return found if len(set(found)) < len(pieces) else []


def _mask(labels: np.ndarray, boxes: np.ndarray, piece: int) -> np.ndarray:
    """Return a piece alone, (height, width) uint8."""
    left, top, width, height, _ = boxes[piece]
    return (labels[top : top + height, left : left + width] == piece).astype(np.uint8)


def is_writing(labels: np.ndarray, boxes: np.ndarray, own: np.ndarray, small: bool) -> bool:
    """Return whether a line (H, W) bool of small pieces, or of others, is more than specks, dots and holes."""
    pieces = np.unique(labels[own])
    if small and len(pieces) < FEW:
        return False
    sizes = boxes[pieces][:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    for k in pieces[np.argsort(-sizes)][:MOST_LOOKS]:
        if boxes[k][[cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max() > DOT * stroke_width(_mask(labels, boxes, k)):
            return True
    return False
