"""What watches a run from beside the training loop."""

import logging
import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

log = logging.getLogger(__name__)

Batch = tuple[Tensor, Tensor]


class Stopwatch(pl.Callback):
    """Time the training: `seconds` in all, and `samples_per_second` of the training batches, validation left out."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._samples, self._batch_seconds = 0, 0.0
        self._start = self._since = 0.0

    @property
    def samples_per_second(self) -> float:
        return self._samples / self._batch_seconds if self._batch_seconds else 0.0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()

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


class EpochLines(pl.Callback):
    """One line an epoch, for logs and pipes, where a progress bar would be a smear."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        figures = [
            f"{name} {trainer.callback_metrics[name]:.4f}" for name in _SHOWN if name in trainer.callback_metrics
        ]
        seconds = time.perf_counter() - self._start
        log.info("epoch %d/%s: %s (%.0f s)", trainer.current_epoch + 1, trainer.max_epochs, ", ".join(figures), seconds)


_SHOWN = ("train_loss", "train_acc", "val_loss", "val_acc", "val_cer")


class BestMetrics(pl.Callback):
    """Remember the `metrics` of the epoch that the best checkpoint comes from, and that `checkpoint`'s path."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.checkpoint: str | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        monitor = getattr(trainer.checkpoint_callback, "monitor", None) or "train_loss"
        now = {name: float(value) for name, value in trainer.callback_metrics.items() if name != "loss"}
        if now.get(monitor, math.inf) < self.metrics.get(monitor, math.inf) or not self.metrics:
            self.metrics = now

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.checkpoint = getattr(trainer.checkpoint_callback, "best_model_path", None) or None

    def state_dict(self) -> dict[str, Any]:
        return {"metrics": self.metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.metrics = state_dict["metrics"]


class AboutCheckpoint(pl.Callback):
    """Write into each checkpoint what it is a checkpoint of, as plain data.

    Args:
        data_class, model_class: the classes of the run.
        settings: all its flags, as in `config.yaml`.
    """

    def __init__(self, data_class: type, model_class: type, settings: str) -> None:
        self.about = {"data_class": data_class.__name__, "model_class": model_class.__name__, "settings": settings}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        data = trainer.datamodule
        checkpoint["hyper_parameters"] = self.about | {
            "mapping": list(data.config().mapping),
            "source": data.source_used,
        }


class RandomState(pl.Callback):
    """Keep the random state in the checkpoint, so that dropout goes on as if the run had not been interrupted."""

    def state_dict(self) -> dict[str, Any]:
        return {"torch": torch.get_rng_state()} | (
            {"cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_available() else {}
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        restored = getattr(self, "_restored", None)
        if restored is None:
            return
        torch.set_rng_state(restored["torch"].cpu())
        if "cuda" in restored and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([state.cpu() for state in restored["cuda"]])


class HowToGoOn(pl.Callback):
    """After Ctrl-C, say how to go on."""

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        last = Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"
        if isinstance(exception, KeyboardInterrupt) and last.is_file():
            log.warning("Stopped. Go on from the last full epoch with --resume %s", trainer.default_root_dir)


class TestPredictions(pl.Callback):
    """Collect what the model said of each test picture, in the dataset's order.

    After testing, `labels` and `predicted` (int64, (N,) for characters or (N, places) for lines) and `confidence`
    ((N,) float32, the probability that the model gave its answer) are on the CPU.
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
        self.labels, self.predicted, self.confidence = (torch.cat(parts) for parts in zip(*self._batches, strict=True))
