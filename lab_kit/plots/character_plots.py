"""Plots of a run on single characters: predictions and confusion matrix."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from lab_kit.plots.figures import BLUE, RED, save

HIGH, SIDE = 1.25, 0.86  # of the width of a column: a row, and the sides of a picture in it


def draw(
    labels: Tensor,
    predicted: Tensor,
    confidence: Tensor,
    picture: Callable[[int], Tensor],
    mapping: tuple[str, ...],
    folder: Path,
) -> None:
    """Draw `predictions.png` and `confusion.png`.

    Args:
        labels, predicted, confidence: (N,), as in `Predictions`.
        picture: index -> test picture (H, W) uint8.
        mapping: class index -> name.
        folder: where the pictures go.
    """
    found = Predictions(labels, predicted, confidence)
    plot_predictions(found, picture, mapping, folder / "predictions.png")
    plot_confusion(found, mapping, folder / "confusion.png")


@dataclass(frozen=True)
class Predictions:
    """A model's answers on N pictures.

    Args:
        labels, predicted: (N,) int64 class indices.
        confidence: (N,) float32, the probability that the model gave its answer.
    """

    labels: Tensor
    predicted: Tensor
    confidence: Tensor

    def worst(self, count: int) -> Tensor:
        """Return the indices of the mistakes that the model was most sure of, at most `count`, the surest first."""
        wrong = (self.labels != self.predicted).nonzero().flatten()
        return wrong[self.confidence[wrong].argsort(descending=True, stable=True)][:count]

    def right(self, count: int) -> Tensor:
        """Return the indices of correctly read pictures, at most `count`, spread evenly over the set."""
        right = (self.labels == self.predicted).nonzero().flatten()
        return right[np.unique(np.linspace(0, len(right) - 1, min(count, len(right))).astype(int))]

    def confusion(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes that occur, (K,), and counts (K, K): rows are true classes, columns answers."""
        classes, indices = torch.cat([self.labels, self.predicted]).unique(return_inverse=True)
        true, answers = indices.chunk(2)
        counts = multiclass_confusion_matrix(answers, true, num_classes=max(2, len(classes)))
        return classes.numpy(), counts[: len(classes), : len(classes)].numpy()


def plot_predictions(
    found: Predictions, picture: Callable[[int], Tensor], mapping: tuple[str, ...], path: Path
) -> None:
    """Draw test pictures with the model's answers: some right ones, and its most confident mistakes."""
    columns, rows = 8, 3
    figure = Figure(figsize=(columns * 1.35, rows * 2 * 1.6 + 1))
    accuracy = (found.labels == found.predicted).float().mean()
    right = f"Read correctly ({accuracy:.1%} of {len(found.labels):,} test pictures)"
    wrong = "Most confident mistakes: true → read, and how sure the model was"
    parts = [(0.51, found.right(columns * rows), BLUE, right), (0.0, found.worst(columns * rows), RED, wrong)]
    for bottom, indices, colour, title in parts:
        axes = figure.add_axes((0.01, bottom + 0.01, 0.98, 0.45))  # one for all pictures: each takes time
        axes.set_axis_off()
        axes.set_title(title, fontsize=13, color=colour, fontweight="bold")
        for place, index in enumerate(indices):
            row, column = divmod(place, columns)
            ink, top = picture(index).numpy(), row * HIGH + HIGH - 1
            axes.imshow(ink, cmap="gray_r", vmin=0, vmax=255, extent=(column, column + SIDE, top + SIDE, top))
            true, read = mapping[found.labels[index]], mapping[found.predicted[index]]
            text = read if true == read else f"{true} → {read}  {found.confidence[index]:.0%}"
            look = {"fontsize": 11 if len(text) < 14 else 7, "color": colour, "parse_math": False}
            axes.text(column + SIDE / 2, top - 0.05, text, ha="center", **look)
        axes.set(xlim=(0, columns), ylim=(rows * HIGH, 0), aspect="auto")
    save(figure, path)


def plot_confusion(
    found: Predictions,
    mapping: tuple[str, ...],
    path: Path,
    title: str = "Confusion matrix: share of each true class",
) -> None:
    """Draw the confusion matrix of the classes that occur, as a share of each true class."""
    classes, counts = found.confusion()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(classes) <= 12
    side = 6.5 if few else 13
    figure = Figure(figsize=(side * 1.12, side), layout="constrained")
    axes = figure.add_subplot()
    # A square-root scale, or the mistakes would vanish beside the diagonal.
    picture = axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)
    names = [{" ": "␣", "\n": "↵"}.get(mapping[index], mapping[index]) for index in classes]
    longest = max(map(len, names))
    look = {"fontsize": 11 if few else 8, "parse_math": False}  # a $ in a name is a $
    axes.set_xticks(
        range(len(names)),
        names,
        **look,
        rotation=45 if longest > 3 else 0,
        ha="right" if longest > 3 else "center",
    )
    axes.set_yticks(range(len(names)), names, **look)
    axes.set_xlabel("what the model read", fontsize=12)
    axes.set_ylabel("what it was", fontsize=12)
    axes.set_title(title, fontsize=14, fontweight="bold")
    for row, column in zip(*np.nonzero(counts), strict=True) if few else ():
        dark = share[row, column] > 0.3
        axes.text(
            column, row, counts[row, column], ha="center", va="center", fontsize=8, color="white" if dark else "black"
        )
    bar = figure.colorbar(picture, ax=axes, shrink=0.8)
    ticks = np.array([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1])
    bar.set_ticks(np.sqrt(ticks), labels=[f"{tick:.0%}" for tick in ticks])
    save(figure, path)
