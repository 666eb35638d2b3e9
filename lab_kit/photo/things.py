"""Tell what lies on a page, or is printed on it, from what was written: frames, holes, stains, dots and specks."""

import cv2
import numpy as np

from lab_kit.photo.components import components
from lab_kit.photo.strokes import stroke_width

THICK = 3.0  # times as thick as strokes are: a thing, such as a hole or a stain
HOLLOW, AROUND = 0.06, 0.6  # of its box is ink, and of the other pieces are in it: a drawn frame
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


def is_writing(labels: np.ndarray, boxes: np.ndarray, own: np.ndarray, small: bool) -> bool:
    """Return whether a line (H, W) bool of small pieces, or of others, is more than specks, dots and holes."""
    pieces = np.unique(labels[own])
    if small and len(pieces) < FEW:
        return False
    sizes = boxes[pieces][:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    for k in pieces[np.argsort(-sizes)][:MOST_LOOKS]:
        left, top, width, height, _ = boxes[k]
        part = (labels[top : top + height, left : left + width] == k).astype(np.uint8)
        if max(width, height) > DOT * stroke_width(part):
            return True
    return False
