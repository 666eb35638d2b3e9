"""One line of writing as it looks in the lines that networks have learned from."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image

from text_recognizer.errors import UserError
from text_recognizer.photo.ink import ink
from text_recognizer.photo.level import slope, turned
from text_recognizer.photo.pieces import LOW, Piece, find_pieces
from text_recognizer.photo.strokes import FINE, PAPER, THICK, THIN, redraw, shrunk, stroke_width

LONGEST = 1400  # pixels of the longer side at which a photo is looked at
CELL = 28  # pixels, the height that the following numbers are for
LETTER = 22.0  # the longer side of a letter
TALL = 19.5  # the height of a tall letter, on the scale of marks
BASE = 23.2  # the row that marks stand on
PITCH = 24.0  # columns from the middle of a letter to that of the next
NEAREST = 2.0  # columns between the ink of neighbours
SPACE = 0.45  # of a tall letter's height: a wider gap is a space
EVEN, MOST = 0.7, 0.65  # of a tall letter's height, and of the letters: when a line's letters are all of one height
MARGIN = 3.0  # columns before the first letter of such a line
SQUEEZE = 0.8  # how narrow a line may be made to fit


def line(picture: Image.Image, height: int, width: int) -> np.ndarray:
    """Return a written line as the lines of the training data are: each letter in a place of its own, from the left.

    There, a letter fills its place whatever it is, and marks keep their size and height. A line whose letters are all
    of one height, as in capitals, is so already: it is only scaled. Of others the pieces are brought to that size one
    by one, and set side by side, with a place left free where there is a space. Letters that touch stay together.

    Args:
        picture: a photo or a drawing of one line.
        height, width: of the result, in pixels; lengths are for a height of 28, and grow with it.

    Returns:
        (height, width) uint8: ink 255 on paper 0.

    Raises:
        NoWriting: there is nothing in the picture.
        UserError: there are several lines, or more than fits into `width`.
    """
    written = ink(picture, LONGEST)
    written = turned(written, slope(written))
    pieces, labels, tall = find_pieces(written)
    unit = FINE * height / CELL  # places of the fine drawing for each pixel
    stroke = stroke_width((written > 127).astype(np.uint8))
    base = float(np.median([piece.bottom for piece in pieces if piece.height >= LOW * tall]))
    if _even(pieces, tall):
        scale = LETTER * unit / tall
        drawings = [redraw(written, scale, _pen(stroke * scale, unit) - stroke * scale)]
        letters = [piece for piece in pieces if piece.height >= LOW * tall]
        middle = np.median([(piece.top + piece.bottom) / 2 for piece in letters]) - written.shape[0] / 2
        rows = [CELL / 2 * unit - middle * scale]
        ends = min(piece.left for piece in pieces), max(piece.right for piece in pieces)
        middles = [MARGIN * unit + (written.shape[1] / 2 - ends[0]) * scale]
        length = (ends[1] - ends[0]) * scale + 2 * MARGIN * unit
    else:
        drawn = (_drawn(piece, written, labels, tall, base, stroke, unit) for piece in pieces)
        drawings, rows = zip(*drawn, strict=True)
        middles, length = _columns(drawings, _spaces(pieces, tall), unit)
    squeeze = min(1.0, width * FINE / length)
    if squeeze < SQUEEZE:
        raise UserError(
            f"This line is too long: about {round(length / unit / PITCH)} characters, where {int(width / PITCH)} can "
            "be read at once. Write a shorter one."
        )
    canvas = np.zeros((height * FINE, width * FINE), np.float32)
    for drawing, middle, row in zip(drawings, middles, rows, strict=True):
        rows_high, columns_wide = drawing.shape
        narrowed = cv2.resize(drawing, (max(1, int(columns_wide * squeeze)), rows_high)) if squeeze < 1 else drawing
        _put(narrowed, canvas, row, middle * squeeze)
    return shrunk(canvas)


def _even(pieces: Sequence[Piece], tall: float) -> bool:
    """Return whether nearly all letters are as large as the tall ones."""
    sizes = [max(piece.height, piece.width) for piece in pieces if piece.height >= LOW * tall]
    return float(np.mean([size >= EVEN * tall for size in sizes])) >= MOST


def _pen(stroke: float, unit: float) -> float:
    """Return how wide strokes are to be, of those that are `stroke` wide, in places of the fine drawing."""
    return min(max(stroke, THIN * unit), THICK * unit)


def _drawn(
    piece: Piece, written: np.ndarray, labels: np.ndarray, tall: float, base: float, stroke: float, unit: float
) -> tuple[np.ndarray, float]:
    """Return a piece as it is drawn in a line, `FINE` places for each pixel, and the row that its middle stands on.

    Args:
        piece: which.
        written: (H, W) uint8, the ink of the whole picture.
        labels: (H, W) int32, the component that each place belongs to.
        tall: height of a tall letter in the picture, in pixels.
        base: row of the writing line in the picture.
        stroke: width of the strokes in the picture.
        unit: places of the result for each pixel of a line.
    """
    part = np.s_[piece.top : piece.bottom, piece.left : piece.right]
    own = cv2.dilate(np.isin(labels[part], list(piece.labels)).astype(np.uint8), np.ones((3, 3), np.uint8))
    if piece.height < LOW * tall and piece.width < 1.2 * tall:  # a mark
        scale = TALL * unit / tall
        row = BASE * unit + ((piece.top + piece.bottom) / 2 - base) * scale
    else:
        several = piece.width > 1.5 * max(piece.height, 0.6 * tall)  # letters that touch
        scale = LETTER * unit / (piece.height if several else max(piece.height, piece.width))
        row = CELL / 2 * unit
    return redraw(np.pad(written[part] * own, 2), scale, _pen(stroke * scale, unit) - stroke * scale), row


def _columns(drawings: Sequence[np.ndarray], spaces: Sequence[bool], unit: float) -> tuple[list[float], float]:
    """Return the column of the middle of each drawing, and where the line ends; `spaces[k]` follows drawing `k`."""
    middles, left = [], 0.0
    for drawing, follows_space in zip(drawings, [False, *spaces], strict=True):
        room = max(PITCH * unit, drawing.shape[1] - 2 * PAPER * FINE + NEAREST * unit)
        left += PITCH * unit if follows_space else 0.0
        middles.append(left + room / 2)
        left += room
    return middles, left


def _spaces(pieces: Sequence[Piece], tall: float) -> list[bool]:
    """Return, for each piece but the last, whether a space follows it."""
    return [after.left - before.right > SPACE * tall for before, after in pairwise(pieces)]


def _put(drawing: np.ndarray, canvas: np.ndarray, row: float, column: float) -> None:
    """Add a drawing to the canvas, its middle at a place; what would lie outside is left out."""
    height, width = drawing.shape
    top, left = round(row - height / 2), round(column - width / 2)
    rows = slice(max(0, top), min(canvas.shape[0], top + height))
    columns = slice(max(0, left), min(canvas.shape[1], left + width))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = drawing[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        canvas[rows, columns] = np.minimum(1, canvas[rows, columns] + inside)
