"""Find out which ink is meant where one character is asked for: pieces that belong together, and what lies beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from lab_kit.errors import UserError
from lab_kit.photo.components import components
from lab_kit.photo.ink import NoWriting
from lab_kit.photo.strokes import stroke_width
from lab_kit.photo.things import is_solid

SMALLEST, SMALLEST_CUT = 0.02, 0.1  # of the picture's longer side: nobody can read what is smaller, whole or cut off
RIM = 0.04  # of the picture's side: what lies within this of its edge is the rest of a ruled line, or of the table
MOST_PIECES = 12  # of one character: more are the grain of the paper
STACKED = 0.6  # of the larger piece: a dot above or below it is no farther away
BESIDE = 0.15  # of the larger piece: pieces that are side by side are no farther away
DOT = 3.5  # stroke widths: what is no larger is a dot
DOTS_APART = 4.0  # of their size: the dots of a colon are no farther apart
RIVAL = 0.5  # of the dominant group's size: what is as large was written as well
THICK, LESS_THICK = 2.2, 0.75  # times as thick as what was written beside it: a thing, such as a hole, or, if it is
LONG = 2.5  # times as long as well, a pen
SMALLER = 0.2  # of its size: what is smaller says nothing of it
TALL = 0.55  # of the group's height: two pieces side by side that are both as tall,
WIDE = 1.2  # and together as wide, per height, are two characters
ALIKE = 0.6  # of the size of the other: so are two pieces of similar sizes,
NEAR = 0.7  # of a stroke width: a gap that is no wider was not meant
FLAT = 2.5  # of its own stroke widths: the smaller of them is more than a bar
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
        solid: whether that component has no hollows, as a pen or a hole has none.
        cut: whether the edge of the picture cuts it off: it was not what the camera was pointed at.
        labels: the numbers of all its components.
    """

    left: int
    top: int
    right: int
    bottom: int
    size: int
    thickness: float
    solid: bool
    cut: bool
    labels: tuple[int, ...]

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    def __or__(self, other: "Piece") -> "Piece":
        """Return both as one."""
        larger = max(self, other, key=lambda piece: piece.size)
        return Piece(
            min(self.left, other.left), min(self.top, other.top), max(self.right, other.right),
            max(self.bottom, other.bottom), larger.size, larger.thickness, larger.solid,
            self.cut or other.cut, self.labels + other.labels,
        )  # fmt: skip


def one_character(ink: np.ndarray) -> np.ndarray:
    """Return the ink of the one character that is meant, (H, W) uint8, without what lies beside it.

    Args:
        ink: (H, W) uint8: ink 255 on paper 0; some of it is above 127.

    Raises:
        NoWriting: what there is, is too small.
        TwoCharacters: something else is as large.
    """
    pieces, labels = find_pieces(ink)
    groups = _without_things(
        _join([piece for piece in pieces if not ((piece.cut and piece.solid) or _at_rim(piece, ink))])
    )
    best = max(groups, key=lambda group: group.size, default=None)
    if best is None or best.size < (SMALLEST_CUT if best.cut else SMALLEST) * max(ink.shape):
        raise NoWriting
    if len(best.labels) > MOST_PIECES:
        raise NoWriting
    rivals = [group for group in groups if group is not best and group.size >= RIVAL * best.size and not group.cut]
    if rivals:
        raise TwoCharacters(several=len(rivals) > 1)
    if _is_double([piece for piece in pieces if piece.labels[0] in best.labels], best, labels):
        raise TwoCharacters
    own = np.isin(labels, best.labels).astype(np.uint8)
    return ink * cv2.dilate(own, np.ones((5, 5), np.uint8))


def _at_rim(piece: Piece, ink: np.ndarray) -> bool:
    """Return whether all of a piece lies along an edge of the picture."""
    height, width = ink.shape
    return min(piece.right / width, 1 - piece.left / width, piece.bottom / height, 1 - piece.top / height) < RIM


def find_pieces(ink: np.ndarray) -> tuple[list[Piece], np.ndarray]:
    """Return the connected pieces of ink, and the number of the component at each pixel, (H, W) int32."""
    mask = (ink > 127).astype(np.uint8)
    labels, boxes = components(mask)
    pieces = []
    for label, (x, y, width, height, _) in enumerate(boxes[1:], 1):
        part = (labels[y : y + height, x : x + width] == label).astype(np.uint8)
        cut = min(x, y) <= 1 or x + width >= ink.shape[1] - 1 or y + height >= ink.shape[0] - 1
        pieces.append(
            Piece(
                *map(int, (x, y, x + width, y + height, max(width, height))),
                stroke_width(part),
                is_solid(part),
                bool(cut),
                (label,),
            )
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
        if not group.solid
        or all(
            group.thickness < (THICK if group.size < LONG * other.size else LESS_THICK) * other.thickness
            or other.cut
            or other.size < max(SMALLER * group.size, DOT * other.thickness)
            for other in groups
        )
    ]
    return kept or groups


def _nearly_touch(one: Piece, other: Piece, labels: np.ndarray) -> bool:
    """Return whether two pieces are so near that the pen was meant to go on."""
    near = round(NEAR * 2 * min(one.thickness, other.thickness)) | 1
    around = cv2.dilate(np.isin(labels, one.labels).astype(np.uint8), np.ones((near, near), np.uint8))
    return bool((around[np.isin(labels, other.labels)] > 0).any())


def _is_double(pieces: Sequence[Piece], group: Piece, labels: np.ndarray) -> bool:
    """Return whether two pieces of a group stand side by side, or one above the other, that could each be all of it."""
    width = group.right - group.left
    for one, other in combinations([piece for piece in pieces if piece.size > DOT * piece.thickness], 2):
        narrow, wide = sorted((one, other), key=lambda piece: piece.width)
        low, high = sorted((one, other), key=lambda piece: piece.height)
        beside = min(one.right, other.right) - max(one.left, other.left) <= OVERLAP * narrow.width
        below = min(one.bottom, other.bottom) - max(one.top, other.top) <= 0
        alike = narrow.width > max(ALIKE * wide.width, FLAT * narrow.thickness)
        double = beside and low.height >= TALL * group.height and (alike or width > WIDE * group.height)
        stacked = below and narrow.width >= TALL * width and low.height > max(ALIKE * high.height, FLAT * low.thickness)
        if (double or stacked) and not _nearly_touch(one, other, labels):
            return True
    return False
