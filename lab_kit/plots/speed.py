"""Plot the speed of a shipped model: single pictures, and batches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from lab_kit.plots.figures import BLUE, RED, save


def plot_speed(
    results: dict[str, dict[str, Any]], names: dict[str, str], percentiles: Sequence[int], path: Path
) -> None:
    """Draw how long one picture takes, and what batches give.

    Args:
        results: of each backend: `p50_ms` and so on, and `batch_ms`, milliseconds by batch size.
        names: of the backends.
        percentiles: of the times of one picture.
        path: of the PNG.
    """
    colours = {"torch": RED, "onnx": BLUE, "int8": "#009E73"}
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for row, (backend, of) in enumerate(results.items()):
        times = [of[f"p{p}_ms"] for p in percentiles]
        left.plot([times[0], times[-1]], [row, row], color=colours[backend], linewidth=3, alpha=0.4)
        for value, marker, p in zip(times, "o|D", percentiles, strict=True):
            left.plot(value, row, marker, color=colours[backend], markersize=10, markeredgewidth=2)
            place, align = ((0, 11), "bottom") if p != 95 else ((0, -11), "top")  # or neighbours would overlap
            about = {"textcoords": "offset points", "ha": "center", "va": align, "size": 8}
            left.annotate(f"p{p}: {value:.2f}", (value, row), place, **about)
        sizes = sorted(of["batch_ms"])
        waits = [of["batch_ms"][size] for size in sizes]
        rates = [1e3 * size / wait for size, wait in zip(sizes, waits, strict=True)]
        right.plot(waits, rates, "o-", color=colours[backend], label=names[backend], markersize=4)
        for size, wait, rate in zip(sizes, waits, rates, strict=True):
            if size in (1, 8, 64):
                right.annotate(str(size), (wait, rate), (4, -11), textcoords="offset points", size=8)
    left.set_yticks(range(len(results)), [names[backend] for backend in results])
    left.set_ylim(len(results) - 0.5, -0.6)
    left.set_xscale("log")
    right.set_xscale("log")
    for axes in (left, right):
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(_some_minor)
    left.set_xlabel("milliseconds for one picture")
    left.set_title("How long one picture takes", fontsize=13)
    right.set_xlabel("milliseconds until all pictures of a batch (1, 8, 64, ...) are answered")
    right.set_ylabel("pictures per second")
    right.set_title("What batching gives, and what it costs", fontsize=13)
    right.set_ylim(bottom=0)
    left.margins(x=0.15)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
    save(figure, path)


def _some_minor(value: float, _: int) -> str:
    """Label 2 and 5 between the powers of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""
