"""Plots of a run on pages: what was read beside the page, and confusion matrix."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lab_kit.plots.figures import BLUE, RED, save
from lab_kit.plots.line_plots import Lines, align, plot_replaced

SHOWN = 3  # pages of each kind
SIDE = 4.5  # inches of a page and of the text beside it
LINES = 16  # of text that have room beside a page


def draw(
    labels: Tensor,
    predicted: Tensor,
    confidence: Tensor,
    picture: Callable[[int], Tensor],
    mapping: tuple[str, ...],
    folder: Path,
) -> None:
    """Draw `predictions.png` and `confusion.png`; the arguments are those of `line_plots.draw`, for pages."""
    pages = Lines.from_classes(labels, predicted, mapping)
    plot_predictions(pages, picture, folder / "predictions.png")
    plot_replaced(pages, mapping, folder / "confusion.png")


def plot_predictions(pages: Lines, picture: Callable[[int], Tensor], path: Path) -> None:
    """Draw test pages with what was read beside them, errors marked: some as they come, and the worst."""
    parts = [
        (f"Pages as they come (character error rate {pages.error_rate():.1%})", BLUE, pages.usual(SHOWN)),
        ("The pages with the most errors; left out: \u2013", RED, pages.worst(SHOWN)),
    ]
    parts = [part for part in parts if part[2]]
    rows = [len(indices) for _, _, indices in parts]
    figure = Figure(figsize=(2 * SIDE, (SIDE + 0.3) * sum(rows)), layout="constrained")
    subfigures = figure.subfigures(len(parts), 1, height_ratios=rows, squeeze=False).flat
    for subfigure, (title, colour, indices) in zip(subfigures, parts, strict=True):
        subfigure.suptitle(title, x=0.01, ha="left", fontsize=14, color=colour, fontweight="bold")
        for (left, right), index in zip(subfigure.subplots(len(indices), 2, squeeze=False), indices, strict=True):
            left.imshow(picture(index).numpy(), cmap="gray_r", vmin=0, vmax=255)
            left.set_axis_off()
            _write(right, align(pages.true[index], pages.read[index]))
    save(figure, path)


def _write(axes: Axes, columns: list[tuple[str, str]]) -> None:
    """Write what was read, line below line; a wrong character, or a dash for one that was left out, is marked."""
    axes.set(xlim=(0, 60), ylim=(LINES, 0))
    axes.set_axis_off()
    x, y = 0, 1
    for true, read in columns:
        if read == "\n" == true:
            x, y = 0, y + 1
            continue
        shown = {"": "\u2013", "\n": "\u21b5"}.get(read, read).replace("$", r"\$")
        style = {"color": "black"} if true == read else {"color": RED, "fontweight": "bold"}
        axes.text(x, y, shown, family="monospace", fontsize=7, **style)
        x += 1
