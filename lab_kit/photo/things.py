"""Tell what lies on a page, or is printed on it, from what was written: frames, holes, stains, dots and specks."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

from lab_kit.photo.components import components
from lab_kit.photo.strokes import stroke_width

THICK = 4.0  # times as thick as strokes are: a thing, such as a stain,
LESS_THICK = 2.0  # and so is what is so thick and has no hollows,
LONG = 2.0  # if it is so many times as long as most pieces are: a pen,
ALONE, LARGE = 2.5, 0.2  # or if it is farther from all else, by its size, than a full stop, and larger: a hole
RULE, STRAIGHT = 0.25, 0.04  # of the picture's longer side, and of its own length, is a ruled line long, and thick
SOLID = 0.88  # of its convex hull is covered by what has no hollows
HOLLOW, AROUND = 0.06, 0.6  # of its box is ink, and of the other pieces are in it: a drawn frame
APART = 0.5  # of the height of tall letters, between a line and what lies beside it
OFF = 0.9  # of the same height: pieces of a line begin no farther above or below its middle
TALLER = 1.6  # times as tall as tall letters: no letter
DOT = 2.0  # stroke widths: what is no longer is a dot
MOST_LOOKS = 3  # pieces, the largest, tell whether a line is all dots
FEW = 3  # pieces: fewer small ones in a line are specks


def without_things(ink: np.ndarray) -> np.ndarray:
    """Return the ink without frames, and without pieces that are much thicker than strokes, if there are others."""
    things = find_things((ink > 127).astype(np.uint8))
    if not things.any():
        return ink
    kept = np.where(cv2.dilate(things, np.ones((5, 5), np.uint8)) > 0, 0, ink).astype(np.uint8)
    return kept if kept.max(initial=0) > 127 else ink


def find_things(mask: np.ndarray) -> np.ndarray:
    """Return the part of a mask (H, W) uint8 that was not written: frames, holes, stains and pens."""
    labels, boxes = components(mask)
    sides = boxes[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    longer = sides.max(axis=1)
    thing = _frames(boxes)
    for k in np.flatnonzero(longer > RULE * max(mask.shape)):
        thing[k] = thing[k] or (k and _is_straight(_mask(labels, boxes, k)))
    inside = 2 * cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    inside = inside[1:-1, 1:-1]
    usual = stroke_width(mask if not thing.any() else mask * ~thing[labels])
    thing[np.unique(labels[inside > THICK * usual])] = True
    written = (longer > DOT * usual) & ~thing
    written[0] = False
    most = np.median(sides[written], axis=0) if written.sum() > 1 else np.inf
    for k in np.unique(labels[inside > LESS_THICK * usual]):
        if not thing[k] and is_solid(_mask(labels, boxes, k)):
            hole = longer[k] > LARGE * np.max(most) and (_gaps(boxes, k) > ALONE * longer[k]).all()
            thing[k] = hole or (sides[k] > LONG * most).any()
    thing[0] = False
    return thing[labels].astype(np.uint8)


def _gaps(boxes: np.ndarray, piece: int) -> np.ndarray:
    """Return how far the other pieces are from a piece, in pixels, box from box."""
    left, top, width, height, _ = np.delete(boxes, (0, piece), axis=0).T
    x, y, wide, high, _ = boxes[piece]
    return np.maximum(np.maximum(x - left - width, left - x - wide), np.maximum(y - top - height, top - y - high))


def _frames(boxes: np.ndarray) -> np.ndarray:
    """Return which pieces are lines around most of the others: (pieces,) bool."""
    left, top, wide, high, area = boxes.T
    frames = np.zeros(len(boxes), bool)
    for k in np.flatnonzero(area < HOLLOW * wide * high):
        inside = (left > left[k]) & (top > top[k]) & (left + wide < (left + wide)[k]) & (top + high < (top + high)[k])
        frames[k] = k and inside.sum() >= max(FEW, AROUND * (len(boxes) - 2))
    return frames


def beside(
    labels: np.ndarray, boxes: np.ndarray, own: np.ndarray, middle: Callable[[np.ndarray], np.ndarray], tall: float
) -> list[int]:
    """Return the pieces of a line (H, W) bool that lie apart and are no letters: dots, pens, small print, tall things.

    Args:
        labels, boxes: of all pieces of the page.
        own: where the line is.
        middle: gives the row of its middle at a column.
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
    rows = middle(left + width / 2)
    off = np.maximum(top - rows, rows - top - height)
    found.extend(pieces[off > OFF * tall].tolist())
    return found if len(set(found)) < len(pieces) else []


def _mask(labels: np.ndarray, boxes: np.ndarray, piece: int) -> np.ndarray:
    """Return a piece alone, (height, width) uint8."""
    left, top, width, height, _ = boxes[piece]
    return (labels[top : top + height, left : left + width] == piece).astype(np.uint8)


def is_solid(piece: np.ndarray) -> bool:
    """Return whether a piece alone, (H, W) uint8, has no hollows, as a pen or a hole has none."""
    return bool(piece.sum() > SOLID * cv2.contourArea(cv2.convexHull(_outline(piece))))


def _is_straight(piece: np.ndarray) -> bool:
    """Return whether a piece alone, (H, W) uint8, is a straight line, or a part of one."""
    thick, long = sorted(cv2.minAreaRect(_outline(piece))[1])
    return thick < STRAIGHT * long


def _outline(piece: np.ndarray) -> np.ndarray:
    """Return the points around a piece alone, (H, W) uint8."""
    return np.concatenate(cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0])


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
