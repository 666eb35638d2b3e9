"""Refuse values of the Trainer's flags that Lightning takes, and stumbles over later; some only after the training."""

import logging
import os
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler

from lab_kit.checks import check_at_least
from lab_kit.errors import UserError, nearest
from lab_kit.limits import usable_cores

log = logging.getLogger(__name__)

# Those under which each process has the whole network, and runs this program itself.
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false", "single_device")
PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}
MOST_PROCESSES = 16  # for each core: a typing error must not start a million


def check_flags(settings: Any, run: Any) -> None:
    """Check what can be known before there is a Trainer.

    Args:
        settings: every flag of the Trainer by name, and `num_workers` where the data has it.
        run: the run's own options: `gpus`, `max_epochs`, `find_lr` and `test_only`.

    Raises:
        UserError: a value, or two together, make no sense.
    """
    given = {name: value for name, value in vars(settings).items() if isinstance(value, int | float)}

    def some(*names: str) -> dict[str, float]:
        return {name: given[name] for name in names if name in given}

    check_at_least(1, **some("accumulate_grad_batches", "check_val_every_n_epoch"))
    check_at_least(0, **some("gradient_clip_val", "log_every_n_steps", "min_epochs", "min_steps"))
    check_at_least(-1, **some("num_sanity_val_steps"))
    if settings["limit_predict_batches"] is not None:
        raise UserError("--limit_predict_batches has no effect, because there is no predicting: leave it out.")
    for name in ("limit_train_batches", "limit_test_batches", "val_check_interval", "max_steps"):
        if given.get(name) == 0:
            raise UserError(f"--{name} cannot be 0: leave it out, or make it larger.")
    if given.get("min_epochs", 0) > run.max_epochs:
        raise UserError(f"--min_epochs {given['min_epochs']} is more than --max_epochs {run.max_epochs}.")
    if settings["gradient_clip_algorithm"] is not None and settings["gradient_clip_val"] is None:
        raise UserError("--gradient_clip_algorithm has no effect without --gradient_clip_val.")
    if given.get("limit_val_batches") == 0 and settings["val_check_interval"] is not None:
        raise UserError("--val_check_interval has no effect with --limit_val_batches 0.")
    processes = {"num_workers": given.get("num_workers", 0), "devices": _count(settings["devices"])}
    for name, count in processes.items():
        if count > (most := MOST_PROCESSES * usable_cores()):
            raise UserError(f"--{name} must be at most {most} on this machine, not {count}.")
    for name, choices in (("strategy", STRATEGIES), ("profiler", PROFILERS)):
        if (value := settings[name]) is not None and value not in choices:
            raise UserError(f"--{name} must be one of {', '.join(choices)}, not '{value}'.{nearest(value, choices)}")
    if run.gpus is not None and settings["devices"] != "auto":
        raise UserError("--gpus and --devices exclude each other: both say how many processes train.")
    if run.find_lr and (settings["fast_dev_run"] or run.test_only):
        other = "fast_dev_run" if settings["fast_dev_run"] else "test_only"
        raise UserError(f"--find_lr and --{other} exclude each other: the finder trains a hundred batches.")
    if run.test_only and given.get("limit_val_batches") == 0:
        raise UserError("--test_only validates too: leave out --limit_val_batches 0.")


def _count(devices: str | int | list[int]) -> int:
    return int(devices) if str(devices).isdecimal() else 0


def check_launched(trainer: pl.Trainer) -> None:
    """Raise UserError where a Trainer would wait for other machines for ever, because nothing has started them."""
    on_its_own = isinstance(getattr(trainer.strategy, "cluster_environment", None), LightningEnvironment)
    if trainer.num_nodes > 1 and on_its_own and "MASTER_ADDR" not in os.environ:
        raise UserError(f"--num_nodes {trainer.num_nodes} needs a launcher on each machine, such as torchrun.")


class EnoughBatches(pl.Callback):
    """Check, as soon as the data is known, that something is left to train, validate and test with.

    Lightning asks for the test batches after the training, and would end it with a traceback.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for split in ("train", "val", "test"):
            limit = getattr(trainer, f"limit_{split}_batches")
            if not isinstance(limit, float) or not 0 < limit < 1:
                continue
            count = _batches(trainer, split)
            if limit * count < 1:
                flag = "overfit_batches" if trainer.overfit_batches and split != "test" else f"limit_{split}_batches"
                raise UserError(
                    f"--{flag} {limit} leaves nothing of {count} {split} batches: give a whole number of batches, "
                    f"or a share of at least {1 / count:.2g}."
                )
        limit, interval = trainer.limit_train_batches, getattr(trainer, "val_check_interval", None)  # or it is a time
        if isinstance(interval, int) and trainer.check_val_every_n_epoch is not None:
            count = _batches(trainer, "train")
            count = min(count, limit) if isinstance(limit, int) else int(count * limit)
            if interval > count:
                raise UserError(f"--val_check_interval {interval} is more than the {count} batches of an epoch.")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == 0:
            log.warning("Not a single step of training was made: the figures are those of an untrained network.")


def _batches(trainer: pl.Trainer, split: str) -> int:
    return len(getattr(trainer.datamodule, f"{split}_dataloader")())
