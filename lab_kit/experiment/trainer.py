"""Make the Trainer that the flags describe, with the callbacks that every run needs."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lab_kit.errors import UserError
from lab_kit.experiment import console, hardware
from lab_kit.experiment.callbacks import EpochLines, FiniteLoss, MetricsFile
from lab_kit.experiment.checkpoint_callbacks import CheckpointMetadata, RandomState
from lab_kit.experiment.checkpoint_io import AtomicCheckpointIO
from lab_kit.experiment.cli import Config
from lab_kit.experiment.run_folder import RunFolder


def make_trainer(config: Config, run: Any, folder: RunFolder, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    """Return a Trainer for one run.

    Args:
        config: all flags; those of `pl.Trainer` go to it.
        run: the run's own options: `gpus`, `stop_early` and `tune`.
        folder: where checkpoints, metrics and logs go.
        callbacks: what else watches the run.

    Raises:
        UserError: Lightning refuses these settings.
    """
    settings = config.kwargs_for(pl.Trainer) | {"logger": folder.loggers(), "default_root_dir": folder.path}
    settings["plugins"] = [AtomicCheckpointIO()]
    settings["use_distributed_sampler"] = False  # the data module shares the samples out
    settings |= hardware.trainer_devices(run.gpus, settings["accelerator"], settings["devices"])
    if settings["precision"] is None:
        settings["precision"] = hardware.fast_precision(settings["accelerator"]) if run.tune else "32-true"
    in_terminal = console.is_terminal()
    settings["enable_progress_bar"] = in_terminal and settings["enable_progress_bar"] is not False
    settings["enable_model_summary"] = bool(settings["enable_model_summary"])
    monitor = "train_loss" if settings["limit_val_batches"] == 0 else "val_loss"
    settings["callbacks"] = [
        *callbacks,
        CheckpointMetadata(config.data_class, config.model_class, config.yaml),
        RandomState(),
        FiniteLoss(),
        MetricsFile(folder.path / "metrics.csv"),
        *folder.checkpoints(monitor),
        *([pl.callbacks.EarlyStopping(monitor, patience=run.stop_early)] if run.stop_early else []),
        *([] if in_terminal else [EpochLines()]),
        *([console.ProgressBar()] if settings["enable_progress_bar"] else []),
    ]
    try:
        return pl.Trainer(**settings)
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise UserError(f"The Trainer refuses these settings: {error}") from error
