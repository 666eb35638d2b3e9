"""Make the Trainer that the flags describe, with the callbacks that every run needs."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lab_kit.errors import UserError
from lab_kit.experiment import console, hardware
from lab_kit.experiment.callbacks import EpochLines, MetricsFile
from lab_kit.experiment.checkpoint_callbacks import CheckpointMetadata, RandomState
from lab_kit.experiment.checkpoint_io import AtomicCheckpointIO
from lab_kit.experiment.cli import Config
from lab_kit.experiment.finite_loss import FiniteLoss, SoundStart
from lab_kit.experiment.free_cores import FreeCores
from lab_kit.experiment.run_folder import RunFolder
from lab_kit.experiment.tracking import Recording, make_logger
from lab_kit.experiment.trainer_flags import PROFILERS, EnoughBatches, check_flags, check_launched

_watching: ContextVar[tuple[pl.Callback, ...]] = ContextVar("callbacks", default=())


@contextmanager
def watched_by(*callbacks: pl.Callback) -> Iterator[None]:
    """Let callbacks watch all Trainers that are made meanwhile: for programs that run others, as a sweep does."""
    token = _watching.set(callbacks)
    try:
        yield
    finally:
        _watching.reset(token)


def make_trainer(config: Config, run: Any, folder: RunFolder, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    """Return a Trainer for one run.

    Args:
        config: all flags; those of `pl.Trainer` go to it.
        run: the run's own options.
        folder: where checkpoints, metrics and logs go.
        callbacks: what else watches the run.

    Raises:
        UserError: these settings make no sense, or Lightning refuses them.
    """
    check_flags(config.settings, run)
    settings = config.kwargs_for(pl.Trainer) | {"default_root_dir": folder.path}
    settings["logger"] = make_logger(run.logger, folder.path, f"{run.data_class}-{run.model_class}")
    settings["max_epochs"] = run.max_epochs
    settings["plugins"] = [AtomicCheckpointIO()]
    settings["use_distributed_sampler"] = False  # the data module shares the samples out
    settings |= hardware.trainer_devices(run.gpus, settings["accelerator"], settings["devices"])
    if settings["precision"] is None:
        settings["precision"] = hardware.fast_precision(settings["accelerator"]) if run.tune else "32-true"
    if settings["profiler"] is not None:  # by its name alone, its report would be a message of Lightning's
        settings["profiler"] = PROFILERS[settings["profiler"]](dirpath=folder.path, filename="profile")
    in_terminal = console.is_terminal()
    settings["enable_progress_bar"] = in_terminal and settings["enable_progress_bar"] is not False
    settings["enable_model_summary"] = bool(settings["enable_model_summary"])
    monitor = "train_loss" if settings["limit_val_batches"] == 0 else "val_loss"
    settings["callbacks"] = [
        *callbacks,
        CheckpointMetadata(config.data_class, config.model_class, config.yaml),
        RandomState(),
        EnoughBatches(),
        SoundStart(),
        FiniteLoss(),
        MetricsFile(folder.path / "metrics.csv"),
        Recording(config.settings.as_dict(), folder.path),
        *([FreeCores()] if run.tune and "OMP_NUM_THREADS" not in os.environ else []),
        *_watching.get(),
        *folder.checkpoints(monitor),
        *([_stop_early(monitor, run.stop_early)] if run.stop_early else []),
        *([] if in_terminal else [EpochLines()]),
        *([console.ProgressBar()] if settings["enable_progress_bar"] else []),
    ]
    try:
        trainer = pl.Trainer(**settings)
    except (MisconfigurationException, ImportError, OverflowError, ValueError, TypeError) as error:
        raise UserError(f"The Trainer refuses these settings: {error}") from error
    check_launched(trainer)
    return trainer


def _stop_early(monitor: str, patience: int) -> pl.callbacks.EarlyStopping:
    # Whenever there has been a validation: not every epoch has one, as with --max_steps or --check_val_every_n_epoch.
    return pl.callbacks.EarlyStopping(monitor, patience=patience, check_on_train_epoch_end=monitor.startswith("train"))
