"""The learning-rate finder: try growing learning rates, and find where the loss falls fastest (arXiv:1506.01186)."""

import logging
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.tuner import Tuner
from pytorch_lightning.utilities.seed import isolate_rng

from lab_kit.errors import UserError
from lab_kit.plots.learning_rates import plot_learning_rates

log = logging.getLogger(__name__)

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


def suggest_lr(trainer: pl.Trainer, model: pl.LightningModule, data: pl.LightningDataModule, path: Path) -> None:
    """Run the finder, draw its curve into the PNG file `path`, and say which flag to use."""
    found = find_lr(trainer, model, data)
    plot_learning_rates(found.rates, found.losses, found.suggestion, path)
    log.info(
        "The loss falls fastest at a learning rate of %.1e: train with --lr %.1e in place of --find_lr.",
        found.suggestion,
        found.suggestion,
    )
    log.info("Curve: %s", path)
