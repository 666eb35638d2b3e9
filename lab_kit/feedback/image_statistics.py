"""Statistics of pictures that need no labels, to detect drift."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

INK_LEVEL = 64  # a pixel with at least this grey level counts as ink
BINS = 10  # the usual number for the population stability index
STATISTICS = ("confidence", "ink", "contrast", "width", "height", "centre")


@dataclass(frozen=True)
class Reference:
    """Statistics of held-out pictures of the training data, with which visitors' pictures are compared.

    Args:
        count: the number of pictures.
        classes: how often each class was read.
        histograms: for each of the `STATISTICS`, the share of pictures in each bin.
        edges: the edges of the bins, one more than there are bins; None means that the bin has no limit there.
    """

    count: int
    classes: dict[str, int]
    histograms: dict[str, list[float]]
    edges: dict[str, list[float | None]]


def image_statistics(inputs: Sequence[np.ndarray], confidences: Sequence[float]) -> dict[str, np.ndarray]:
    """Return each of the `STATISTICS` for N pictures, (N,) float64.

    `confidence` is the confidence of the reading. `ink` and `contrast` are the mean and the standard deviation of the
    pixels, from 0 to 1. `width` and `height` are those of the box around the ink, and `centre` is the distance of its
    centre from the centre of the picture, as shares of the picture's size. Without ink, these three are 0.

    Args:
        inputs: N pictures (C, H, W) uint8, inputs of the network; H and W may differ from one to the next.
        confidences: N confidences of the readings, 0 to 1.
    """
    if len({picture.shape for picture in inputs}) > 1:
        each = [image_statistics([picture], [share]) for picture, share in zip(inputs, confidences, strict=True)]
        return {name: np.concatenate([one[name] for one in each]) for name in STATISTICS}
    inputs = np.asarray(inputs)
    values = inputs.reshape(len(inputs), -1)
    inked = (inputs >= INK_LEVEL).any(axis=1)  # (N, H, W)
    top, bottom = _first_and_last(inked.any(axis=2))
    left, right = _first_and_last(inked.any(axis=1))
    height, width = inked.shape[1:]
    away = np.hypot((left + right) / 2 / width - 0.5, (top + bottom) / 2 / height - 0.5)
    return {
        "confidence": np.array(confidences, dtype=np.float64),
        "ink": values.mean(axis=1) / 255,
        "contrast": values.std(axis=1) / 255,
        "width": (right - left) / width,
        "height": (bottom - top) / height,
        "centre": np.where(inked.any(axis=(1, 2)), away, 0.0),
    }


def measure_reference(
    inputs: Sequence[np.ndarray], texts: Sequence[str], confidences: Sequence[float], count_classes: bool
) -> Reference:
    """Return the statistics of training pictures, with which visitors' pictures are compared later.

    The bins have equal shares of these pictures, as far as the values allow it. The outer bins have no limit.

    Args:
        inputs: N pictures (C, H, W) uint8, held out of the training data.
        texts: N readings.
        confidences: N confidences of the readings, 0 to 1.
        count_classes: whether a reading is one of a few classes, and not a longer text.
    """
    histograms, edges = {}, {}
    for name, values in image_statistics(inputs, confidences).items():
        inner_edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
        counts = np.bincount(np.searchsorted(inner_edges, values, side="right"), minlength=len(inner_edges) + 1)
        histograms[name] = (counts / max(1, len(values))).tolist()
        edges[name] = [None, *inner_edges.tolist(), None]
    classes = dict(sorted(Counter(texts).items())) if count_classes else {}
    return Reference(len(inputs), classes, histograms, edges)


def _first_and_last(marked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first True place (N,) of each row (N, L), and the place after the last; 0 and 0 if there is none."""
    some = marked.any(axis=1)
    first = np.where(some, marked.argmax(axis=1), 0)
    after = np.where(some, marked.shape[1] - marked[:, ::-1].argmax(axis=1), 0)
    return first, after
