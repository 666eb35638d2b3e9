"""Draw groups of runs beside each other: each run, the mean, and its interval; and their learning curves."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lab_kit.plots.figures import BLUE, ORANGE, RED, save
from lab_kit.runs.groups import Group

MOST = 20  # groups in a picture: the best
MOST_CURVES = 6
COLOURS = (BLUE, ORANGE, RED, "#009E73", "#CC79A7", "#56B4E9")  # Okabe and Ito's others
LONGEST = 48  # characters of a name


def plot_comparison(groups: Sequence[Group], figure: str, path: Path) -> None:
    """Draw what came out of each group of runs, the best at the top, and how its runs got there.

    Args:
        groups: the best first.
        figure: what they are judged by, such as `val_acc`.
        path: of the PNG.
    """
    shown = groups[:MOST]
    has_curves = any(figure in run.curves for group in shown for run in group.runs)
    picture = Figure(figsize=(12 if has_curves else 7, 1.8 + 0.42 * max(len(shown), 6)), layout="constrained")
    axes = picture.subplots(1, 1 + has_curves, squeeze=False)[0]
    _draw_results(axes[0], shown, figure)
    if has_curves:
        _draw_curves(axes[1], shown[:MOST_CURVES], figure)
    if len(groups) > MOST:
        picture.suptitle(f"The best {MOST} of {len(groups)} settings", fontsize=11)
    save(picture, path)


def _draw_results(axes, groups: Sequence[Group], figure: str) -> None:
    for row, group in enumerate(groups):
        colour = COLOURS[row] if row < MOST_CURVES else "#666666"
        values, margin = group.values(figure), group.margin(figure)
        axes.plot(values, [row] * len(values), "o", color=colour, alpha=0.45, markersize=6)
        axes.plot([group.mean(figure)], [row], "|", color=colour, markersize=18, markeredgewidth=2.5)
        if margin is not None:
            axes.errorbar([group.mean(figure)], [row], xerr=margin, color=colour, capsize=4, linewidth=1.5)
    axes.set_yticks(range(len(groups)), [_short(group.name) for group in groups], fontsize=9, parse_math=False)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlabel(f"{figure.replace('_', ' ')}: the best epoch of each seed, the mean, and its 95% interval")
    if figure.endswith(("_acc", "_cer")):
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.3)


def _draw_curves(axes, groups: Sequence[Group], figure: str) -> None:
    for group, colour in zip(groups, COLOURS, strict=False):
        for number, run in enumerate(run for run in group.runs if figure in run.curves):
            epochs, values = run.curves[figure]
            label = _short(group.name) if number == 0 else None
            axes.plot(epochs, values, "o-", color=colour, alpha=0.7, markersize=3, linewidth=1.2, label=label)
    axes.set_xlabel("epoch")
    axes.set_title(f"{figure.replace('_', ' ')} after each epoch", fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if figure.endswith(("_acc", "_cer")):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.3)
    for text in axes.legend(fontsize=8).get_texts():
        text.set_parse_math(False)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
