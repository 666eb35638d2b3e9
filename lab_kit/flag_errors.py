"""Explain a wrong flag in one line."""

import re
import typing
from argparse import Action
from argparse import ArgumentParser as PlainParser
from collections.abc import Callable
from types import NoneType, UnionType
from typing import NoReturn

from jsonargparse import ArgumentParser

from lab_kit.errors import UserError, most_like

# What flags are called elsewhere. Only where there is a flag of the name on the left does it lead anywhere.
OTHER_NAMES = {
    "accelerator": ("device",),
    "batch_size": ("batch", "bs", "train_batch_size"),
    "config": ("cfg", "conf", "config_file"),
    "data_class": ("data", "dataset", "data_set"),
    "find_lr": ("auto_lr_find", "lr_find", "lr_finder"),
    "gpus": ("cuda", "gpu", "n_gpu", "n_gpus", "ngpus", "num_gpus"),
    "gradient_clip_val": ("clip", "clip_grad", "clip_grad_norm", "grad_clip", "max_grad_norm"),
    "load_checkpoint": ("checkpoint", "checkpoint_path", "ckpt", "ckpt_path", "weights"),
    "log_dir": ("logs", "out", "out_dir", "output", "output_dir", "save_dir"),
    "loss": ("criterion", "loss_fn", "loss_function"),
    "lr": ("base_lr", "eta", "init_lr", "learning_rate", "learningrate"),
    "max_epochs": ("epoch", "epochs", "n_epoch", "n_epochs", "nb_epochs", "num_epochs", "num_train_epochs"),
    "model_class": ("arch", "architecture", "model", "model_name", "net", "network"),
    "num_workers": ("n_workers", "num_loader_workers", "worker", "workers"),
    "one_cycle_max_lr": ("max_lr",),
    "optimizer": ("opt", "optim"),
    "precision": ("amp", "bf16", "dtype", "fp16", "half"),
    "resume": ("continue", "resume_from", "resume_from_checkpoint"),
    "seed": ("manual_seed", "random_seed", "random_state"),
    "stop_early": ("early_stop", "early_stopping", "patience"),
    "test_only": ("eval", "eval_only", "evaluate", "test"),
    "weight_decay": ("decay", "wd"),
}
OUR_NAMES = {other: ours for ours, others in OTHER_NAMES.items() for other in others}
LIKENESS = 0.7  # less, and `--dropout` is said to look like `--gpus`


class OneLineParser(PlainParser):
    """The standard library's parser, for words that may be left out; a wrong one is a UserError."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[:1].upper()}{message[1:]}. Try {self.prog} --help")


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
    if unknown := re.search(r"[Uu]nrecognized arguments: (.+)", message):
        flag = unknown[1].strip().split(" ")[0].split("=")[0]  # or nothing, of arguments that are empty
        if not flag.startswith("--"):
            return f"'{unknown[1].strip()}' does not belong to any flag. Flags look like --name value."
        return elsewhere(flag) or f"There is no flag {flag}{_hint(flag, declared)} All flags: {parser.prog} --help"
    if missing := re.search(r"argument ([^\s:/]+)[^\s:]*: expected (?:one|at least one) argument", message):
        return f"{missing[1]} needs a value."
    if needed := re.search(r"arguments are required: (\w+)|(?:Option|Key) ['\"](\w+)['\"] is required", message):
        name = needed[1] or needed[2]
        if declared[name].option_strings:
            return f"--{name} must be given: {owner(name)} has no default for it."
        return f"{name} is missing: {declared[name].help.rstrip('.')}. How to give it: {parser.prog} --help"
    if key := re.search(r'(?:Parser key|Key|Option) "?\'?([\w.-]+)', message):
        name = key[1]
        given = re.search(r"(?:Given|Got) value: (.*)", message)
        if name not in declared:
            where = elsewhere(f"--{name}")
            return f"'{name}' is not a setting" + (f". {where}" if where else _hint(name, declared))
        flag = f"--{name}" if declared[name].option_strings else name
        hint = getattr(declared[name], "_typehint", None)
        return f"{flag} must be {_type_name(hint)}" + (f", not '{_as_written(given[1])}'." if given else ".")
    return " ".join(message.split())


def _hint(wrong: str, declared: dict[str, Action]) -> str:
    """Return the end of a sentence that says what somebody may have meant by a flag, or by a setting of a file."""
    dashes = "--" if wrong.startswith("--") else ""
    plain = wrong.removeprefix("--").lower().replace("-", "_")
    names = {name for name, action in declared.items() if action.option_strings} - {wrong}
    if (ours := plain if plain in names else OUR_NAMES.get(plain)) in names:
        return f": it is called {dashes}{ours} here."
    positive = plain.removeprefix("no_")
    if positive != plain and getattr(declared.get(positive), "_typehint", None) is bool:
        return f": write {dashes}{positive} false." if dashes else f": write '{positive}: false'."
    near = most_like(plain, names, LIKENESS)
    return f". Did you mean '{dashes}{near}'?" if near else "."


def _as_written(value: str) -> str:
    return {"None": "null", "True": "true", "False": "false"}.get(value, value)


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
