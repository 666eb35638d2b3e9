"""Bring a line to the form of EMNISTLines: each letter fills a box, as no writer writes.

Readers of natural lines do not need this: they see a line as it was written, only scaled (`fit_line`).
"""

import cv2
import numpy as np

from lab_kit.errors import UserError
from lab_kit.photo.character import SIDE, draw_character
from lab_kit.photo.groups import Piece, find_pieces

TALL = 0.75  # of the ink is in pieces that are no higher than this: the height of tall letters
MARK = 0.45  # of that height: what is lower, and not wide, is a mark, and keeps its size and height
WIDE = 1.5  # times as wide as high: letters that touch
SPACE = 0.45  # of that height: a wider gap is a space
PITCH = 24 / SIDE  # of the height of the picture: from letter to letter
BASE, TALL_IN_BOX = 23.2 / SIDE, 19.5 / SIDE  # the writing line, and the height of a tall letter to which marks belong


def box_line(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the ink of a line, (H, W) uint8, with each letter in a box: (height, width) uint8.

    Raises:
        UserError: the line is too long for `width`.
    """
    pieces, labels = find_pieces(ink)
    tall = float(np.quantile(np.repeat([piece.height for piece in pieces], [piece.width for piece in pieces]), TALL))
    base = float(np.median([piece.bottom for piece in pieces if piece.height >= MARK * tall]))
    letters = _letters(pieces)
    boxes, left, end = [], 0, letters[0].right
    for letter in letters:
        left += round(PITCH * height) if letter.left - end > SPACE * tall else 0
        end = letter.right
        own = ink * cv2.dilate(np.isin(labels, letter.labels).astype(np.uint8), np.ones((3, 3), np.uint8))
        box = _draw(own[:, letter.left : letter.right], letter, tall, base, height)
        boxes.append((left, box))
        left += max(round(PITCH * height), box.shape[1] - round((1 - PITCH) * height))
    if left > width + height // 2:
        raise UserError(
            f"This line is too long: about {round(left / (PITCH * height))} characters, and at most "
            f"{int(width / (PITCH * height))} can be read at once. Write a shorter line."
        )
    line = np.zeros((height, left + height), np.uint8)
    for start, box in boxes:
        part = line[:, start : start + box.shape[1]]
        np.maximum(part, box, out=part)
    return np.pad(line, ((0, 0), (0, width)))[:, :width]


def _letters(pieces: list[Piece]) -> list[Piece]:
    """Join pieces that are one above the other, such as an i and its dot; return them from left to right."""
    letters: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.left):
        while letters and min(letters[-1].right, piece.right) - piece.left > 0.5 * min(letters[-1].width, piece.width):
            piece |= letters.pop()
        letters.append(piece)
    return letters


def _draw(ink: np.ndarray, letter: Piece, tall: float, base: float, height: int) -> np.ndarray:
    """Return the box of a letter: (height, any width) uint8."""
    mark = letter.height < MARK * tall and letter.width < 1.2 * tall
    if not mark and letter.width <= WIDE * letter.height:
        return draw_character(ink, "box", height)
    scale = TALL_IN_BOX * height / (tall if mark else letter.height)
    part = cv2.resize(ink[letter.top : letter.bottom], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    middle = BASE * height + ((letter.top + letter.bottom) / 2 - base) * scale if mark else height / 2
    top = int(np.clip(middle - len(part) / 2, 0, max(0, height - len(part))))
    side = max(0, height - part.shape[1]) // 2
    return np.pad(part, ((top, height), (side, side)))[:height]
