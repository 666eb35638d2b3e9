"""Find the lines of a written page, in the order in which they are read, and where each is in the photo."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from lab_kit.photo.components import components
from lab_kit.photo.deskew import best_angle, rotate
from lab_kit.photo.ink import NoWriting, extract_ink
from lab_kit.photo.screen import without_status_bar
from lab_kit.photo.sheet import straighten_with_view
from lab_kit.photo.things import beside, is_writing, without_things

LONGEST = 1600  # pixels of the longer side, to which pages are reduced
MOST_ENLARGED = 3.0  # times: a small picture is enlarged, or thin strokes would break
MAX_ANGLE = 12.0  # degrees by which a page may be turned
POINTS = 8000  # about so many pixels of ink show by how much
# Shares of the height of letters:
ALONG, ACROSS = 1.0, 0.2  # the ink is blurred by so much, along lines and across them, until words become bands
APART = 0.55  # bands whose middles go on in one another, with less between them, are one line
MARK, MARK_APART = 0.2, 0.9  # with so much of its ink, the same: quotation marks, for example
LEVEL = 4.0  # what is shorter has no slope of its own
COARSE = 16.0  # pixels: words are told apart where letters are no higher
TALLEST, MEDIAN = 0.75, 0.5  # of the ink is in pieces that are no taller than tall letters, and than middling ones
TALLER = 1.8  # times as tall as middling ones are tall letters at most: a title does not count
BAND = 0.3  # of the blurred ink in the middle of the lines around: there is a band
LEAST = 0.06  # of the ink of a usual line: what has less is a speck
SMALL = 0.02  # of the page's longer side: letters that are smaller could be specks
MOST_LINES, MOST_PIECES = 120, 12_000  # on a page: more are the grain of something that nobody wrote


@dataclass(frozen=True)
class WrittenLine:
    """A line of a page.

    Args:
        ink: (H, W) uint8, the line alone, level.
        corners: of its box in the photo, (4, 2) float32: columns and rows, clockwise from the upper left.
    """

    ink: np.ndarray
    corners: np.ndarray


@dataclass(frozen=True)
class Band:
    """A part of a line: the columns that it covers, how much ink it has, and its middle, row = start + slope column."""

    left: float
    right: float
    ink: float
    start: float
    slope: float

    @property
    def middle(self) -> float:
        """The column in the middle."""
        return (self.left + self.right) / 2

    def row(self, column: float | np.ndarray) -> float | np.ndarray:
        """Return the row of its middle at a column, or at several."""
        return self.start + self.slope * column

    def apart(self, other: "Band") -> float:
        """Return how many rows another band lies above or below this one, as far as its slope can be trusted."""
        length = self.right - self.left
        near = min(max(other.middle, self.left - length), self.right + length)
        return abs(self.row(near) - other.row(other.middle))

    def joined(self, other: "Band") -> "Band":
        """Return both as one, with the slope of this one, or, if they are far apart, of the line between them."""
        ends = min(self.left, other.left), max(self.right, other.right), self.ink + other.ink
        across = other.middle - self.middle
        if abs(across) < 2 * (self.right - self.left):
            return Band(*ends, self.start, self.slope)
        slope = (other.row(other.middle) - self.row(self.middle)) / across
        return Band(*ends, self.row(self.middle) - slope * self.middle, slope)


def find_lines(picture: Image.Image) -> list[WrittenLine]:
    """Return the lines of a photo, from the top.

    Args:
        picture: a photo or a drawing of a page, or of a single line.

    Raises:
        NoWriting: there is no ink in the picture.
    """
    sheet, view = straighten_with_view(picture)
    enlarged = min(MOST_ENLARGED, max(1.0, LONGEST / max(sheet.size)))
    if enlarged > 1:
        sheet = sheet.resize([round(side * enlarged) for side in sheet.size], Image.Resampling.BICUBIC)
        view = view @ np.diag([1 / enlarged, 1 / enlarged, 1.0])
    ink = without_status_bar(extract_ink(sheet, LONGEST), picture)
    ink = without_things(ink)
    view = view @ np.diag([sheet.width / ink.shape[1], sheet.height / ink.shape[0], 1.0])
    level, turn = rotate(ink, _angle(ink))
    view = view @ np.linalg.inv(np.vstack([turn, [0, 0, 1]]))
    lines = [_cut_out(part, view) for part in _separate(level)]
    if not lines:
        raise NoWriting
    return lines


def _angle(ink: np.ndarray) -> float:
    """Return the angle in degrees by which most lines descend to the right; 0 if there are too few letters to say."""
    _, boxes = components((ink > 127).astype(np.uint8))
    y, x = np.nonzero(ink > 127)
    if np.ptp(x) < LEVEL * _letter_height(boxes[1:]):
        return 0.0
    step = max(1, len(x) // POINTS)
    return best_angle(x[::step], y[::step], MAX_ANGLE, rows=max(60, len(ink) // 6))


def _separate(ink: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Return the ink of each line, (H, W) uint8, and its slope."""
    labels, boxes = components((ink > 127).astype(np.uint8))
    if len(boxes) > MOST_PIECES:
        return []
    tall = _letter_height(boxes[1:])
    bands = _join(_find_bands(ink, tall), tall)
    usual = np.median([band.ink for band in bands]) if bands else 0
    bands = sorted((band for band in bands if band.ink >= LEAST * usual), key=lambda band: band.row(ink.shape[1] / 2))
    if not bands or len(bands) > MOST_LINES:
        return []
    owner = _owners(labels, boxes, bands)
    for k in range(1, len(bands) + 1):
        if not is_writing(labels, boxes, owner == k, tall < SMALL * max(ink.shape)):
            owner[owner == k] = 0
        elif things := beside(labels, boxes, owner == k, bands[k - 1].row, tall):
            owner[(owner == k) & np.isin(labels, things)] = 0
    soft = cv2.dilate(owner, np.ones((3, 3), np.uint8))  # with the grey edges of strokes
    return [(ink * (soft == k), band.slope) for k, band in enumerate(bands, 1) if (owner == k).any()]


def _letter_height(boxes: np.ndarray) -> float:
    """Return the height of tall letters, from the boxes of all pieces of ink."""
    order = np.argsort(boxes[:, cv2.CC_STAT_HEIGHT])
    share = np.cumsum(boxes[order, cv2.CC_STAT_AREA]) / boxes[:, cv2.CC_STAT_AREA].sum()
    tall, middling = (boxes[order, cv2.CC_STAT_HEIGHT][np.searchsorted(share, part)] for part in (TALLEST, MEDIAN))
    return float(min(tall, TALLER * middling))


def _find_bands(ink: np.ndarray, tall: float) -> list[Band]:
    """Return the bands that words become when they are blurred along the line."""
    shrunk = max(1.0, tall / COARSE)
    small = cv2.resize(ink, None, fx=1 / shrunk, fy=1 / shrunk, interpolation=cv2.INTER_AREA).astype(np.float32)
    unit = tall / shrunk
    blurred = cv2.GaussianBlur(small, (0, 0), sigmaX=ALONG * unit, sigmaY=max(1, ACROSS * unit))
    around = cv2.dilate(blurred, np.ones((int(3 * unit) | 1, int(6 * unit) | 1), np.uint8))
    labels, boxes = components((blurred > BAND * around).astype(np.uint8))
    bands = []
    for label, (left, top, width, height, _) in enumerate(boxes[1:], 1):
        y, x = np.nonzero(labels[top : top + height, left : left + width] == label)
        y, x = y + top, x + left
        weights, inked = blurred[y, x], x[small[y, x] > 127]
        if not len(inked):
            continue
        slope = np.polyfit(x, y, 1, w=weights)[0] if np.ptp(x) > LEVEL * unit else 0.0
        start = np.average(y, weights=weights) - slope * np.average(x, weights=weights)
        written = float(small[y, x].sum())
        bands.append(Band(inked.min() * shrunk, inked.max() * shrunk, written, float(start * shrunk), float(slope)))
    return bands


def _join(bands: Sequence[Band], tall: float) -> list[Band]:
    """Join the bands that go on in one another, the longest first."""
    lines: list[Band] = []
    for band in sorted(bands, key=lambda band: -band.ink):
        near = [
            line for line in lines if line.apart(band) < tall * (MARK_APART if band.ink < MARK * line.ink else APART)
        ]
        best = min(near, key=lambda line: line.apart(band), default=None)
        if best:
            lines.remove(best)
        lines.append(best.joined(band) if best else band)
    return lines


def _owners(labels: np.ndarray, boxes: np.ndarray, bands: Sequence[Band]) -> np.ndarray:
    """Return for each pixel the number of the line to which its ink belongs, from 1; 0 without ink: (H, W) uint8.

    A piece of ink belongs to the line to which most of it is nearest. One that covers the middles of several lines,
    because a tail touches the next, is cut between them.
    """
    middles = np.stack([band.row(np.arange(labels.shape[1])) for band in bands])  # (lines, W)
    y, x = np.nonzero(labels)
    piece, nearest = labels[y, x], np.abs(middles[:, x] - y).argmin(axis=0)
    votes = np.zeros((len(boxes), len(bands)), np.int64)
    np.add.at(votes, (piece, nearest), 1)
    left, top, wide, high = boxes[:, :4].T
    rows = middles[:, np.minimum(left + wide // 2, labels.shape[1] - 1)]
    several = ((rows > top) & (rows < top + high)).sum(axis=0) > 1
    owner = np.zeros(labels.shape, np.uint8)
    owner[y, x] = 1 + np.where(several[piece], nearest, votes.argmax(axis=1)[piece])
    return owner


def _cut_out(part: tuple[np.ndarray, float], view: np.ndarray) -> WrittenLine:
    """Cut a line out of its page and level it.

    Args:
        part: (H, W) uint8, the ink of the line on the page, and its slope.
        view: leads from the page to the photo, (3, 3).
    """
    ink, slope = part
    left, top, width, height = cv2.boundingRect((ink > 60).astype(np.uint8))
    line, turn = rotate(ink[top : top + height, left : left + width], float(np.degrees(np.arctan(slope))))
    x, y, width, height = cv2.boundingRect((line > 60).astype(np.uint8))
    corners = np.float32([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    shift = np.float64([[1, 0, left], [0, 1, top], [0, 0, 1]])
    back = view @ shift @ np.linalg.inv(np.vstack([turn, [0, 0, 1]]))
    return WrittenLine(
        line[y : y + height, x : x + width], cv2.perspectiveTransform(corners[None], back)[0].astype(np.float32)
    )
