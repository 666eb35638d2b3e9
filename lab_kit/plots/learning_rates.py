"""Plot the curve of the learning-rate finder, and mark the rate that it suggests."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lab_kit.plots.figures import BLUE, RED, save


def plot_learning_rates(
    rates: np.ndarray, batch_losses: np.ndarray, smooth: np.ndarray, suggestion: float | None, path: Path
) -> None:
    """Draw the losses of single batches (N,) and the smooth curve (N,) at growing rates (N,) into a PNG file.

    The suggestion is marked, if there is one.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(rates, batch_losses, ".", color=BLUE, alpha=0.35, label="of each batch")
    axes.plot(rates, smooth, color=BLUE, label="smoothed")
    title = "Nothing stands out from the noise"
    if suggestion is not None:
        title = "Up to which learning rate does the loss fall fast?"
        loss = smooth[np.searchsorted(rates, suggestion)]
        axes.plot(suggestion, loss, "o", color=RED, markersize=9, label=f"suggested: {suggestion:.2g}")
    # Losses that have exploded are left out; the smooth curve never leaves the picture.
    lowest, highest = min(batch_losses.min(), smooth.min()), smooth.max()
    margin = 0.05 * (highest - lowest) or 1.0
    axes.set(
        xscale="log",
        xlabel="learning rate",
        ylabel="training loss",
        title=title,
        ylim=(lowest - margin, highest + margin),
    )
    axes.legend()
    axes.grid(alpha=0.3)
    save(figure, path)
