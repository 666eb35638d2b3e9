"""The charts of the drift page, in colours that can be read on light and on dark pages."""

import base64
import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

NOW, BEFORE, SOFT = "#3f82c9", "#d97706", "#7d8089"
HISTOGRAM, TREND = (3.6, 1.5), (5.4, 1.5)  # inches; the page scales them


def histogram(bins: Sequence[tuple[str, float, float]]) -> str:
    """Return a bar chart as a data URL: bars for visitors' pictures now, and lines for the training data.

    Args:
        bins: for each bin its name, the share in training, and the share now.
    """
    names, before, now = zip(*bins, strict=True)
    figure, axes = _axes(HISTOGRAM)
    places = range(len(bins))
    axes.bar(places, now, width=0.76, color=NOW)
    axes.hlines(before, [place - 0.45 for place in places], [place + 0.45 for place in places], color=BEFORE, lw=2)
    if all(len(name) <= 2 for name in names):  # classes
        axes.set_xticks(places, names, parse_math=False)
    else:
        axes.set_xticks([0, len(bins) - 1], [names[0], names[-1]], parse_math=False)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None if max(*before, *now) >= 0.04 else 1))
    return _as_url(figure)


def trend(days: Sequence[tuple[str, float, tuple[float, float]]]) -> str:
    """Return a chart of a share (0 to 1) by day with its interval, as a data URL.

    Args:
        days: for each day its name (2026-11-22), the share and its interval, in order.
    """
    names, shares, intervals = zip(*days, strict=True)
    figure, axes = _axes(TREND)
    places = range(len(days))
    axes.plot(places, shares, color=NOW, alpha=0.5, marker="o", ms=5)
    axes.vlines(places, *zip(*intervals, strict=True), color=NOW, alpha=0.5, lw=2)
    axes.set_xticks([0, len(days) - 1], [names[0][5:], names[-1][5:]])
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    return _as_url(figure)


def _axes(size: tuple[float, float]) -> tuple[Figure, mpl.axes.Axes]:
    figure = Figure(size, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=SOFT, alpha=0.3, lw=0.8)
    axes.set_axisbelow(True)
    axes.locator_params(axis="y", nbins=3)
    axes.tick_params(colors=SOFT, labelsize=8, length=0)
    return figure, axes


def _as_url(figure: Figure) -> str:
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "drift"}):  # the same chart, the same bytes
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(content.getvalue()).decode()
