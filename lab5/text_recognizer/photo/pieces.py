"""The pieces of ink that a line of writing is made of: letters, marks, and letters that touch."""

from dataclasses import dataclass

import cv2
import numpy as np

from text_recognizer.errors import UserError

LOW = 0.45  # of a letter's height: what is lower is a mark, a dot or an accent
SECOND = 0.25  # of the largest line's ink: with less, another line is none
ABOVE = 0.5  # share of a piece's width that a dot above it covers


@dataclass(frozen=True)
class Piece:
    """Ink that belongs together, in the line's picture: columns from left to right, rows from top to bottom."""

    left: int
    top: int
    right: int
    bottom: int
    labels: frozenset[int]  # of the connected components that it is made of

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def __or__(self, other: "Piece") -> "Piece":
        return Piece(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.labels | other.labels,
        )


def find_pieces(ink: np.ndarray) -> tuple[list[Piece], np.ndarray, float]:
    """Return the pieces of the line that is written in level ink, from left to right.

    Args:
        ink: (H, W) uint8.

    Returns:
        the pieces; the number of the component that each place belongs to, (H, W) int32; and the height of the line's
        letters in pixels, as most of its tall ones have it.

    Raises:
        UserError: there are several lines.
    """
    mask = (ink > 127).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    parts = [
        Piece(int(x), int(y), int(x + width), int(y + height), frozenset([label]))
        for label, (x, y, width, height, _) in enumerate(boxes)
        if label > 0
    ]
    tall = letter_height([part.height for part in parts], boxes[1:, cv2.CC_STAT_AREA])
    top, bottom = _one_line([part for part in parts if part.height >= LOW * tall], boxes, len(ink))
    near = [part for part in parts if top - 0.5 * tall < (part.top + part.bottom) / 2 < bottom + 0.5 * tall]
    return _joined(near), labels, tall


def letter_height(heights: list[int], weights: np.ndarray) -> float:
    """Return the height of tall letters: nine tenths of the ink are in pieces that are no higher."""
    order = np.argsort(heights)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(np.asarray(heights)[order][np.searchsorted(share, 0.75)])


def _one_line(letters: list[Piece], boxes: np.ndarray, rows: int) -> tuple[float, float]:
    """Return the first and last row of the middle of the only line.

    Letters of one line overlap with the middle halves of their heights, those of two lines do not.
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
    others = [band for band in bands if band is not best and band[3] > SECOND * best[2]]
    if others:
        raise UserError(
            f"There are {1 + len(others)} lines in this picture, and one is read at a time. "
            "Cut the picture to one line, or write everything in one."
        )
    return best[0], best[1]


def _joined(parts: list[Piece]) -> list[Piece]:
    """Return the parts from left to right, with what stands above or below another one joined to it."""
    pieces: list[Piece] = []
    for part in sorted(parts, key=lambda part: part.left):
        while pieces and _over(pieces[-1], part):
            part = pieces.pop() | part
        pieces.append(part)
    return pieces


def _over(one: Piece, other: Piece) -> bool:
    shared = min(one.right, other.right) - max(one.left, other.left)
    return shared > ABOVE * min(one.width, other.width)
