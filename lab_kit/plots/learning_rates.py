"""Plot the curve of the learning-rate finder, and mark the rate that it suggests."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lab_kit.plots.figures import BLUE, RED, save


def plot_learning_rates(rates: np.ndarray, losses: np.ndarray, suggestion: float, path: Path) -> None:
    """Draw the losses (N,) at growing learning rates (N,), with a mark at the suggestion, into a PNG file."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(rates, losses, color=BLUE)
    loss = losses[np.searchsorted(rates, suggestion)]
    axes.plot(suggestion, loss, "o", color=RED, markersize=9)
    text = f"steepest fall: {suggestion:.1e}"
    axes.annotate(text, (suggestion, loss), xytext=(12, 12), textcoords="offset points", color=RED)
    ceiling = losses[0] + 0.5 * (losses[0] - losses.min())
    axes.set(
        xscale="log",
        xlabel="learning rate",
        ylabel="training loss (smoothed)",
        title="Where does the loss fall fastest?",
        ylim=(None, max(ceiling, loss)),
    )
    axes.grid(alpha=0.3)
    save(figure, path)
