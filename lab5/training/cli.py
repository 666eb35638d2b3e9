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
    "use_distributed_sampler",
}
PATHS = ("load_checkpoint", "log_dir", "resume")
DEEPEST, LONGEST, LONGEST_FILE = 4, 4096, 20_000  # how deep settings can be nested, and how many characters they have


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
    files, flags = _config_files(arguments)
    names = _chosen_names(files, flags, run_options)
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
        settings = parser.parse_args([f"--config={file}" for file in files] + _with_explicit_booleans(parser, flags))
    except ArgumentError as error:
        raise UserError(_one_line(parser, str(error))) from error
    except OverflowError as error:
        raise UserError(f"A number is too large: {error}.") from error
    settings.pop("config", None)
    for name in PATHS:  # so that config.yaml means the same files in any working directory
        if settings[name]:
            settings[name] = _absolute(name, settings[name])
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


def _config_files(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the values of --config, and the other arguments: these win, wherever they stand.

    Raises:
        UserError: an argument is too long or too deeply nested to be a setting, or --config has no value.
    """
    for argument in arguments:
        try:
            _check_plain(argument.partition("=")[2] if argument.startswith("--") else argument)
        except _NotPlain as error:
            raise UserError(f"{argument[:40]} {error}.") from error
        except yaml.YAMLError:
            pass  # not every word is YAML
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--config", action="append", default=[])
    try:
        given, rest = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value.") from error
    return given.config, rest


def _chosen_names(files: Sequence[str], flags: Sequence[str], run_options: Callable) -> dict[str, str]:
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
        content = _read_config(Path(file))
        names |= {name: content[name] for name in names if name in content}
    names |= {name: value for name, value in vars(given).items() if value is not None}
    return {name: value if name == "loss" else str(value) for name, value in names.items()}


def _read_config(path: Path) -> dict:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST_FILE + 1)
        if len(text) > LONGEST_FILE:
            raise UserError(f"--config {path} is too long to be a file of flags.")
        _check_plain(text)
        content = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"Cannot read --config {path}: {error.strerror}.") from error
    except UserError:
        raise
    except _NotPlain as error:
        raise UserError(f"--config {path} holds a value that {error}.") from error
    except (yaml.YAMLError, ValueError) as error:  # the second of a date or a number that there cannot be
        raise UserError(f"--config {path} is not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise UserError(f"--config {path} holds no settings: it should have lines like 'max_epochs: 5'.")
    return content


class _NotPlain(ValueError):
    """What in YAML is no setting."""


def _check_plain(text: str) -> None:
    """Raise _NotPlain where YAML holds more than settings need.

    Ten short lines that repeat each other by aliases stand for a billion values, and tags ask for objects.
    """
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _NotPlain("is too deeply nested")
        if len(getattr(event, "value", None) or "") > LONGEST:
            raise _NotPlain("is too long")
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise _NotPlain("has an alias or a tag, which settings do not have")


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
    if key := re.search(r'(?:Parser key|Key|Option) "?\'?([\w.]+)', message):
        name = key[1]
        hint = next((getattr(action, "_typehint", None) for action in parser._actions if action.dest == name), None)
        given = re.search(r"(?:Given|Got) value: (.*)", message)
        if hint is None:
            others = [flag.removeprefix("--") for flag in flags if flag != f"--{name}"]
            return f"'{name}' is not a setting.{nearest(name, others)}"
        return f"--{name} must be {_in_words(hint)}" + (f", not '{given[1]}'." if given else ".")
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
