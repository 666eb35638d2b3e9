"""The flags of a class: exactly those parameters that its constructor takes, or passes on by `**kwargs`."""

import inspect
import math
import re
import sys
from argparse import Action, ArgumentError
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Union, get_args, get_origin

import pytorch_lightning as pl
from jsonargparse import ArgumentParser, Namespace
from torch import nn

from lab_kit.errors import UserError
from lab_kit.experiment.forwarded_kwargs import changed_in
from lab_kit.paths import readable

Owners = dict[Callable, tuple[str, ...]]  # who brought which flags
FRAMEWORKS = (nn.Module, pl.LightningDataModule, pl.LightningModule)
MOST = 2**63 - 1
# What `config.yaml` can hold, and a run can be repeated from.
PLAIN = (bool, int, float, str, NoneType, list, tuple, dict, type, Path, Enum, timedelta)
TYPES = (bool, int, float, str, list, tuple, dict)  # what a default says of a parameter without a type


def add_flags(
    parser: ArgumentParser,
    function: Callable,
    owners: Owners,
    given: Sequence[str] = (),
    hidden: Collection[str] = (),
) -> None:
    """Add the parameters of a function or class to the parser, and their names to `owners`.

    What `**kwargs` stands for is read from the source: the parameters of what it is passed on to, if to anything.

    Args:
        parser: gets the flags.
        function: whose parameters they are.
        owners: whose flags the parser has already.
        given: the first parameters, which the program gives itself.
        hidden: other parameters that are no flags.

    Raises:
        UserError: a parameter cannot be a flag; it names class, parameter and file.
    """
    _check_signature(function, given)
    add = parser.add_class_arguments if inspect.isclass(function) else parser.add_function_arguments
    try:
        added = add(function, None, skip={*given, *hidden})
    except (ValueError, TypeError, AttributeError, NameError, ArgumentError) as error:
        raise UserError(_explain(parser, function, owners, str(error))) from error
    owners[function] = tuple(dict.fromkeys(name.partition(".")[0] for name in added))
    for action in parser._actions:
        if action.dest in owners[function] and type(action.default) in TYPES and _takes_anything(action):
            action._typehint = type(action.default)


def flags_of(a_class: type) -> tuple[str, ...]:
    """Return the names of a class's flags; none of a class whose parameters cannot be flags."""
    owners: Owners = {}
    with suppress(UserError):
        add_flags(ArgumentParser(exit_on_error=False), a_class, owners, hidden=("data_config", "model"))
    return owners.get(a_class, ())


def check_needed(owners: Owners, a_class: type, names: Sequence[str]) -> None:
    """Raise UserError if a class has no flag of a name that every run needs."""
    for name in names:
        if name not in owners[a_class]:
            raise UserError(
                f"{described(a_class)} has no parameter {name}, which every run needs: add it, or **kwargs, "
                "and pass it on to super().__init__."
            )


def check_values(parser: ArgumentParser, settings: Namespace, owners: Owners) -> None:
    """Raise UserError for a value that neither flags nor `config.yaml` can hold, or no library can count to."""
    types = {action.dest: getattr(action, "_typehint", None) for action in parser._actions}
    for function, names in owners.items():
        for name in names:
            value = settings.get(name)
            default = parser.get_default(name)
            needs_value = default is not None and isinstance(default, PLAIN) and NoneType not in get_args(types[name])
            if value is None and needs_value:
                raise UserError(f"--{name} of {described(function)} has no value: give one, or leave the line out.")
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"--{name} must be a number, not {value}.")
            if isinstance(value, int) and abs(value) > MOST:
                raise UserError(f"--{name} {value} is too large.")
            if not isinstance(value, PLAIN):
                raise UserError(
                    f"--{name} of {described(function)} cannot be a flag, because its value is an object. "
                    "Let it be a number, a word, or true or false."
                )


def described(function: Callable) -> str:
    """Return the name of a class, and its file in brackets."""
    if function is pl.Trainer:
        return "Lightning's Trainer"
    module = getattr(function, "__module__", None)
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{getattr(function, '__name__', function)} ({readable(Path(file)) if file else module})"


def _check_signature(function: Callable, given: Sequence[str]) -> None:
    if inspect.isclass(function) and (changing := changed_in(function, FRAMEWORKS)):
        raise UserError(
            f"{described(changing)} changes its **kwargs, or passes them on in one case and not in another, so nobody "
            "can tell which flags have an effect: write **kwargs in each super().__init__(...), as they are; and write "
            "what is to have another default as a parameter."
        )
    parameters = list(inspect.signature(function).parameters.values())
    names = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    takes_any = bool(parameters) and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
    if given and not takes_any and tuple(names[: len(given)]) != tuple(given):
        raise UserError(
            f"{described(function)} must begin with the parameter{'s' * (len(given) > 1)} {' and '.join(given)}, "
            f"not with {' and '.join(names[: len(given)]) or 'nothing'}."
        )
    for parameter in parameters:
        if parameter.name in given:
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise UserError(
                f"Parameter {parameter.name} of {described(function)} cannot be given by its name: remove the '/'."
            )
        stands_for_others = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if stands_for_others or parameter.annotation is not parameter.empty:
            continue
        if parameter.default is parameter.empty:
            raise UserError(
                f"Parameter {parameter.name} of {described(function)} has neither a type nor a default: "
                f"write, for instance, {parameter.name}: int = 1"
            )
        if parameter.default is None:
            raise UserError(
                f"Parameter {parameter.name} of {described(function)} has no type, and None as its default says "
                f"nothing of it: write, for instance, {parameter.name}: int | None = None"
            )


def _takes_anything(action: Action) -> bool:
    """Tell whether a parameter had no type: jsonargparse makes a union for it, of the default's type and all others."""
    hint = getattr(action, "_typehint", None)
    return get_origin(hint) is Union and any(part is Any or repr(part) == "Untyped" for part in get_args(hint))


def _explain(parser: ArgumentParser, function: Callable, owners: Owners, message: str) -> str:
    """Return why the parameters of a class cannot be flags, in one line."""
    found = re.search(r"""parameter ['"](\w+)['"]""", message)
    if found is None or f"--{found[1]}" not in parser._option_string_actions:
        return f"The parameters of {described(function)} cannot become flags: {' '.join(message.split())}"
    name = found[1]
    other = next((described(owner) for owner, names in owners.items() if name in names), "the command line itself")
    return f"{described(function)} and {other} both have a parameter {name}: rename the one that is your own."
