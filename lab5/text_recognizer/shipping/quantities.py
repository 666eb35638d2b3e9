"""What can be measured of any picture without knowing what it shows: where drift shows first."""

from collections.abc import Sequence

import numpy as np

from text_recognizer.shipping.decoding import Reading
from text_recognizer.shipping.model_card import Reference

INKED = 64  # grey levels from which a pixel counts as ink
BINS = 10  # as many as the population stability index is usually taken over
QUANTITIES = ("confidence", "ink", "contrast", "width", "height", "centre")


def measured(inputs: np.ndarray, readings: Sequence[Reading]) -> dict[str, np.ndarray]:
    """Return each of the `QUANTITIES`, (N,) float64.

    `confidence` is the reading's; `ink` and `contrast` are mean and standard deviation of the pixels, on the scale 0 to
    1; `width` and `height` are those of the ink's box, and `centre` is how far the middle of that box is from the
    picture's, all as shares of the picture's size. Without ink, all three are 0.

    Args:
        inputs: (N, C, H, W) uint8, what the network saw.
        readings: N, what it read.
    """
    values = inputs.reshape(len(inputs), -1)
    inked = (inputs >= INKED).any(axis=1)  # (N, H, W)
    top, bottom = _ends(inked.any(axis=2))
    left, right = _ends(inked.any(axis=1))
    height, width = inked.shape[1:]
    away = np.hypot((left + right) / 2 / width - 0.5, (top + bottom) / 2 / height - 0.5)
    return {
        "confidence": np.array([reading.confidence for reading in readings], dtype=np.float64),
        "ink": values.mean(axis=1) / 255,
        "contrast": values.std(axis=1) / 255,
        "width": (right - left) / width,
        "height": (bottom - top) / height,
        "centre": np.where(inked.any(axis=(1, 2)), away, 0.0),
    }


def reference(inputs: np.ndarray, readings: Sequence[Reading], count_classes: bool) -> Reference:
    """Return what `drift` compares with.

    Bins have equal shares of these pictures where values allow it, and no outer edges: nothing falls outside.

    Args:
        inputs: (N, C, H, W) uint8, held-out pictures of the training data.
        readings: N, what the network read.
        count_classes: whether what is read is one of a few classes, and not a text.
    """
    histograms, edges = {}, {}
    for name, values in measured(inputs, readings).items():
        inner = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
        counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1)
        histograms[name] = (counts / max(1, len(values))).tolist()
        edges[name] = [None, *inner.tolist(), None]
    read = [reading.text for reading in readings]
    classes = {text: read.count(text) for text in sorted(set(read))} if count_classes else {}
    return Reference(len(inputs), classes, histograms, edges)


def _ends(marked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first marked place (N,) of each row (N, L), and the one behind the last; 0 and 0 without any."""
    some = marked.any(axis=1)
    first = np.where(some, marked.argmax(axis=1), 0)
    behind = np.where(some, marked.shape[1] - marked[:, ::-1].argmax(axis=1), 0)
    return first, behind
