"""Normalize a photographed or drawn line of writing: letter sizes and positions as in the training data."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image

from lab_kit.errors import UserError
from lab_kit.photo.deskew import estimate_skew, rotate
from lab_kit.photo.ink import extract_ink
from lab_kit.photo.segmentation import MARK_HEIGHT, Component, find_components
from lab_kit.photo.strokes import MAX_STROKE, MIN_STROKE, PADDING, SUPERSAMPLING, downsample, redraw, stroke_width

LONGEST = 1400  # pixels of the longer side, to which photos are reduced first
CELL = 28  # pixels: the other lengths here are for a line of this height
LETTER = 22.0  # pixels of the longer side of a letter
TALL = 19.5  # pixels: marks are scaled as if a tall letter had this height
BASELINE = 23.2  # row of the baseline, for marks
PITCH = 24.0  # columns from the centre of a letter to the centre of the next
MIN_GAP = 2.0  # columns between the ink of neighbours
SPACE = 0.45  # of a tall letter's height: a wider gap is a space
EVEN = 0.7  # of a tall letter's height: a letter of at least this size counts as tall,
EVEN_SHARE = 0.65  # and if at least this share of the letters is tall, the whole line is only scaled
MARGIN = 3.0  # columns before the first letter of such a line
MIN_SQUEEZE = 0.8  # factor by which a long line may be narrowed, at least


def prepare_line(picture: Image.Image, height: int, width: int) -> np.ndarray:
    """Return a written line in the layout of the training lines: one letter in each cell, from the left.

    In the training lines, every letter fills its cell, whether tall or small, and marks keep their size and height. A
    line in which nearly all letters have the same height, such as one in capitals, looks like that already: it is only
    scaled. In other lines, each component is scaled by itself, and they are put side by side, with an empty cell for
    each space. Letters that touch stay together.

    Args:
        picture: a photo or a drawing of one line.
        height, width: pixels of the result. The lengths in this module are for a height of 28, and are scaled with it.

    Returns:
        (height, width) uint8: ink 255 on paper 0.

    Raises:
        NoWriting: there is no ink in the picture.
        UserError: there are several lines, or the line is too long for `width`.
    """
    written = extract_ink(picture, LONGEST)
    written = rotate(written, estimate_skew(written))
    components, labels, tall = find_components(written)
    unit = SUPERSAMPLING * height / CELL  # supersampled pixels for each pixel of a line with the height CELL
    stroke = stroke_width((written > 127).astype(np.uint8))
    base = float(np.median([component.bottom for component in components if component.height >= MARK_HEIGHT * tall]))
    if _is_even(components, tall):
        scale = LETTER * unit / tall
        drawings = [redraw(written, scale, _pen_width(stroke * scale, unit) - stroke * scale)]
        letters = [component for component in components if component.height >= MARK_HEIGHT * tall]
        middle = np.median([(component.top + component.bottom) / 2 for component in letters]) - written.shape[0] / 2
        rows = [CELL / 2 * unit - middle * scale]
        ends = min(component.left for component in components), max(component.right for component in components)
        middles = [MARGIN * unit + (written.shape[1] / 2 - ends[0]) * scale]
        length = (ends[1] - ends[0]) * scale + 2 * MARGIN * unit
    else:
        drawn = (_draw(component, written, labels, tall, base, stroke, unit) for component in components)
        drawings, rows = zip(*drawn, strict=True)
        middles, length = _place_columns(drawings, _find_spaces(components, tall), unit)
    squeeze = min(1.0, width * SUPERSAMPLING / length)
    if squeeze < MIN_SQUEEZE:
        raise UserError(
            f"This line is too long: about {round(length / unit / PITCH)} characters, and at most "
            f"{int(width / PITCH)} can be read at once. Write a shorter line."
        )
    canvas = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.float32)
    for drawing, middle, row in zip(drawings, middles, rows, strict=True):
        rows_high, columns_wide = drawing.shape
        narrowed = cv2.resize(drawing, (max(1, int(columns_wide * squeeze)), rows_high)) if squeeze < 1 else drawing
        _paste(narrowed, canvas, row, middle * squeeze)
    return downsample(canvas)


def _is_even(components: Sequence[Component], tall: float) -> bool:
    """Return whether most letters are about as large as the tall ones."""
    sizes = [
        max(component.height, component.width) for component in components if component.height >= MARK_HEIGHT * tall
    ]
    return float(np.mean([size >= EVEN * tall for size in sizes])) >= EVEN_SHARE


def _pen_width(stroke: float, unit: float) -> float:
    """Return the stroke width to draw with, for strokes that would be `stroke` wide; both in supersampled pixels."""
    return min(max(stroke, MIN_STROKE * unit), MAX_STROKE * unit)


def _draw(
    component: Component, written: np.ndarray, labels: np.ndarray, tall: float, base: float, stroke: float, unit: float
) -> tuple[np.ndarray, float]:
    """Draw a component at its size in a line; return the supersampled drawing, and the row for its centre.

    Args:
        component: the component to draw.
        written: (H, W) uint8, the ink of the whole picture.
        labels: (H, W) int32, the number of the connected component that each pixel belongs to.
        tall: height of a tall letter in the picture, in pixels.
        base: row of the baseline in the picture.
        stroke: width of the strokes in the picture, in pixels.
        unit: supersampled pixels for each pixel of a line with the height CELL.
    """
    part = np.s_[component.top : component.bottom, component.left : component.right]
    own = cv2.dilate(np.isin(labels[part], list(component.labels)).astype(np.uint8), np.ones((3, 3), np.uint8))
    if component.height < MARK_HEIGHT * tall and component.width < 1.2 * tall:  # a mark
        scale = TALL * unit / tall
        row = BASELINE * unit + ((component.top + component.bottom) / 2 - base) * scale
    else:
        several = component.width > 1.5 * max(component.height, 0.6 * tall)  # letters that touch
        scale = LETTER * unit / (component.height if several else max(component.height, component.width))
        row = CELL / 2 * unit
    return redraw(np.pad(written[part] * own, 2), scale, _pen_width(stroke * scale, unit) - stroke * scale), row


def _place_columns(drawings: Sequence[np.ndarray], spaces: Sequence[bool], unit: float) -> tuple[list[float], float]:
    """Return the column of each drawing's centre, and the end of the line; `spaces[k]`: a space follows drawing `k`."""
    middles, left = [], 0.0
    for drawing, follows_space in zip(drawings, [False, *spaces], strict=True):
        room = max(PITCH * unit, drawing.shape[1] - 2 * PADDING * SUPERSAMPLING + MIN_GAP * unit)
        left += PITCH * unit if follows_space else 0.0
        middles.append(left + room / 2)
        left += room
    return middles, left


def _find_spaces(components: Sequence[Component], tall: float) -> list[bool]:
    """Return for each component but the last whether a space follows it."""
    return [after.left - before.right > SPACE * tall for before, after in pairwise(components)]


def _paste(drawing: np.ndarray, canvas: np.ndarray, row: float, column: float) -> None:
    """Add a drawing to the canvas with its centre at (row, column); what lies outside is cut off."""
    height, width = drawing.shape
    top, left = round(row - height / 2), round(column - width / 2)
    rows = slice(max(0, top), min(canvas.shape[0], top + height))
    columns = slice(max(0, left), min(canvas.shape[1], left + width))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = drawing[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        canvas[rows, columns] = np.minimum(1, canvas[rows, columns] + inside)
