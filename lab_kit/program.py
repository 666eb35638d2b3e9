"""Run a function as a program: its signature gives the flags, its docstring the help."""

import inspect
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_origin

from jsonargparse import ArgumentError, ArgumentParser

from lab_kit.errors import UserError
from lab_kit.flag_errors import explain
from lab_kit.output import accept_all_output
from lab_kit.paths import check_code_beside

TRACEBACK = "COURSE_TRACEBACK"  # set: the traceback of what is put right by the user, too
REPORT = (
    "If you have not changed the code, this is a fault of the course. Please report it, with the lines above and with "
    "what this says: python -m lab_kit.doctor"
)


def run(function: Callable[..., Any], arguments: Sequence[str] | None = None) -> None:
    """Call `function` as the command line says.

    Parameters without a default are given by their place, the others as `--name value`; a list can be given as
    `--name a --name b`, and the first parameter, if it is a list, as `a b`. A flag may have dashes in
    place of underscores. What goes wrong and can be put right (UserError, OSError) ends with one line and exit code 2,
    Ctrl-C with exit code 130.

    Args:
        function: has types and a docstring for all its parameters.
        arguments: the command line; None for the program's own.
    """
    _messages_to_stderr()
    for name in ("SIGTERM", "SIGHUP"):  # the second, which Windows lacks, comes from a terminal that is closed
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminated)  # so that temporary files are tidied up
    module = sys.modules[function.__module__].__spec__
    name = f"python -m {module.name}" if module else f"python {sys.argv[0]}"
    parser = ArgumentParser(prog=name, description=function.__doc__.splitlines()[0], exit_on_error=False)
    parser.add_function_arguments(function, None, as_positional=True)
    with one_line_errors():
        check_code_beside(function.__module__)
        try:
            words = _with_one_list(function, sys.argv[1:] if arguments is None else arguments)
            settings = parser.parse_args(_as_declared(parser, words))
        except ArgumentError as error:
            raise UserError(explain(parser, str(error))) from error
        try:
            function(**vars(settings))
        except OSError as error:
            raise UserError(f"Cannot use {error.filename or 'a file'}: {error.strerror or error}.") from error
        except KeyboardInterrupt:
            sys.stderr.write("\nStopped.\n")
            sys.exit(130)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line and exit code 2 where the user can put things right.

    Any other error keeps its traceback, and gets a line about whom to tell.
    """
    accept_all_output()
    try:
        yield
    except UserError as error:
        if os.environ.get(TRACEBACK):
            sys.stderr.write(traceback.format_exc())
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except Exception as error:
        error.add_note(REPORT)
        raise


def _with_one_list(function: Callable[..., Any], words: Sequence[str]) -> list[str]:
    """Make one word of those that are no flag and no value of one, where the function wants a list first."""
    first = next(iter(inspect.signature(function).parameters.values()), None)
    if first is None or first.default is not first.empty or get_origin(first.annotation) is not list:
        return list(words)
    items, flags = [], []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            if any("\udc80" <= one <= "\udcff" for one in word):  # what Python makes of bytes that are no text
                raise UserError(f"{word!a} is no text in UTF-8: rename it.")
            items.append(word)
            continue
        flags.append(word)
        if "=" not in word and rest and not rest[0].startswith("--"):
            flags.append(rest.pop(0))  # its value
    return ([json.dumps(items)] if items else []) + flags


def _as_declared(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """Spell flags as the parser has declared them: with underscores, and `--name+` where a list gets one more item."""
    declared = {option for action in parser._actions for option in action.option_strings}
    result = []
    for word in words:
        flag, equals, value = word.partition("=")
        flag = "--" + flag[2:].replace("-", "_")
        known = next((name for name in (f"{flag}+", flag) if word.startswith("--") and name in declared), None)
        result.append(f"{known}{equals}{value}" if known else word)
    return result


def _terminated(number: int, frame: object) -> None:
    sys.exit(128 + number)


class _PlainFormatter(logging.Formatter):
    """Messages as they are; warnings say that they are warnings."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text


def _messages_to_stderr() -> None:
    """Show this project's messages, unless somebody has arranged for that already."""
    for name in ("lab_kit", "text_recognizer", "training", "app"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(_PlainFormatter())
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False
