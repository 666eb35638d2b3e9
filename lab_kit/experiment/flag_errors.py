"""Explain a wrong flag in one line."""

import re
import typing
from types import NoneType, UnionType

from jsonargparse import ArgumentParser

from lab_kit.errors import nearest
from lab_kit.experiment.class_flags import Owners, described
from lab_kit.experiment.registry import Packages, classes_with_flag


def explain(parser: ArgumentParser, message: str, packages: Packages, owners: Owners) -> str:
    """Turn jsonargparse's report of several lines into one sentence that a student can act on."""
    flags = [option for action in parser._actions for option in action.option_strings]
    if unknown := re.search(r"[Uu]nrecognized arguments: (\S+)", message):
        flag = unknown[1].split("=")[0]
        if not flag.startswith("--"):
            return f"'{flag}' does not belong to any flag. Flags look like --max_epochs 5."
        if others := classes_with_flag(packages, flag.removeprefix("--")):
            return f"{flag} is a flag of {' and '.join(others)}, not of the data and model that were chosen."
        return f"There is no flag {flag}.{nearest(flag, flags)} All flags: run_experiment.py --help"
    if missing := re.search(r"argument (\S+): expected one argument", message):
        return f"{missing[1]} needs a value."
    if needed := re.search(r"arguments are required: (\w+)|Option '(\w+)' is required", message):
        flag = needed[1] or needed[2]
        owner = next((described(owner) for owner, names in owners.items() if flag in names), "the program")
        return f"--{flag} must be given: {owner} has no default for it."
    if key := re.search(r'(?:Parser key|Key|Option) "?\'?([\w.]+)', message):
        name = key[1]
        hint = next((getattr(action, "_typehint", None) for action in parser._actions if action.dest == name), None)
        given = re.search(r"(?:Given|Got) value: (.*)", message)
        if hint is None:
            others = [flag.removeprefix("--") for flag in flags if flag != f"--{name}"]
            return f"'{name}' is not a setting.{nearest(name, others)}"
        return f"--{name} must be {_type_name(hint)}" + (f", not '{given[1]}'." if given else ".")
    return " ".join(message.split())


def _type_name(hint: object) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}
    if hint in names:
        return names[hint]
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) in (typing.Union, UnionType):
        parts = [_type_name(part) for part in typing.get_args(hint) if part is not NoneType]
        return " or ".join(dict.fromkeys(parts))
    return getattr(hint, "__name__", str(hint))
