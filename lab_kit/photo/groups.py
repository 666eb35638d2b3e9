"""Find out which ink is meant where one character is asked for: pieces that belong together, and what lies beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from lab_kit.errors import UserError
from lab_kit.photo.strokes import stroke_width

STACKED = 0.6  # of the larger piece: a dot above or below it is no farther away
BESIDE = 0.15  # of the larger piece: pieces that are side by side are no farther away
DOT = 3.5  # stroke widths: what is no larger is a dot
DOTS_APART = 4.0  # of their size: the dots of a colon are no farther apart
RIVAL = 0.5  # of the dominant group's size: what is as large was written as well
THICK = 2.2  # times as thick as what was written beside it: a thing, such as a pen or a hole
TALL = 0.55  # of the group's height: two pieces side by side that are both as tall,
WIDE = 1.2  # and together as wide, per height, are two characters
OVERLAP = 0.25  # of the narrower piece: with more, pieces are one above the other


class TwoCharacters(UserError):
    """The picture shows more than the one character that is asked for (status 422 in HTTP)."""

    def __init__(self, several: bool = False) -> None:
        super().__init__(
            f"There are {'several' if several else 'two'} characters here: write one alone, or crop the picture to one."
        )


@dataclass(frozen=True)
class Piece:
    """Ink that belongs together.

    Args:
        left, top, right, bottom: its box.
        size: the longer side of its largest connected component, in pixels.
        thickness: of the strokes of that component.
        cut: whether the edge of the picture cuts it off: it was not what the camera was pointed at.
        labels: the numbers of all its components.
    """

    left: int
    top: int
    right: int
    bottom: int
    size: int
    thickness: float
    cut: bool
    labels: tuple[int, ...]

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    def __or__(self, other: "Piece") -> "Piece":
        """Return both as one."""
        larger = max(self, other, key=lambda piece: piece.size)
        return Piece(
            min(self.left, other.left), min(self.top, other.top), max(self.right, other.right),
            max(self.bottom, other.bottom), larger.size, larger.thickness,
            self.cut or other.cut, self.labels + other.labels,
        )  # fmt: skip


def one_character(ink: np.ndarray) -> np.ndarray:
    """Return the ink of the one character that is meant, (H, W) uint8, without what lies beside it.

    Args:
        ink: (H, W) uint8: ink 255 on paper 0; some of it is above 127.

    Raises:
        TwoCharacters: something else is as large.
    """
    pieces, labels = find_pieces(ink)
    groups = _without_things(_join(pieces))
    best = max(groups, key=lambda group: group.size)
    rivals = [group for group in groups if group is not best and group.size >= RIVAL * best.size and not group.cut]
    if rivals:
        raise TwoCharacters(several=len(rivals) > 1)
    if _is_double([piece for piece in pieces if piece.labels[0] in best.labels], best):
        raise TwoCharacters
    own = np.isin(labels, best.labels).astype(np.uint8)
    return ink * cv2.dilate(own, np.ones((5, 5), np.uint8))


def find_pieces(ink: np.ndarray) -> tuple[list[Piece], np.ndarray]:
    """Return the connected pieces of ink, and the number of the component at each pixel, (H, W) int32."""
    mask = (ink > 127).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    pieces = []
    for label, (x, y, width, height, _) in enumerate(boxes[1:], 1):
        part = (labels[y : y + height, x : x + width] == label).astype(np.uint8)
        cut = min(x, y) <= 1 or x + width >= ink.shape[1] - 1 or y + height >= ink.shape[0] - 1
        pieces.append(
            Piece(*map(int, (x, y, x + width, y + height, max(width, height))), stroke_width(part), bool(cut), (label,))
        )
    return pieces, labels


def _join(pieces: Sequence[Piece]) -> list[Piece]:
    """Join pieces that belong together, the largest first."""
    groups: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: -piece.size):
        near = [group for group in groups if _belong_together(group, piece)]
        for group in near:
            groups.remove(group)
            piece |= group
        groups.append(piece)
    return groups


def _belong_together(one: Piece, other: Piece) -> bool:
    across = max(one.left, other.left) - min(one.right, other.right)
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    size = max(one.size, other.size)
    if one.cut or other.cut:
        return max(across, down) <= 0
    dots = all(piece.size <= DOT * piece.thickness for piece in (one, other))
    return across <= BESIDE * size and down <= (DOTS_APART if dots else STACKED) * size


def _without_things(groups: list[Piece]) -> list[Piece]:
    """Return the groups that are not much thicker than what was written beside them."""
    kept = [
        group
        for group in groups
        if all(
            group.thickness < THICK * other.thickness or other.cut or other.size < 0.3 * group.size for other in groups
        )
    ]
    return kept or groups


def _is_double(pieces: Sequence[Piece], group: Piece) -> bool:
    """Return whether two pieces of a group stand side by side that are each as tall as a character."""
    width = group.right - group.left
    tall = sorted((piece for piece in pieces if piece.height >= TALL * group.height), key=lambda piece: piece.left)
    for one, other in pairwise(tall):
        narrower = min(one.right - one.left, other.right - other.left)
        if one.right - other.left <= OVERLAP * narrower and width > WIDE * group.height:
            return True
    return False
