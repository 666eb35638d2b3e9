"""Segment a line of writing into components of ink: letters, marks, and groups of letters that touch."""

from dataclasses import dataclass

import cv2
import numpy as np

from lab_kit.errors import UserError

MARK_HEIGHT = 0.45  # of a tall letter's height: a lower component is a mark, such as a dot or an accent
SECOND_LINE = 0.25  # of the main line's ink: with less, it does not count as another line
OVERLAP = 0.5  # of the narrower component's width: with more overlap, they are one above the other


@dataclass(frozen=True)
class Component:
    """Ink that belongs together: its bounding box in pixels, and the connected components that it consists of."""

    left: int
    top: int
    right: int
    bottom: int
    labels: frozenset[int]  # numbers of the connected components

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    def __or__(self, other: "Component") -> "Component":
        """Return both components as one."""
        return Component(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.labels | other.labels,
        )


def find_components(ink: np.ndarray) -> tuple[list[Component], np.ndarray, float]:
    """Return the components of a line of writing, from left to right.

    Args:
        ink: (H, W) uint8, with horizontal writing.

    Returns:
        the components; the number of the connected component at each pixel, (H, W) int32; and the height of the tall
        letters in pixels.

    Raises:
        UserError: there are several lines.
    """
    mask = (ink > 127).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    parts = [
        Component(int(x), int(y), int(x + width), int(y + height), frozenset([label]))
        for label, (x, y, width, height, _) in enumerate(boxes)
        if label > 0
    ]
    tall = letter_height([part.height for part in parts], boxes[1:, cv2.CC_STAT_AREA])
    top, bottom = _find_line([part for part in parts if part.height >= MARK_HEIGHT * tall], boxes, len(ink))
    near = [part for part in parts if top - 0.5 * tall < (part.top + part.bottom) / 2 < bottom + 0.5 * tall]
    return _join_stacked(near), labels, tall


def letter_height(heights: list[int], weights: np.ndarray) -> float:
    """Return the height of the tall letters: three quarters of the ink are in components that are no higher."""
    order = np.argsort(heights)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(np.asarray(heights)[order][np.searchsorted(share, 0.75)])


def _find_line(letters: list[Component], boxes: np.ndarray, rows: int) -> tuple[float, float]:
    """Return the first and last row of the band in which the line's letters have the middle half of their height.

    In one line, these middle halves overlap; those of different lines do not.

    Raises:
        UserError: there are several lines.
    """
    bands: list[list[float]] = []
    for letter in sorted(letters, key=lambda letter: letter.top + letter.height / 4):
        top, bottom = letter.top + letter.height / 4, letter.bottom - letter.height / 4
        weight = sum(int(boxes[label, cv2.CC_STAT_AREA]) for label in letter.labels)
        cut = 0.0 if letter.top <= 1 or letter.bottom >= rows - 1 else float(weight)
        if bands and top < bands[-1][1]:
            bands[-1][1] = max(bands[-1][1], bottom)
            bands[-1][2] += weight
            bands[-1][3] += cut
        else:
            bands.append([top, bottom, weight, cut])
    best = max(bands, key=lambda band: band[3] or band[2] / 1000)
    others = [band for band in bands if band is not best and band[3] > SECOND_LINE * best[2]]
    if others:
        raise UserError(
            f"There are {1 + len(others)} lines in this picture, and only one can be read at a time. "
            "Crop the picture to one line, or write everything in one line."
        )
    return best[0], best[1]


def _join_stacked(parts: list[Component]) -> list[Component]:
    """Join parts that are one above the other, such as an i and its dot; return them from left to right."""
    components: list[Component] = []
    for part in sorted(parts, key=lambda part: part.left):
        while components and _are_stacked(components[-1], part):
            part = components.pop() | part
        components.append(part)
    return components


def _are_stacked(one: Component, other: Component) -> bool:
    """Return whether one of the components is above the other."""
    shared = min(one.right, other.right) - max(one.left, other.left)
    return shared > OVERLAP * min(one.width, other.width)
