"""Callbacks that time a run, log it, and keep its figures."""

import csv
import io
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lab_kit import atomic_write
from lab_kit.experiment import distributed

log = logging.getLogger(__name__)

Batch = tuple[Tensor, Tensor]


class Stopwatch(pl.Callback):
    """Time the training: `seconds` in all, and `samples_per_second` of the training batches, validation left out.

    A resumed run counts on from its checkpoint.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._samples, self._batch_seconds = 0, 0.0
        self._start = self._since = 0.0

    @property
    def samples_per_second(self) -> float:  # of this process
        return self._samples / self._batch_seconds if self._batch_seconds else 0.0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter() - self.seconds

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self._samples += len(batch[0])
        self._batch_seconds += now - self._since
        self._since = now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.perf_counter()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = time.perf_counter() - self._start

    def state_dict(self) -> dict[str, Any]:
        seconds = time.perf_counter() - self._start
        return {"seconds": seconds, "samples": self._samples, "batch_seconds": self._batch_seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]
        self._samples, self._batch_seconds = state_dict["samples"], state_dict["batch_seconds"]


class _Fresh(pl.Callback):
    """Knows what was measured in this epoch: Lightning keeps the figures of the last validation until the next."""

    def __init__(self) -> None:
        self._validated = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    def measured(self, trainer: pl.Trainer) -> dict[str, float]:
        """Return the figures of the epoch that ends."""
        validated, self._validated = self._validated, False
        return {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name != "loss" and (validated or not name.startswith("val_"))
        }


class EpochLines(_Fresh):
    """One line an epoch, for logs and pipes, where a progress bar would be a smear."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        measured = self.measured(trainer)
        figures = [f"{name} {measured[name]:.4f}" for name in _SHOWN if name in measured]
        seconds = time.perf_counter() - self._start
        log.info("epoch %d/%s: %s (%.0f s)", trainer.current_epoch + 1, trainer.max_epochs, ", ".join(figures), seconds)


_SHOWN = ("train_loss", "train_acc", "val_loss", "val_acc", "val_cer")


class BestMetrics(pl.Callback):
    """Remember the `metrics` of the epoch that the best checkpoint comes from, and that `checkpoint`'s path.

    `about` says which epoch that is (`best_epoch`, from 1), of how many (`epochs`), and which of the metrics is lowest
    in it (`best_by`).
    """

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.about: dict[str, int | str] = {}
        self.checkpoint: str | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        monitor = getattr(trainer.checkpoint_callback, "monitor", None) or "train_loss"
        now = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if now.get(monitor, math.inf) < self.metrics.get(monitor, math.inf) or not self.metrics:
            self.metrics = now
            if monitor in now:
                self.about |= {"best_epoch": trainer.current_epoch + 1, "best_by": monitor}
        self.about["epochs"] = trainer.current_epoch + 1

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.checkpoint = getattr(trainer.checkpoint_callback, "best_model_path", None) or None

    def state_dict(self) -> dict[str, Any]:
        return {"metrics": self.metrics, "about": self.about}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.metrics, self.about = state_dict["metrics"], dict(state_dict.get("about", {}))


class MetricsFile(_Fresh):
    """Write `metrics.csv`: a row for each epoch, with `epoch` (from 0), `step`, and what was measured.

    The rows are part of the checkpoint, so that a resumed run has each epoch once.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **self.measured(trainer)})
        if trainer.is_global_zero:
            text = io.StringIO()
            writer = csv.DictWriter(text, fieldnames=list(dict.fromkeys(name for row in self.rows for name in row)))
            writer.writeheader()
            writer.writerows(self.rows)
            atomic_write.write_text(text.getvalue(), self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])


class TestPredictions(pl.Callback):
    """Collect what the model said of each test picture, in the dataset's order.

    After testing, `labels` and `predicted` (int64, (N,) for characters or (N, places) for lines) and `confidence`
    ((N,) float32, the probability that the model gave its answer) are on the CPU; and `plots` says what else the model
    wants to have drawn: a function of a path for each file name.
    """

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: tuple[Tensor, Tensor],
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        predicted, confidence = outputs
        self._batches.append((batch[1].cpu(), predicted.cpu(), confidence.cpu()))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._batches = distributed.gather_in_order(self._batches)
        self.labels, self.predicted, self.confidence = (torch.cat(parts) for parts in zip(*self._batches, strict=True))
        has_plots = trainer.is_global_zero and hasattr(pl_module, "plots")
        self.plots: dict[str, Callable[[Path], None]] = pl_module.plots() if has_plots else {}
