"""The command line, derived from signatures and docstrings: no flag and no default is written down twice."""

import argparse
import inspect
import re
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType

import pytorch_lightning as pl
import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from torch import nn

import text_recognizer.data
import text_recognizer.models
from text_recognizer.data import BaseDataModule
from text_recognizer.errors import UserError, nearest
from training.choices import class_names, find_class, lit_class, owners

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
}
PATHS = ("load_checkpoint", "log_dir", "resume")


@dataclass
class Choice:
    """The classes and settings of one run.

    Args:
        data_class, model_class, lit_class: what the user chose.
        settings: every flag by name, parsed and checked.
        yaml: the same as text, re-runnable with `--config`.
    """

    data_class: type[BaseDataModule]
    model_class: type[nn.Module]
    lit_class: type[pl.LightningModule]
    settings: Namespace
    yaml: str = field(repr=False)

    def arguments(self, function: Callable) -> dict[str, object]:
        """Return those settings that are parameters of `function`."""
        wanted = inspect.signature(function).parameters
        return {name: value for name, value in vars(self.settings).items() if name in wanted}


def parse(arguments: Sequence[str], run_options: Callable) -> Choice:
    """Read the command line.

    Args:
        arguments: without the program's name.
        run_options: the function whose keyword parameters are the flags of the run itself.

    Raises:
        UserError: an unknown flag or class, or a value of the wrong type.
        SystemExit: after `--help` or `--print_config`.
    """
    names = _chosen_names(arguments, run_options)
    data_class = find_class(text_recognizer.data, "data_class", names["data_class"])
    model_class = find_class(text_recognizer.models, "model_class", names["model_class"])
    lit_model_class = lit_class(data_class.task, names["loss"])

    parser = _Parser(
        prog="run_experiment.py",
        description=f"Train {names['model_class']} on {names['data_class']}, test it, and leave a folder with the "
        "results. The flags below are those of the chosen data and model; choose others with --data_class "
        f"({', '.join(class_names(text_recognizer.data))}) and --model_class "
        f"({', '.join(class_names(text_recognizer.models))}).",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="A file of flags, such as a run's config.yaml.")
    parser.add_function_arguments(run_options, None)
    parser.add_class_arguments(data_class, None)
    parser.add_class_arguments(model_class, None, skip={"data_config"})
    parser.add_class_arguments(lit_model_class, None, skip={"model", "data_config"})
    parser.add_class_arguments(pl.Trainer, None, skip=NOT_TRAINER_FLAGS)
    try:
        settings = parser.parse_args(_with_explicit_booleans(parser, arguments))
    except ArgumentError as error:
        raise UserError(_one_line(parser, str(error))) from error
    settings.pop("config", None)
    for name in PATHS:  # so that config.yaml means the same files in any working directory
        if settings[name]:
            settings[name] = str(Path(settings[name]).expanduser().resolve())
    repeatable = settings.clone()
    repeatable["resume"] = None
    return Choice(data_class, model_class, lit_model_class, settings, parser.dump(repeatable, skip_validation=True))


class _Parser(ArgumentParser):
    def format_usage(self) -> str:
        return "usage: run_experiment.py [--data_class NAME] [--model_class NAME] [--flag value ...]\n"

    def format_help(self) -> str:
        # The usage line that argparse derives names each of 80 flags once more, and hides the groups below it.
        text = super().format_help()
        return self.format_usage() + "\n" + text[text.index(self.description[:10]) :]


def _chosen_names(arguments: Sequence[str], run_options: Callable) -> dict[str, str]:
    """Return the names of classes and loss: from the flags, else from the config file, else the defaults."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("data_class", "model_class", "loss", "config"):
        first.add_argument(f"--{name}")
    try:
        given, _ = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value.") from error
    from_file = _read_config(Path(given.config)) if given.config else {}
    defaults = inspect.signature(run_options).parameters
    names = {
        name: str(getattr(given, name) or from_file.get(name) or defaults[name].default)
        for name in ("data_class", "model_class")
    }
    return names | {"loss": given.loss or from_file.get("loss")}


def _read_config(path: Path) -> dict:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read --config {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path} is not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"--config {path} holds no settings: it should have lines like 'max_epochs: 5'.")
    return content


def _with_explicit_booleans(parser: ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """Let `--flag` stand for `--flag true` where the flag is a yes-or-no one."""
    hints = {f"--{action.dest}": getattr(action, "_typehint", None) for action in parser._actions}
    explicit = []
    for argument, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        bare = hints.get(argument) is bool and following.startswith("--")
        explicit.append(f"{argument}=true" if bare else argument)
    return explicit


def _one_line(parser: ArgumentParser, message: str) -> str:
    """Turn jsonargparse's report of several lines into one sentence that a student can act on."""
    flags = [option for action in parser._actions for option in action.option_strings]
    if unknown := re.search(r"[Uu]nrecognized arguments: (\S+)", message):
        flag = unknown[1].split("=")[0]
        if not flag.startswith("--"):
            return f"'{flag}' does not belong to any flag. Flags look like --max_epochs 5."
        if others := owners(flag.removeprefix("--")):
            return f"{flag} is a flag of {' and '.join(others)}, not of the data and model that were chosen."
        return f"There is no flag {flag}.{nearest(flag, flags)} All flags: run_experiment.py --help"
    if missing := re.search(r"argument (\S+): expected one argument", message):
        return f"{missing[1]} needs a value."
    if key := re.search(r'(?:Parser key|Key) "?\'?([\w.]+)', message):
        name = key[1]
        hint = next((getattr(action, "_typehint", None) for action in parser._actions if action.dest == name), None)
        given = re.search(r"(?:Given|Got) value: (.*)", message)
        if given is None or hint is None:
            return f"'{name}' is not a setting.{nearest(name, [flag.removeprefix('--') for flag in flags])}"
        return f"--{name} must be {_in_words(hint)}, not '{given[1]}'."
    return " ".join(message.split())


def _in_words(hint: object) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}
    if hint in names:
        return names[hint]
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) in (typing.Union, UnionType):
        parts = [_in_words(part) for part in typing.get_args(hint) if part is not NoneType]
        return " or ".join(dict.fromkeys(parts))
    return getattr(hint, "__name__", str(hint))


def run_program(program: Callable[[Sequence[str]], None]) -> None:
    """Run `program(arguments)`; end with one line and exit code 2 where the user can put things right."""
    try:
        program(sys.argv[1:])
    except UserError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(2)
