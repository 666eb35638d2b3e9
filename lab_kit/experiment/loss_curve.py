"""A noisy curve of losses: smooth it, and find the part in which it falls by more than chance."""

import numpy as np

WIDTH = 5  # points: how far smoothing reaches. Nearer to an end, half of a point's neighbours are missing.
NOISE = 2  # times what a loss usually differs from the smooth curve: chance falls by more once in a thousand curves
TINY = 0.01  # of the loss: not worth calling a fall


def smoothed(losses: np.ndarray) -> np.ndarray:
    """Return the mean of each of the losses (N,) and its neighbours, the nearest counting most.

    A loss that has exploded counts no more than `ceiling`, or it would hide all others.
    """
    reach = np.arange(-3 * WIDTH, 3 * WIDTH + 1)
    weights = np.exp(-((reach / WIDTH) ** 2) / 2)
    sums = np.convolve(np.minimum(losses, ceiling(losses)), weights)[reach[-1] : -reach[-1]]
    return sums / np.convolve(np.ones(len(losses)), weights)[reach[-1] : -reach[-1]]


def ceiling(losses: np.ndarray) -> float:
    """Return a loss as far above where the losses (N,) begin as the lowest is below."""
    return 2 * _start(losses) - losses.min()


def falling_part(losses: np.ndarray, smooth: np.ndarray) -> slice | None:
    """Return where the smooth curve falls: before its lowest point, and before it explodes.

    None if it falls by no more than the single losses (N,) waver about it.
    """
    exploded = smooth > (_start(losses) + ceiling(losses)) / 2
    end = int(exploded.argmax()) if exploded.any() else len(smooth)
    lowest = int(smooth[:end].argmin()) if end else 0
    part = slice(WIDTH, min(lowest, len(smooth) - WIDTH) + 1)
    if part.stop - part.start < 2:
        return None
    before, wavering = (np.median(values[: part.stop]) for values in (losses, np.abs(losses - smooth)))
    return part if before - smooth[lowest] > max(NOISE * wavering, TINY * abs(before)) else None


def _start(losses: np.ndarray) -> float:
    """Return the mean of the first losses, whatever a single one of them may be: the median of three means."""
    thirds = np.array_split(losses[: 3 * WIDTH], 3)
    return float(np.median([third.mean() for third in thirds if len(third)]))
