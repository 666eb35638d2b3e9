"""What is dark in a picture and was not written: the edge of a table, ruled lines, specks."""

import cv2
import numpy as np

from text_recognizer.photo.strokes import stroke_width

RIM = 4.0  # widths of a stroke: what touches the picture's edge for longer is no stroke that runs off it
SPECK = 0.3  # of the square of a stroke's width: what has less area was not written. A dot has 0.8
RULE = 0.8  # of the picture's width, or height, that a ruled line runs through
PIECE = 0.15  # of it, that a ruled line runs straight, even in a photo that is not quite level


def without_rim(mask: np.ndarray) -> np.ndarray:
    """Return the mask (H, W) uint8 without what runs along the picture's edge, if anything else is left then.

    A stroke may run off the picture, so what touches its edge for a few widths of a stroke only may stay.
    """
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    contact = np.max([np.bincount(side, minlength=count) for side in sides], axis=0)
    rim = contact > max(RIM * stroke_width(mask), 0.1 * max(mask.shape))
    rim[0] = True
    rest = ~rim & (boxes[:, cv2.CC_STAT_AREA] > 0.05 * boxes[rim, cv2.CC_STAT_AREA][1:].sum())
    return mask * ~rim[labels] if rest.any() else mask


def without_specks(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return what belongs to strokes: pieces above `low` that reach `high` somewhere, and are no specks.

    Args:
        values: (H, W) float32 ink.
        low: what counts as ink.
        high: what a piece must reach, in its middle.
    """
    mask = (values > low).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    reached = np.bincount(labels[values > high], minlength=count)
    width = stroke_width(mask * (reached > 2)[labels].astype(np.uint8))
    smallest = max(4, SPECK * width * width)
    keep = (reached > 0.25 * smallest) & (boxes[:, cv2.CC_STAT_AREA] >= smallest)
    keep[0] = False
    kept = cv2.dilate(keep[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    return values * kept
