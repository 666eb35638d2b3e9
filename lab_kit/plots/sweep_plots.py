"""Draw a sweep: what each trial came to, the best so far, and which setting mattered."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lab_kit.plots.figures import BLUE, ORANGE, save

MOST_VALUES = 12  # choices of a setting that are drawn


def plot_sweep(
    trials: Sequence[tuple[int, Mapping[str, object], float, bool]],
    importance: Mapping[str, float],
    figure: str,
    lower_is_better: bool,
    path: Path,
) -> None:
    """Draw trials in their order, the best so far, the importance of settings, and the figure over each setting.

    Args:
        trials: number, settings, figure, and whether the trial was ended early, of each.
        importance: the share of the differences that is due to each setting; the largest first.
        figure: the name of the figure.
        lower_is_better: what is best.
        path: of the PNG.
    """
    names = list(importance) or list(trials[0][1])
    rows = 1 + -(-len(names) // 3)
    picture = Figure(figsize=(12, 3.6 * rows), layout="constrained")
    grid = picture.add_gridspec(rows, 6)
    _draw_progress(picture.add_subplot(grid[0, :4]), trials, figure, lower_is_better)
    _draw_importance(picture.add_subplot(grid[0, 4:]), importance)
    for place, name in enumerate(names):
        column = 2 * (place % 3)
        _draw_setting(picture.add_subplot(grid[1 + place // 3, column : column + 2]), trials, name, figure)
    save(picture, path)


def _draw_progress(axes, trials, figure: str, lower_is_better: bool) -> None:
    whole = [(number, value) for number, _, value, ended in trials if not ended]
    early = [(number, value) for number, _, value, ended in trials if ended]
    if early:
        axes.plot(*zip(*early, strict=True), "x", color="#888888", label="ended early")
    if whole:
        axes.plot(*zip(*whole, strict=True), "o", color=BLUE, alpha=0.7, label="trial")
        best, line = None, []
        for number, value in whole:
            better = best is None or (value < best if lower_is_better else value > best)
            best = value if better else best
            line.append((number, best))
        axes.step(*zip(*line, strict=True), where="post", color=ORANGE, linewidth=2, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(figure.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _percent(axes, figure)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)


def _draw_importance(axes, importance: Mapping[str, float]) -> None:
    axes.set_title("Which setting mattered?", fontsize=11)
    if not importance:
        axes.text(0.5, 0.5, "too few trials to say", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    names, shares = list(importance), list(importance.values())
    axes.barh(range(len(names)), shares, color=BLUE)
    axes.set_yticks(range(len(names)), names, fontsize=9, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))


def _draw_setting(axes, trials, name: str, figure: str) -> None:
    points = [(settings[name], value, ended) for _, settings, value, ended in trials if name in settings]
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x, _, _ in points)
    if numbers:
        places = {x: x for x, _, _ in points}
        values = sorted(places)
        if values and values[0] > 0 and values[-1] / values[0] > 30:
            axes.set_xscale("log")
    else:
        words = sorted({str(x) for x, _, _ in points})[:MOST_VALUES]
        places = {word: place for place, word in enumerate(words)}
        axes.set_xticks(range(len(words)), words, fontsize=9, parse_math=False)
        axes.set_xlim(-0.5, len(words) - 0.5)
    for x, value, ended in points:
        place = places.get(x if numbers else str(x))
        if place is not None:
            axes.plot([place], [value], "x" if ended else "o", color="#888888" if ended else BLUE, alpha=0.7)
    axes.set_xlabel(name, parse_math=False)
    axes.set_ylabel(figure.replace("_", " "))
    _percent(axes, figure)
    axes.grid(alpha=0.3)


def _percent(axes, figure: str) -> None:
    if figure.endswith(("_acc", "_cer")):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
