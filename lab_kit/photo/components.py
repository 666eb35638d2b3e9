"""Connected components: the pieces of ink that hang together."""

import cv2
import numpy as np


def components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the connected components of a mask (H, W) uint8; pixels that touch at a corner are connected.

    Returns:
        the number of the component at each pixel, (H, W) int32, with 0 for what is not in the mask; and for each
        component, 0 among them: left, top, width, height and area, as columns of (components, 5) int32.
    """
    # With OpenCV 5's default algorithm it takes three times as long.
    found = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_GRANA)
    return found[1], found[2]
