"""Resume an interrupted run: find its checkpoint, and check that it fits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml

from lab_kit.command_line import command_line
from lab_kit.errors import UserError
from lab_kit.experiment.checkpoint import check_weights, read_checkpoint
from lab_kit.experiment.cli import Config
from lab_kit.paths import readable

CONFIG = "config.yaml"
BEST, LAST = Path("checkpoints", "best.ckpt"), Path("checkpoints", "last.ckpt")
# What Lightning needs to go on, beside the weights.
STATE = ("epoch", "global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers", "pytorch-lightning_version")
# Flags of data that change nothing but speed, or that the data itself answers for.
FREE = ("num_workers", "source", "folder", "test_folder")
SHAPING = ("overfit_batches", "limit_train_batches", "accumulate_grad_batches", "gradient_clip_val")  # of the Trainer


def last_checkpoint(resume: str) -> Path:
    """Return the checkpoint to go on from, given a run's folder or the file itself.

    Raises:
        UserError: there is none, or it is not in a run's folder.
    """
    path = Path(resume)
    if path.is_dir():
        if not (path / LAST).is_file() and (path / CONFIG).is_file():
            raise UserError(
                f"There is nothing to resume: the run in {readable(path)} had not finished an epoch. "
                f"Start it again with --config {readable(path / CONFIG)}"
            )
        path = path / LAST
    if not path.is_file():
        raise UserError(
            f"There is nothing to resume: {readable(path)} does not exist. Start the run again, without --resume."
        )
    path = path.absolute()  # links stay: its `checkpoints` may be a link to another disk
    folder = path.parent.parent
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"Cannot resume from {readable(path)}: it is not in the folder of a run, beside its {CONFIG}. "
            "Its weights can be trained further with --load_checkpoint."
        )
    if not (folder / BEST).is_file():
        raise UserError(
            f"Cannot resume {readable(folder)}: its best weights, {BEST}, are missing. Bring them back, or train the "
            f"last ones further with {command_line('--load_checkpoint', path)}"
        )
    return path


def checked_checkpoint(resume: str | None, model: pl.LightningModule, config: Config) -> Path | None:
    """Return the checkpoint to go on from, once `check` has found that it fits; None where nothing is resumed."""
    if resume is None:
        return None
    path = last_checkpoint(resume)
    check(path, model, config)
    return path


def with_config_of_resumed_run(arguments: Sequence[str]) -> list[str]:
    """Put `--config` of the interrupted run before the other flags, so that `--resume FOLDER` is all one types.

    Raises:
        UserError: there is nothing to resume, or other weights are asked for.
    """
    arguments = list(arguments)
    flags = [argument.partition("=")[0] for argument in arguments]
    for index, argument in enumerate(arguments):
        flag, _, value = argument.partition("=")
        if flag == "--resume" and (value or index + 1 < len(arguments)):
            if "--load_checkpoint" in flags:
                raise UserError("--resume and --load_checkpoint exclude each other: a resumed run has its own weights.")
            checkpoint = last_checkpoint(value or arguments[index + 1])
            return ["--config", str(checkpoint.parent.parent / CONFIG), *arguments]
    return arguments


def settings_of_network(config: Config, resumed: bool) -> dict[str, object]:
    """Return the arguments of the network's class, without the weights that a resumed run began with.

    It has weights of its own, and those files may have gone meanwhile.
    """
    settings = config.kwargs_for(config.model_class)
    return settings | {"pretrained": None} if resumed and "pretrained" in settings else settings


def check(path: Path, model: pl.LightningModule, config: Config) -> None:
    """Make sure that a run can go on from a checkpoint as if it had not been interrupted.

    Args:
        path: the checkpoint.
        model: the LightningModule.
        config: all flags; some may differ from those of the interrupted run, such as `num_workers` and `max_epochs`.

    Raises:
        UserError: it says what does not fit.
    """
    content = read_checkpoint(path)
    mapping = config.data_class(**config.kwargs_for(config.data_class)).config().mapping
    check_weights(content, path, model, config.model_class.__name__, mapping)
    if missing := [name for name in STATE if name not in content]:
        raise UserError(
            f"{path} holds weights, but not the state of a run ({missing[0]} is missing): "
            "start from it with --load_checkpoint."
        )
    before, now = _settings(content["hyper_parameters"].get("settings"), path), _settings(config.yaml, path)
    for name in _fixed(config):
        was = before.get(name, config.defaults.get(name))  # of an older version, which did not have all flags of today
        if was != now.get(name):
            raise UserError(
                f"The interrupted run has --{name} {was}, not {now.get(name)}: it can only go on as it "
                f"was. To train its weights further with other flags, use {command_line('--load_checkpoint', path)}"
            )


def _fixed(config: Config) -> list[str]:
    """Return the flags that shape the course of training."""
    classes = (config.data_class, config.model_class, config.lit_class)
    names = {name: None for a_class in classes for name in config.kwargs_for(a_class) if name not in FREE}
    # One cycle of the learning rate ends where the run was to end.
    planned = ["max_epochs"] if config.settings.one_cycle_max_lr is not None else []
    return ["data_class", "model_class", *names, *SHAPING, *planned]


def _settings(text: object, path: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(text) if isinstance(text, str) else None
    except (yaml.YAMLError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise UserError(f"{path} does not say with which flags its run was started.")
    return settings
