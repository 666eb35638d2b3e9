"""Remove what is dark in a picture but was not written: the edge of a table, ruled lines, specks."""

import cv2
import numpy as np

from lab_kit.photo.components import components
from lab_kit.photo.strokes import stroke_width

LONG = 4.0  # stroke widths: what touches the picture's edge for longer is not a stroke that was cut off,
SHARE = 0.05  # if so much ink, as a share of its own, is elsewhere
ALONG = 0.5  # of its size: what touches the edge for so long lies along it,
DEEP = 0.35  # unless it reaches into the picture as far as this share of it. Shadows and fingers do not
SMALL = 0.08  # of the picture: what is smaller, and at its edge, is the end of something
STEP = 0.4  # of its darkness: by so much it is brighter just outside of a stroke
LEAST = 0.05  # of the brightness outside, is a step
SHARP = 0.6  # of the outline of a stroke, at least, has such a step on its outside
SPECK = 0.3  # of the squared stroke width: a component with less area was not written. A dot has 0.8


def remove_rim(mask: np.ndarray) -> np.ndarray:
    """Remove the components of a mask (H, W) uint8 that only lie along the picture's edge.

    A stroke may be cut off by the edge, so what touches it for only a few stroke widths, or fills the picture, is kept.
    """
    if not any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1])):
        return mask
    labels, boxes = components(mask)
    count = len(boxes)
    wide, high, area = (boxes[:, k] for k in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    size, (rows, columns) = np.maximum(wide, high), mask.shape
    contact, deep, ends = np.zeros(count), np.zeros(count), np.zeros(count)
    for side, depth in ((labels[0], high / rows), (labels[-1], high / rows), (labels[:, 0], wide / columns),
                        (labels[:, -1], wide / columns)):  # fmt: skip
        touched = np.bincount(side, minlength=count)
        deep = np.where(touched > contact, depth, deep)
        contact = np.maximum(contact, touched)
        ends += touched > 0
    small = size < SMALL * max(mask.shape)
    rim = (contact > 0) & (small | (ends > 1) | (contact >= ALONG * size)) & (deep < DEEP)
    long = contact > max(LONG * stroke_width(mask), 0.1 * max(mask.shape))
    long[0] = False
    if (area[~long & ~rim][1:] > SHARE * area[long].sum()).any():
        rim |= long
    rim[0] = True
    return mask * ~rim[labels]


def remove_shades(mask: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Remove the components of a mask (H, W) uint8 that are not brighter all around: parts of a shadow, for example.

    A stroke is darker than both of its sides. A shadow is as dark beyond its end as before it, or fades away slowly.

    Args:
        mask: of what may be ink.
        grey: (H, W) uint8, the picture: dark ink on light paper.
    """
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    grey = cv2.GaussianBlur(grey, (0, 0), 1)  # or noise would be a step
    darkest = cv2.erode(np.where(mask > 0, grey, 255).astype(np.uint8), np.ones((11, 11), np.uint8))
    near, far = (cv2.dilate(mask, np.ones((side, side), np.uint8)) for side in (5, 9))
    ring = (far > near) & (darkest < 255)
    owner = cv2.dilate(labels.astype(np.float32), np.ones((9, 9), np.uint8)).astype(np.int32)[ring]
    inside, outside = darkest[ring].astype(np.float32), grey[ring].astype(np.float32)
    darkness = 1 - inside / np.maximum(1, cv2.dilate(grey, np.ones((21, 21), np.uint8))[ring])
    steps = np.bincount(owner, 1 - inside / np.maximum(1, outside) > np.maximum(LEAST, STEP * darkness), count)
    sharp = steps >= SHARP * np.maximum(1, np.bincount(owner, minlength=count))
    sharp[0] = False
    return mask * sharp[labels]


def remove_specks(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep only strokes: connected components above `low` that reach `high` somewhere and are larger than specks.

    Args:
        values: (H, W) float32, how much ink there is at each pixel.
        low: values above this count as ink.
        high: some values of a component must be above this. (Two thresholds, as in Canny's edge detector, 1986.)
    """
    mask = (values > low).astype(np.uint8)
    labels, boxes = components(mask)
    reached = np.bincount(labels[values > high], minlength=len(boxes))
    width = stroke_width(mask * (reached > 2)[labels].astype(np.uint8))
    smallest = max(4, SPECK * width * width)
    keep = (reached > 0.25 * smallest) & (boxes[:, cv2.CC_STAT_AREA] >= smallest)
    keep[0] = False
    kept = cv2.dilate(keep[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    return values * kept
