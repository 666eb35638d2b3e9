"""The command line of a run, made from the signatures and docstrings of the chosen classes."""

import argparse
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn

from lab_kit.errors import UserError
from lab_kit.experiment.class_flags import Owners, add_flags, check_needed, check_values
from lab_kit.experiment.config_file import ConfigFile, NotPlainError, check_plain, read_config_file
from lab_kit.experiment.flag_errors import explain
from lab_kit.experiment.registry import Packages, class_names, find_class, lit_class
from lab_kit.paths import check_code_beside

# What the program sets itself, or what would take away the run folder.
NOT_TRAINER_FLAGS = {
    "logger",
    "callbacks",
    "plugins",
    "max_epochs",
    "barebones",
    "default_root_dir",
    "enable_autolog_hparams",
    "model_registry",
    "enable_checkpointing",
    "use_distributed_sampler",
}
MOST_SEED = 2**32 - 1  # of numpy
PATHS = ("load_checkpoint", "log_dir", "resume")


@dataclass
class Config:
    """The classes and settings of one run, as the command line and its config files say.

    Args:
        data_class, model_class, lit_class: what the user chose.
        settings: every flag by name, parsed and checked.
        yaml: the same as text, re-runnable with `--config`.
        owners: which flags are whose.
    """

    data_class: type[pl.LightningDataModule]
    model_class: type[nn.Module]
    lit_class: type[pl.LightningModule]
    settings: Namespace
    yaml: str = field(repr=False)
    owners: Owners = field(repr=False)

    def kwargs_for(self, function: Callable) -> dict[str, object]:
        """Return the flags that were made from the parameters of `function`, one of the classes of this run."""
        # A default that is calculated in a constructor is in no setting.
        return {name: self.settings[name] for name in self.owners[function] if name in self.settings}


def parse(arguments: Sequence[str], run_options: Callable, packages: Packages) -> Config:
    """Read the command line.

    Args:
        arguments: without the program's name.
        run_options: the function whose keyword parameters are the flags of the run itself.
        packages: where the classes are found that can be chosen.

    Raises:
        UserError: an unknown flag or class, or a value of the wrong type.
        SystemExit: after `--help` or `--print_config`.
    """
    files, flags = _config_files(arguments)
    names = _chosen_names(files, flags, run_options)
    data_class = find_class(packages.data, "data_class", names["data_class"])
    model_class = find_class(packages.models, "model_class", names["model_class"])
    lit_model_class = lit_class(packages.lit_models, data_class.task, names["loss"])

    parser = _Parser(
        prog="run_experiment.py",
        description=f"Train {names['model_class']} on {names['data_class']}, test it, and leave a folder with the "
        "results. The flags below are those of the chosen data and model; choose others with --data_class "
        f"({', '.join(class_names(packages.data))}) and --model_class "
        f"({', '.join(class_names(packages.models))}).",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="A file of flags, such as a run's config.yaml.")
    owners: Owners = {}
    add_flags(parser, run_options, owners)
    add_flags(parser, data_class, owners)
    add_flags(parser, model_class, owners, given=("data_config",))
    add_flags(parser, lit_model_class, owners, given=("model", "data_config"))
    add_flags(parser, pl.Trainer, owners, hidden=NOT_TRAINER_FLAGS)
    check_needed(owners, data_class, ("seed",))
    check_needed(owners, lit_model_class, ("lr", "one_cycle_max_lr"))
    try:
        texts = [f"--config={file.text}" for file in files]
        settings = parser.parse_args(texts + _with_explicit_booleans(parser, flags))
    except ArgumentError as error:
        raise UserError(explain(parser, str(error), packages, owners)) from error
    except OverflowError as error:
        raise UserError(f"A number is too large: {error}.") from error
    settings.pop("config", None)
    check_values(parser, settings, owners)
    if not isinstance(settings.seed, int) or not 0 <= settings.seed <= MOST_SEED:
        raise UserError(f"--seed must be a whole number from 0 to {MOST_SEED}, not {settings.seed}.")
    for name in PATHS:  # so that config.yaml means the same files in any working directory
        if settings[name]:
            settings[name] = _absolute(name, settings[name])
    repeatable = settings.clone()
    repeatable["resume"] = None
    text = parser.dump(repeatable, skip_validation=True)
    return Config(data_class, model_class, lit_model_class, settings, text, owners)


class _Parser(ArgumentParser):
    def format_usage(self) -> str:
        return "usage: run_experiment.py [--data_class NAME] [--model_class NAME] [--flag value ...]\n"

    def format_help(self) -> str:
        # The usage line that argparse derives names each of 80 flags once more, and hides the groups below it.
        text = super().format_help()
        return self.format_usage() + "\n" + text[text.index(self.description[:10]) :]


def _config_files(arguments: Sequence[str]) -> tuple[list[ConfigFile], list[str]]:
    """Return the files given with --config, and the other arguments: these win, wherever they stand.

    Raises:
        UserError: an argument is too long or too deeply nested to be a setting, or --config has no value.
    """
    for argument in arguments:
        try:
            check_plain(argument.partition("=")[2] if argument.startswith("--") else argument)
        except NotPlainError as error:
            raise UserError(f"{argument[:40]} {error}.") from error
        except yaml.YAMLError:
            pass  # not every word is YAML
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--config", action="append", default=[])
    try:
        given, rest = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value.") from error
    return [read_config_file(Path(file)) for file in given.config], rest


def _chosen_names(files: Sequence[ConfigFile], flags: Sequence[str], run_options: Callable) -> dict[str, str]:
    """Return the names of classes and loss: from the flags, else from the last config file, else the defaults."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("data_class", "model_class", "loss"):
        first.add_argument(f"--{name}")
    try:
        given, _ = first.parse_known_args(flags)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value.") from error
    defaults = inspect.signature(run_options).parameters
    names = {"data_class": defaults["data_class"].default, "model_class": defaults["model_class"].default, "loss": None}
    for file in files:
        names |= {name: file.settings[name] for name in names if name in file.settings}
    names |= {name: value for name, value in vars(given).items() if value is not None}
    return {name: value if name == "loss" else str(value) for name, value in names.items()}


def _absolute(flag: str, path: str) -> str:
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, ValueError, RuntimeError) as error:  # of characters that no path has, and users that do not exist
        raise UserError(f"--{flag} is not a path: {error}.") from error


def _with_explicit_booleans(parser: ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """Let `--flag` stand for `--flag true` where the flag is a yes-or-no one."""
    hints = {f"--{action.dest}": getattr(action, "_typehint", None) for action in parser._actions}
    explicit = []
    for argument, following in zip(arguments, [*arguments[1:], "--"], strict=False):
        bare = hints.get(argument) is bool and following.startswith("--")
        explicit.append(f"{argument}=true" if bare else argument)
    return explicit


def run_program(program: Callable[[Sequence[str]], None]) -> None:
    """Run `program(arguments)`; end with one line and exit code 2 where the user can put things right."""
    try:
        check_code_beside(program.__module__)
        program(sys.argv[1:])
    except (UserError, MisconfigurationException) as error:  # Lightning's word for flags that do not fit together
        _end(str(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        _end(f"There is not enough memory: {error}. Make batches (--batch_size) or layers smaller.")


def _is_out_of_memory(error: Exception) -> bool:
    kinds = (MemoryError, torch.OutOfMemoryError)  # the second of GPUs alone
    return isinstance(error, kinds) or "DefaultCPUAllocator" in str(error)


def _end(message: str) -> None:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(2)
