"""The learning-rate finder: train with growing rates, and see where the loss falls fast (arXiv:1506.01186)."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl

from lab_kit.errors import UserError
from lab_kit.experiment.finite_loss import SoundStart, about_float16, rate_flag
from lab_kit.experiment.loss_curve import falling_part, smoothed
from lab_kit.experiment.trial import trial_fit
from lab_kit.plots.learning_rates import plot_learning_rates

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LearningRates:
    """What the finder saw: arrays with a value for each learning rate.

    Args:
        rates: the learning rates, growing.
        batch_losses: the training loss of the batch that came with each rate.
        losses: the same, smoothed.
        suggestion: the rate to train with; None if the loss does not fall clearly.
    """

    rates: np.ndarray
    batch_losses: np.ndarray
    losses: np.ndarray
    suggestion: float | None


class GrowingRates(pl.Callback):
    """Give each step of training a larger learning rate than the step before, and note the losses."""

    def __init__(self, rates: np.ndarray) -> None:
        self.rates = rates
        self.tried: list[float] = []
        self.losses: list[float] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.lr_scheduler_configs.clear()  # no other schedule, such as one cycle
        self._first = trainer.global_step

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._rate = self.rates[trainer.global_step - self._first]
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self._rate

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if outputs:  # a step may return nothing to skip its batch
            self.tried.append(self._rate)
            self.losses.append(outputs["loss"].item())


def find_lr(
    trainer: pl.Trainer,
    model: pl.LightningModule,
    data: pl.LightningDataModule,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
) -> LearningRates:
    """Train a few steps with growing learning rates, then put model and trainer back as they were.

    Raises:
        UserError: there is nothing to train on, or the loss is no number from the start.
    """
    growing = GrowingRates(np.geomspace(lowest, highest, steps))
    trial_fit(trainer, model, data, [SoundStart(), growing], steps)
    if not growing.losses:
        raise UserError("There are no training batches to try learning rates on.")
    rates, step = np.unique(growing.tried, return_inverse=True)  # several batches may make one step
    losses = np.bincount(step, growing.losses) / np.bincount(step)
    whole = np.logical_and.accumulate(np.isfinite(losses))  # later losses come from a broken network
    return suggest(rates[whole], losses[whole])


def suggest(rates: np.ndarray, losses: np.ndarray) -> LearningRates:
    """Smooth the losses (N,) at growing rates (N,), and choose a rate from where they fall fast.

    It is not the one where they fall fastest, but the largest that still makes them fall half as fast.
    """
    smooth = smoothed(losses)
    falling = falling_part(losses, smooth)
    if falling is None:
        return LearningRates(rates, losses, smooth, None)
    slope = np.gradient(smooth)[falling]  # along the logarithm of the rate, which grows by equal steps
    steepest = slope.argmin()
    slow = np.append(slope[steepest:] > slope[steepest] / 2, True)
    return LearningRates(rates, losses, smooth, float(rates[falling][steepest + slow.argmax() - 1]))


def suggest_lr(trainer: pl.Trainer, model: pl.LightningModule, data: pl.LightningDataModule, path: Path) -> None:
    """Run the finder, draw its curve into the PNG file `path`, and say which flag to use."""
    log.info("Training a little with ever larger learning rates")
    found = find_lr(trainer, model, data)
    if found.suggestion is None and (about := about_float16(trainer)):
        raise UserError(f"The losses end at a learning rate of {found.rates[-1]:.0e}, and nothing stands out. {about}")
    plot_learning_rates(found.rates, found.batch_losses, found.losses, found.suggestion, path)
    if found.suggestion is None:
        log.warning(
            "Nothing stands out: from %.0e to %.0e, the loss falls by no more than it wavers from batch to batch. "
            "Larger batches waver less (--batch_size). Can the network learn at all? --overfit_batches 2 shows it.",
            found.rates[0],
            found.rates[-1],
        )
    else:
        rate, flag = f"{found.suggestion:.2g}", rate_flag(model)
        one_cycle = f", or --one_cycle_max_lr {rate} to rise to this rate and fall again" if flag == "lr" else ""
        log.info(
            "The loss falls fast up to a learning rate of %s. In place of --find_lr, train with --%s %s%s.",
            rate,
            flag,
            rate,
            one_cycle,
        )
    log.info("Curve: %s", path)
