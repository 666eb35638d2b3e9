"""Plots of runs on your own pictures: predictions, a grid of each class, highest losses, precision and recall."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lab_kit.plots.character_plots import Predictions, plot_confusion
from lab_kit.plots.figures import BLUE, RED, save

COLUMNS = 6


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
        picture: index -> test picture (C, H, W) uint8.
        mapping: class index -> name.
        folder: where the pictures go.
    """
    found = Predictions(labels, predicted, confidence)
    plot_predictions(found, picture, mapping, folder / "predictions.png")
    plot_confusion(found, mapping, folder / "confusion.png")


def plot_predictions(
    found: Predictions, picture: Callable[[int], Tensor], mapping: tuple[str, ...], path: Path
) -> None:
    """Draw test pictures with the model's answers: its most confident mistakes, and some right ones."""
    accuracy = (found.labels == found.predicted).float().mean()
    parts = [
        (found.worst(2 * COLUMNS), RED, "Most confident mistakes: folder → answer, and how sure the model was"),
        (found.right(2 * COLUMNS), BLUE, f"Right ({accuracy:.1%} of {len(found.labels):,} test pictures)"),
    ]
    rows = [max(1, math.ceil(len(indices) / COLUMNS)) for indices, _, _ in parts]
    figure = Figure(figsize=(COLUMNS * 1.7, sum(rows) * 2.0 + 1), layout="constrained")
    for part, (indices, colour, title) in zip(figure.subfigures(2, 1, height_ratios=rows), parts, strict=True):
        part.suptitle(title if len(indices) else f"{title}: none", fontsize=13, color=colour, fontweight="bold")
        for place, axes in enumerate(part.subplots(len(indices) // COLUMNS or 1, COLUMNS, squeeze=False).flat):
            if place >= len(indices):
                axes.set_axis_off()
                continue
            index = indices[place]
            true, answer = mapping[found.labels[index]], mapping[found.predicted[index]]
            text = answer if true == answer else f"{true} → {answer}\n{found.confidence[index]:.0%}"
            show_picture(axes, picture(index), text, colour)
    save(figure, path)


def plot_grid(data: Any, path: Path, split: str = "train", per_class: int = 8) -> None:
    """Draw some pictures of each class as the network gets them, a row for each: look before you train.

    Args:
        data: a data module of picture files, set up.
        path: of the PNG.
        split: train, val or test.
        per_class: pictures of each class.
    """
    pictures, mapping = data.splits[split], data.config().mapping
    figure = Figure(figsize=(per_class * 0.72 + 1, len(mapping) * 0.75 + 0.4), layout="constrained")
    figure.suptitle(f"{split}: {len(pictures):,} pictures of {len(mapping)} classes", fontsize=11, fontweight="bold")
    labels = pictures.labels[pictures.indices]
    for row, subplots in enumerate(figure.subplots(len(mapping), per_class, squeeze=False)):
        own = pictures.indices[labels == row]
        for place, axes in enumerate(subplots):
            if place < len(own):
                show_picture(axes, pictures.images[own[place]])
            else:
                axes.set_axis_off()
        subplots[0].set_axis_on()
        subplots[0].set_xticks([])
        subplots[0].set_yticks([])
        subplots[0].set_ylabel(
            f"{mapping[row]}\n{len(own)}", rotation=0, ha="right", va="center", fontsize=9, parse_math=False
        )
    save(figure, path)


def plot_top_losses(scores: Any, data: Any, path: Path, count: int = 18) -> None:
    """Draw the pictures that the model was most wrong about: label → answer, split, loss.

    Args:
        scores: losses, labels, answers, splits and indices of all pictures.
        data: the data module that they are of.
        path: of the PNG.
        count: how many pictures, the highest losses first.
    """
    worst = scores.losses.argsort(descending=True, stable=True)[:count].tolist()
    rows = math.ceil(len(worst) / COLUMNS)
    figure = Figure(figsize=(COLUMNS * 1.7, rows * 2.15 + 0.5), layout="constrained")
    figure.suptitle("Highest losses: folder → answer, split, loss", fontsize=13, color=RED, fontweight="bold")
    images, pictures = data.splits["train"].images, data.pictures()
    predicted = scores.predicted
    for place, axes in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).flat):
        if place >= len(worst):
            axes.set_axis_off()
            continue
        k = worst[place]
        label, answer = scores.mapping[scores.labels[k]], scores.mapping[predicted[k]]
        name = pictures[int(scores.indices[k])][1].file.rpartition("/")[2]
        text = f"{label} → {answer}\n{scores.splits[k]} {scores.losses[k]:.2f} {name}"
        show_picture(axes, images[scores.indices[k]], text, "black" if label == answer else RED)
    save(figure, path)


def plot_classes(reports: Sequence[Any], path: Path) -> None:
    """Draw precision and recall of each class: `reports` have `name`, `count`, `precision` and `recall`."""
    figure = Figure(figsize=(7, 0.55 * len(reports) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    places = torch.arange(len(reports)).double()
    for offset, name, colour in ((-0.2, "precision", BLUE), (0.2, "recall", "#E69F00")):
        values = [getattr(report, name) for report in reports]
        bars = axes.barh((places + offset).tolist(), values, height=0.38, color=colour, label=name)
        axes.bar_label(bars, [f"{value:.0%}" for value in values], padding=3, fontsize=9)
    axes.set_yticks(
        places.tolist(), [f"{report.name} ({report.count})" for report in reports], fontsize=11, parse_math=False
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12)
    axes.set_title("Taken for it rightly (precision), and recognised (recall)", fontsize=13, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=2, frameon=False)
    save(figure, path)


def show_picture(axes: Axes, picture: Tensor, title: str = "", colour: str = "black") -> None:
    """Show one picture (C, H, W) uint8."""
    channels = len(picture)
    if channels == 1:
        axes.imshow(picture[0].numpy(), cmap="gray", vmin=0, vmax=255)
    else:
        shown = picture[:3] if channels >= 3 else picture[:1].expand(3, -1, -1)
        axes.imshow(shown.permute(1, 2, 0).numpy())
    axes.set_axis_off()
    axes.set_title(title, fontsize=9, color=colour, parse_math=False)  # a $ in a name is a $
