"""Callbacks that add to a checkpoint: which classes and flags it is of, and the random state."""

from typing import Any

import pytorch_lightning as pl
import torch

from lab_kit.experiment.checkpoint import FORMAT


class CheckpointMetadata(pl.Callback):
    """Write into each checkpoint what it is a checkpoint of, as plain data.

    Args:
        data_class, model_class: the classes of the run.
        settings: all its flags, as in `config.yaml`.
    """

    def __init__(self, data_class: type, model_class: type, settings: str) -> None:
        self.about = {
            "format": FORMAT,
            "data_class": data_class.__name__,
            "model_class": model_class.__name__,
            "settings": settings,
        }

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
        return (
            {"torch": torch.get_rng_state()}
            | ({"cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_available() else {})
            | ({"mps": torch.mps.get_rng_state()} if torch.backends.mps.is_available() else {})
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        restored = getattr(self, "_restored", None)
        if restored is None or not trainer.is_global_zero:  # it was that of the first process
            return
        torch.set_rng_state(restored["torch"].cpu())
        if "cuda" in restored and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([state.cpu() for state in restored["cuda"]])
        if "mps" in restored and torch.backends.mps.is_available():
            torch.mps.set_rng_state(restored["mps"].cpu())
