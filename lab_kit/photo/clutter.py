"""Remove what is dark in a picture but was not written: the edge of a table, ruled lines, specks."""

import cv2
import numpy as np

from lab_kit.photo.strokes import stroke_width

RIM = 4.0  # stroke widths: a component that touches the picture's edge for longer is not a stroke that was cut off
SPECK = 0.3  # of the squared stroke width: a component with less area was not written. A dot has 0.8


def remove_rim(mask: np.ndarray) -> np.ndarray:
    """Remove the components of a mask (H, W) uint8 that run along the picture's edge, unless nothing else is left.

    A stroke may be cut off by the edge, so a component that touches it for only a few stroke widths is kept.
    """
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    contact = np.max([np.bincount(side, minlength=count) for side in sides], axis=0)
    rim = contact > max(RIM * stroke_width(mask), 0.1 * max(mask.shape))
    rim[0] = True
    rest = ~rim & (boxes[:, cv2.CC_STAT_AREA] > 0.05 * boxes[rim, cv2.CC_STAT_AREA][1:].sum())
    return mask * ~rim[labels] if rest.any() else mask


def remove_specks(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep only strokes: connected components above `low` that reach `high` somewhere and are larger than specks.

    Args:
        values: (H, W) float32, how much ink there is at each pixel.
        low: values above this count as ink.
        high: some values of a component must be above this. (Two thresholds, as in Canny's edge detector, 1986.)
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
