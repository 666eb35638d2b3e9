"""The learning-rate finder: try ever larger steps, and see where the loss falls fastest (Smith, arXiv:1506.01186)."""

import logging
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from matplotlib.figure import Figure
from pytorch_lightning.tuner import Tuner
from pytorch_lightning.utilities.seed import isolate_rng

from text_recognizer.errors import UserError
from training import report

SKIP_FIRST = 5  # steps before the smoothed loss means anything


@dataclass(frozen=True)
class LearningRates:
    """The finder's curve: smoothed training `losses` at growing learning `rates`, and the `suggestion`."""

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def find_lr(
    trainer: pl.Trainer,
    model: pl.LightningModule,
    data: pl.LightningDataModule,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
) -> LearningRates:
    """Train a few steps with growing learning rates, then put weights and random states back as they were.

    The suggestion is where the loss falls fastest along the logarithm of the rate.

    Raises:
        UserError: there are too few batches to see anything.
    """
    logging.getLogger("pytorch_lightning.tuner").setLevel(logging.ERROR)
    with isolate_rng(), redirect_stderr(sys.stdout):  # its progress bar is no error
        finder = Tuner(trainer).lr_find(model, datamodule=data, min_lr=lowest, max_lr=highest, num_training=steps)
    # The last points are where the loss has blown up and the search has stopped.
    rates, losses = (np.array(finder.results[name][SKIP_FIRST:-1]) for name in ("lr", "loss"))
    finite = np.isfinite(losses)
    rates, losses = rates[finite], losses[finite]
    if len(rates) < 10:
        raise UserError("The learning-rate finder saw too few batches. Lower --batch_size, or raise --max_epochs.")
    fall = np.gradient(losses, np.log(rates))
    before_minimum = max(1, int(losses.argmin()))
    return LearningRates(rates, losses, float(rates[fall[:before_minimum].argmin()]))


def plot_learning_rates(found: LearningRates, path: Path) -> None:
    """Draw the curve and mark the suggestion."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(found.rates, found.losses, color="#0072B2")
    at = np.searchsorted(found.rates, found.suggestion)
    axes.plot(found.suggestion, found.losses[at], "o", color="#D55E00", markersize=9)
    axes.annotate(
        f"steepest fall: {found.suggestion:.1e}",
        (found.suggestion, found.losses[at]),
        xytext=(12, 12),
        textcoords="offset points",
        color="#D55E00",
    )
    ceiling = found.losses[0] + 0.5 * (found.losses[0] - found.losses.min())
    axes.set(
        xscale="log",
        xlabel="learning rate",
        ylabel="training loss (smoothed)",
        title="Where does the loss fall fastest?",
        ylim=(None, max(ceiling, found.losses[at])),
    )
    axes.grid(alpha=0.3)
    report.save(figure, path)
