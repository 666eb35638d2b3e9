"""Callbacks that stop a run whose loss is no number, and blame only what they have checked."""

import math
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from lab_kit.command_line import command_line
from lab_kit.errors import UserError

GROWN = 2  # times the first loss: then training has led away from where it began
THROWN = 100  # times the largest weight before: then the first step alone was far too large
ANOMALY = "--detect_anomaly true stops at the operation whose gradient is no number."


def rate_flag(model: pl.LightningModule) -> str:
    """Return the name of the flag that says how large the steps of training are: `lr` or `one_cycle_max_lr`."""
    return "lr" if getattr(model, "one_cycle_max_lr", None) is None else "one_cycle_max_lr"


class SoundStart(pl.Callback):
    """Make sure that weights, pictures, loss and gradient are numbers before the first step of training is made.

    Raises:
        UserError: one of them is not. It cannot be the size of the steps.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._looking = True
        name = _not_finite(pl_module.named_parameters())
        _stop_if(name, trainer, f"{name} is no number before training begins: look at where the weights come from.")

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._looking:
            bad = not math.isfinite(_total(batch))
            _stop_if(bad, trainer, "There is a value that is no number in the first training batch: look at the data.")

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        if self._looking:
            value = float(loss.detach())
            message = (
                f"The loss is {value} before the first step of training, with pictures and weights that are all "
                f"numbers: look at the network, the labels and the loss. {about_float16(trainer)}"
            )
            _stop_if(not math.isfinite(value), trainer, message)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._looking:
            return
        self._looking = False
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            return  # it tries how far gradients can be scaled up, and leaves out the steps where that was too far
        gradients = ((name, weight.grad) for name, weight in pl_module.named_parameters() if weight.grad is not None)
        name = _not_finite(gradients)
        message = f"The first loss is a number, but its gradient at {name} is not: look at the network and the loss."
        _stop_if(name, trainer, f"{message} {about_float16(trainer) or ANOMALY}")


class FiniteLoss(pl.Callback):
    """Stop, with advice, when the loss is no number any more, and before that gets into a checkpoint.

    Raises:
        UserError: the loss is infinite or not a number.
    """

    EVERY = 20  # batches: to look at a loss means to wait for the GPU

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._first = self._last = math.nan  # losses
        self._largest = _largest(pl_module)
        self._thrown: bool | None = None  # known after the first batch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._losses: list[Tensor] = []  # that nobody has looked at yet
        self._totals: list[Tensor] = []  # of the values in their batches

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if outputs and outputs.get("loss") is not None:  # a step may return nothing to skip its batch
            self._losses.append(outputs["loss"].detach().float())
            self._totals.append(_total(batch))
        if self._thrown is None:
            self._thrown = not _largest(pl_module) <= THROWN * self._largest
        if (batch_idx + 1) % self.EVERY == 0:
            self._look_at_batches(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._look_at_batches(trainer, pl_module)
        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if name.endswith("_loss")}
        for name, loss in losses.items():
            if not math.isfinite(loss):
                why = self._about_steps(trainer, pl_module)
                if _not_finite(pl_module.named_parameters()) is None:
                    buffer = _not_finite(pl_module.named_buffers())
                    split = name.removesuffix("_loss").replace("val", "validation")
                    suspect = f"the network's {buffer}" if buffer else f"the {split} pictures"
                    why = f"all weights and the losses of the training batches are numbers. Look at {suspect}."
                self._stop(trainer, f"{name} became {loss} in epoch {trainer.current_epoch + 1}: {why}")

    def _look_at_batches(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        losses, totals = (torch.stack(values).tolist() if values else [] for values in (self._losses, self._totals))
        self._losses, self._totals = [], []
        bad = next((number for number, loss in enumerate(losses) if not math.isfinite(loss)), None)
        for loss in losses[:bad]:
            self._first, self._last = loss if math.isnan(self._first) else self._first, loss
        found = bad is not None
        if not trainer.strategy.reduce_boolean_decision(found, all=False):
            return
        why = self._about_steps(trainer, pl_module)
        if found and not math.isfinite(totals[bad]):
            why = "there is a value that is no number in the batch. Look at the data."
        loss = losses[bad] if found else math.nan  # where another process has found it
        self._stop(trainer, f"The loss became {loss} in epoch {trainer.current_epoch + 1}: {why}")

    def _about_steps(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> str:
        if about := about_float16(trainer):
            return about
        flag = rate_flag(pl_module)
        lower = f"Lower --{flag}, which is {getattr(pl_module, flag, 'not known')}, or add --gradient_clip_val 1."
        if self._thrown or self._last > GROWN * self._first:
            return f"the steps of training are too large. {lower}"
        return f"it had not grown before, so the steps need not be too large. {ANOMALY} {lower}"

    def _stop(self, trainer: pl.Trainer, message: str) -> None:
        best = getattr(trainer.checkpoint_callback, "best_model_path", None)
        kept = (
            f" The best weights so far are kept: {command_line('--load_checkpoint', best)} starts from them."
            if best
            else ""
        )
        raise UserError(message + kept)


def _stop_if(bad: object, trainer: pl.Trainer, message: str) -> None:
    # All processes must stop together: one alone would leave the others waiting for it.
    if trainer.strategy.reduce_boolean_decision(bool(bad), all=False):
        raise UserError(message)


def about_float16(trainer: pl.Trainer) -> str:
    """Return what to know about a run's float16 where a loss is no number; "" for other precisions."""
    if not str(trainer.precision).startswith("16"):
        return ""
    return (
        f"float16 (--precision {trainer.precision}) has no numbers above 65,504, and rounds those below 3e-8 to zero. "
        "See whether it trains with --precision 32-true."
    )


def _not_finite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    """Return the name of the first tensor with a value that is no finite number."""
    return next((name for name, tensor in tensors if not is_lazy(tensor) and not tensor.isfinite().all()), None)


def _largest(module: pl.LightningModule) -> float:
    """Return the largest absolute value of all weights; nan where one is no number."""
    weights = [weight.detach().abs().max().float() for weight in module.parameters() if weight.numel()]
    return float(torch.stack(weights).max()) if weights else 0.0


def _total(batch: Any) -> Tensor:
    """Return the sum of all floating-point numbers in a batch, which is finite if all of them are."""
    parts = batch if isinstance(batch, list | tuple) else [batch]
    totals = [part.sum(dtype=torch.float32) for part in parts if isinstance(part, Tensor) and part.is_floating_point()]
    return sum(totals, start=torch.zeros(()))
