"""Explain a wrong flag in one line."""

import re
import typing
from collections.abc import Callable
from types import NoneType, UnionType

from jsonargparse import ArgumentParser

from lab_kit.errors import nearest


def explain(
    parser: ArgumentParser,
    message: str,
    elsewhere: Callable[[str], str] = lambda name: "",
    owner: Callable[[str], str] = lambda name: "the program",
) -> str:
    """Turn jsonargparse's report of several lines into one sentence that a student can act on.

    Args:
        parser: whose report it is.
        message: the report.
        elsewhere: returns where a flag that the parser does not have belongs, as a sentence, if anywhere.
        owner: returns what a flag belongs to.
    """
    declared = {action.dest: action for action in parser._actions}
    flags = [option for action in parser._actions for option in action.option_strings]
    if unknown := re.search(r"[Uu]nrecognized arguments: (.+)", message):
        flag = unknown[1].split()[0].split("=")[0]
        if not flag.startswith("--"):
            return f"'{unknown[1]}' does not belong to any flag. Flags look like --name value."
        return elsewhere(flag) or f"There is no flag {flag}.{nearest(flag, flags)} All flags: {parser.prog} --help"
    if missing := re.search(r"argument ([^\s:/]+)[^\s:]*: expected (?:one|at least one) argument", message):
        return f"{missing[1]} needs a value."
    if needed := re.search(r"arguments are required: (\w+)|(?:Option|Key) ['\"](\w+)['\"] is required", message):
        name = needed[1] or needed[2]
        if declared[name].option_strings:
            return f"--{name} must be given: {owner(name)} has no default for it."
        return f"{name} is missing: {declared[name].help.rstrip('.')}. How to give it: {parser.prog} --help"
    if key := re.search(r'(?:Parser key|Key|Option) "?\'?([\w.]+)', message):
        name = key[1]
        given = re.search(r"(?:Given|Got) value: (.*)", message)
        if name not in declared:
            others = [flag.removeprefix("--") for flag in flags if flag != f"--{name}"]
            return f"'{name}' is not a setting.{nearest(name, others)}"
        flag = f"--{name}" if declared[name].option_strings else name
        hint = getattr(declared[name], "_typehint", None)
        return f"{flag} must be {_type_name(hint)}" + (f", not '{given[1]}'." if given else ".")
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
