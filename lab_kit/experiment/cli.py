"""The command line of a run, made from the signatures and docstrings of the chosen classes."""

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn

from lab_kit.errors import UserError
from lab_kit.experiment import other_labs, shape_errors
from lab_kit.experiment.class_flags import Owners, add_flags, check_needed, check_values, described
from lab_kit.experiment.config_file import read_config_file
from lab_kit.experiment.registry import Packages, class_names, classes_with_flag, find_class, lit_class
from lab_kit.flag_errors import explain
from lab_kit.paths import check_code_beside
from lab_kit.program import TRACEBACK, one_line_errors

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
        defaults: every flag by name, as it is where nobody says otherwise.
    """

    data_class: type[pl.LightningDataModule]
    model_class: type[nn.Module]
    lit_class: type[pl.LightningModule]
    settings: Namespace
    yaml: str = field(repr=False)
    owners: Owners = field(repr=False)
    defaults: Namespace = field(repr=False)

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
    names, flags = _first_stage(arguments, run_options)
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
    for action in parser._actions:
        if getattr(action, "_typehint", None) is bool:  # `--flag` stands for `--flag true`
            action.nargs, action.const = "?", True
    try:
        settings = parser.parse_args(flags)
    except ArgumentError as error:
        raise UserError(explain(parser, str(error), *_flags_of_classes(packages, owners, run_options))) from error
    except (OverflowError, RecursionError, ValueError) as error:
        raise UserError(f"A flag has a value that cannot be: {error}.") from error
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
    defaults = parser.get_defaults(skip_validation=True)
    return Config(data_class, model_class, lit_model_class, settings, text, owners, defaults)


class _Parser(ArgumentParser):
    def format_usage(self) -> str:
        return "usage: run_experiment.py [--data_class NAME] [--model_class NAME] [--flag value ...]\n"

    def format_help(self) -> str:
        # The usage line that argparse derives names each of 80 flags once more, and hides the groups below it.
        text = super().format_help()
        return self.format_usage() + "\n" + text[text.index(self.description[:10]) :]


def _first_stage(arguments: Sequence[str], run_options: Callable) -> tuple[dict[str, str], list[str]]:
    """Return the names of the chosen classes and loss, which say what flags there are; and all arguments in order.

    Flags win over config files, wherever they stand, and later files over earlier ones.
    """
    options = inspect.signature(run_options).parameters
    names = {"data_class": options["data_class"].default, "model_class": options["model_class"].default, "loss": None}
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--config", action="append", default=[])
    for name in names:
        first.add_argument(f"--{name}", default=argparse.SUPPRESS)
    try:
        given, rest = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value.") from error
    if "" in given.config:
        raise UserError("--config needs a value.")
    files = [read_config_file(file) for file in vars(given).pop("config")]
    for _, settings in files:
        for name in names:
            if isinstance(settings.get(name), list | dict):
                raise UserError(f"--{name} must be a word, not {settings[name]}.")
        names |= {name: settings[name] for name in names if name in settings}
    names |= vars(given)
    flags = [f"--config={text}" for text, _ in files] + [f"--{name}={value}" for name, value in vars(given).items()]
    return {name: value if name == "loss" else str(value) for name, value in names.items()}, flags + rest


def _flags_of_classes(
    packages: Packages, owners: Owners, run_options: Callable
) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """Return what `explain` asks: where a flag belongs that these classes lack, and whose a flag is that they have."""

    chosen = [getattr(owner, "__name__", "") for owner in owners]

    def elsewhere(flag: str) -> str:
        name = flag.removeprefix("--")
        found = other_labs.classes_with(name, packages)
        same = [place for place in found if place[1] in chosen]  # with what a student has added to it
        if not same and (others := " and ".join(classes_with_flag(packages, name))):
            return f"{flag} is a flag of {others}, not of the data, model and loss that were chosen."
        return other_labs.in_words(name, *(same or found)[0], run_options) if found else ""

    def owner(name: str) -> str:
        return next((described(owner) for owner, names in owners.items() if name in names), "the program")

    return elsewhere, owner


def _absolute(flag: str, path: str) -> str:
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, ValueError, RuntimeError) as error:  # of characters that no path has, and users that do not exist
        raise UserError(f"--{flag} is not a path: {error}.") from error


def run_program(program: Callable[[Sequence[str]], None]) -> None:
    """Run `program(arguments)`; end with one line and exit code 2 where the user can put things right."""
    with one_line_errors():
        check_code_beside(program.__module__)
        with errors_explained():
            program(sys.argv[1:])


@contextmanager
def errors_explained() -> Iterator[None]:
    """Raise UserError in place of errors of PyTorch and Lightning that a user can put right."""
    try:
        yield
    except UserError:
        raise
    except MisconfigurationException as error:  # Lightning's word for flags that do not fit together
        raise UserError(str(error)) from error
    except (MemoryError, RuntimeError, ValueError) as error:
        if _is_out_of_memory(error):
            advice = "Make batches (--batch_size) or layers smaller."
            raise UserError(f"There is not enough memory: {error}. {advice}") from error
        if device := _device_that_cannot(error):
            raise UserError(
                f"{device} cannot do this: {str(error).splitlines()[0]} Train on the processor: --accelerator cpu"
            ) from error
        if (line := shape_errors.explain(error)) is None:
            raise
        advice = f"See {shape_errors.place(error)}. For the whole traceback, set {TRACEBACK}=1."
        raise UserError(f"{line} {advice}") from error


def _device_that_cannot(error: Exception) -> str | None:
    """Return the name of the device if an error says that it lacks something; None for other errors."""
    text = str(error)
    if "no kernel image is available" in text:
        return "This GPU, for which this PyTorch was not built,"
    lacks = ("not currently implemented for the MPS device", "MPS framework doesn't support", "not supported on MPS")
    return "This Mac's GPU (MPS)" if any(word in text for word in lacks) else None


def _is_out_of_memory(error: Exception) -> bool:
    kinds = (MemoryError, torch.OutOfMemoryError)  # the second of GPUs alone
    return isinstance(error, kinds) or "DefaultCPUAllocator" in str(error)
