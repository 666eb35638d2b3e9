"""Lines of any width: how wide a network sees them, and batches of lines of one width."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

STEP = 16  # pixels: a line is as wide as a multiple of it, as in training
MARGIN = 6  # pixels of paper to the right of the ink, at least
WIDEST = 8192  # pixels: what is wider is squeezed


def trim(line: np.ndarray) -> np.ndarray:
    """Return a line (C, H, any width) uint8 with as much paper at its right as belongs there, however much there was.

    What a network says of a column depends on all the others, so this paper must not depend on what came with the line.
    """
    ends = np.flatnonzero(line.any(axis=(0, 1)))[-1:]
    written = line[:, :, : int(ends[0]) + 1 if len(ends) else 1]
    if written.shape[2] > WIDEST - MARGIN:
        size = (WIDEST - MARGIN, written.shape[1])
        written = np.stack([cv2.resize(channel, size, interpolation=cv2.INTER_AREA) for channel in written])
    width = -(-(written.shape[2] + MARGIN) // STEP) * STEP
    return np.pad(written, ((0, 0), (0, 0), (0, width - written.shape[2])))


def by_width(lines: Sequence[np.ndarray]) -> Iterator[tuple[list[int], np.ndarray]]:
    """Trim lines (C, H, any width) uint8; yield the places of those of one width, and these, (n, C, H, W)."""
    trimmed = [trim(line) for line in lines]
    for width in sorted({line.shape[2] for line in trimmed}):
        places = [k for k, line in enumerate(trimmed) if line.shape[2] == width]
        yield places, np.stack([trimmed[k] for k in places])
