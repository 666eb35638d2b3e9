"""Plots of a run on lines: predictions with errors marked, and confusion matrix."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from lab_kit.plots.character_plots import Predictions, plot_confusion
from lab_kit.plots.figures import BLUE, RED, save

SHOWN = 8  # lines of each kind
ROW_INCHES = 1.12  # of a picture with its two texts below, which together are
PARTS_HEIGHT = 3.1  # times as high as the picture


@dataclass(frozen=True)
class Lines:
    """A model's readings of N lines.

    Args:
        true, read: the texts.
    """

    true: list[str]
    read: list[str]

    @classmethod
    def from_classes(cls, labels: Tensor, predicted: Tensor, mapping: tuple[str, ...]) -> "Lines":
        """Turn classes (N, L) and (N, S) into texts; special tokens, whose names are longer than one character, go."""
        names = [name if len(name) == 1 else "" for name in mapping]
        true, read = (["".join(names[k] for k in row) for row in rows.tolist()] for rows in (labels, predicted))
        return cls(true, read)

    def edits(self) -> np.ndarray:
        """Return how many insertions, deletions and replacements turn what was read into the truth, (N,)."""
        return np.array([Levenshtein.distance(*pair) for pair in zip(self.true, self.read, strict=True)])

    def error_rate(self) -> float:
        """Return all edits per true character."""
        return self.edits().sum() / max(1, sum(map(len, self.true)))

    def usual(self, count: int) -> list[int]:
        """Return the indices of lines spread evenly over the set."""
        return np.unique(np.linspace(0, len(self.true) - 1, min(count, len(self.true))).astype(int)).tolist()

    def worst(self, count: int) -> list[int]:
        """Return the indices of the lines with the most edits, the worst first."""
        edits = self.edits()
        return [index for index in np.argsort(-edits, kind="stable").tolist() if edits[index]][:count]

    def replaced(self) -> tuple[str, str]:
        """Return the true characters and what each was read as, where one stands for one."""
        true, read = [], []
        for pair in zip(self.true, self.read, strict=True):
            for column in align(*pair):
                if all(column):
                    true.append(column[0])
                    read.append(column[1])
        return "".join(true), "".join(read)


def align(true: str, read: str) -> list[tuple[str, str]]:
    """Pair each true character with what was read in its place, with as few edits as possible.

    A character that was left out is paired with an empty string; so is one that was read where there is none.
    """
    columns = []
    for edit in Levenshtein.opcodes(true, read):
        left, right = true[edit.src_start : edit.src_end], read[edit.dest_start : edit.dest_end]
        length = max(len(left), len(right))
        left, right = [*left, *[""] * (length - len(left))], [*right, *[""] * (length - len(right))]
        columns += zip(left, right, strict=True)
    return columns


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
        labels: (N, L) classes.
        predicted: (N, S) classes.
        confidence: (N,), not shown: a line that is right in the whole is rare.
        picture: index -> test picture (H, any width) uint8.
        mapping: class index -> name.
        folder: where the pictures go.
    """
    lines = Lines.from_classes(labels, predicted, mapping)
    plot_predictions(lines, picture, folder / "predictions.png")
    plot_replaced(lines, mapping, folder / "confusion.png")


def plot_replaced(lines: Lines, mapping: tuple[str, ...], path: Path) -> None:
    """Draw the confusion matrix of characters that were read for others, if there is any that stands for one."""
    true, read = (torch.tensor([mapping.index(name) for name in text]) for text in lines.replaced())
    if len(true):
        found = Predictions(true, read, torch.ones(len(true)))
        title = "What was read as what: share of each true character (left out, or read from nothing: not shown)"
        plot_confusion(found, mapping, path, title)


def plot_predictions(lines: Lines, picture: Callable[[int], Tensor], path: Path) -> None:
    """Draw test lines with their true text and what was read, errors marked: some as they come, and the worst."""
    worst = lines.worst(SHOWN)
    parts = [
        (f"Lines as they come (character error rate {lines.error_rate():.1%})", BLUE, lines.usual(SHOWN)),
        ("The lines with the most errors", RED, worst),
    ]
    parts = [part for part in parts if part[2]]
    shown = [[picture(index).numpy() for index in indices] for _, _, indices in parts]
    widths = [max(map(_written_width, lines)) for lines in shown]  # no need to show blank paper
    rows = [len(indices) + 0.4 for _, _, indices in parts]
    inches = max(8, 1 + ROW_INCHES / PARTS_HEIGHT * max(widths) / shown[0][0].shape[0])
    figure = Figure(figsize=(inches, ROW_INCHES * sum(rows)), layout="constrained")
    subfigures = figure.subfigures(len(parts), 1, height_ratios=rows, squeeze=False).flat
    for subfigure, (title, colour, indices), pictures, width in zip(subfigures, parts, shown, widths, strict=True):
        subfigure.suptitle(title, x=0.01, ha="left", fontsize=14, color=colour, fontweight="bold")
        places = subfigure.subplots(len(indices), 1, squeeze=False).flat
        for axes, line, index in zip(places, pictures, indices, strict=True):
            _draw_line(axes, line, align(lines.true[index], lines.read[index]), width)
    save(figure, path)


def _written_width(picture: np.ndarray) -> int:
    columns = np.flatnonzero(picture.any(axis=0))
    return int(columns[-1]) + 1 if len(columns) else picture.shape[1]


def _draw_line(axes: Axes, picture: np.ndarray, columns: list[tuple[str, str]], width: int) -> None:
    height, own_width = picture.shape[0], _written_width(picture)
    axes.imshow(picture[:, :width], cmap="gray_r", vmin=0, vmax=255)
    axes.set(xlim=(0, width), ylim=(PARTS_HEIGHT * height, 0))
    axes.set_axis_off()
    axes.set_anchor("W")
    # A text stands below its picture; where each character has a box and nothing overlaps, below its boxes.
    pitch = own_width / max(own_width / height, len(columns))
    true_y, read_y = 1.55 * height, 2.45 * height
    for y, name in ((true_y, "true"), (read_y, "read")):
        axes.text(-0.01 * width, y, name, ha="right", va="center", fontsize=9, color="gray")
    for place, (true, read) in enumerate(columns):
        x = (place + 0.5) * pitch
        wrong = true != read
        style = {"family": "monospace", "fontsize": 12, "ha": "center", "va": "center"}
        axes.text(x, true_y, _visible(true, wrong), **style, color="black")
        mark = {"color": "white", "fontweight": "bold", "bbox": {"facecolor": RED, "edgecolor": "none", "pad": 1.5}}
        axes.text(x, read_y, _visible(read, wrong), **style, **(mark if wrong else {"color": "black"}))


def _visible(character: str, wrong: bool) -> str:
    # U+2423 is the sign for a space; nothing at all is a dash, which no text here is long enough to have.
    return {" ": "\u2423" if wrong else " ", "": "\u2013"}.get(character, character).replace("$", r"\$")
