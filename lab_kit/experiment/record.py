"""What a run keeps for its final report: best metrics, time, test predictions."""

from typing import Any

import pytorch_lightning as pl

from lab_kit.experiment import distributed, hardware
from lab_kit.experiment.callbacks import BestMetrics, Stopwatch, TestPredictions
from lab_kit.experiment.checkpoint import load_weights


class RunRecord:
    """The callbacks that watch a run, and what they have seen: the Trainer gets `callbacks`."""

    def __init__(self) -> None:
        self.best, self.stopwatch, self.predictions = BestMetrics(), Stopwatch(), TestPredictions()

    @property
    def callbacks(self) -> list[pl.Callback]:
        return [self.best, self.stopwatch, self.predictions]

    def load_best_weights(self, trainer: pl.Trainer, model: pl.LightningModule) -> dict[str, Any]:
        """Put the weights of the best epoch into the model; return its number and metrics, and the run's speed."""
        if self.best.checkpoint and trainer.is_global_zero:
            mapping = trainer.datamodule.config().mapping
            load_weights(model, self.best.checkpoint, type(model.model).__name__, mapping)
        distributed.broadcast_weights(trainer, model)
        speed = self.stopwatch.samples_per_second * trainer.world_size
        return self.best.about | self.best.metrics | {"seconds": self.stopwatch.seconds, "samples_per_second": speed}


def run_facts(trainer: pl.Trainer, model: pl.LightningModule, data: Any, tuned: bool) -> dict[str, Any]:
    """Return where the data comes from, on what the run calculates, and how many weights it trains."""
    return {
        "source": data.source_used,
        "hardware": hardware.describe(trainer, tuned),
        "parameters": sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
    }
