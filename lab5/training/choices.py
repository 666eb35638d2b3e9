"""The classes that a user can choose on the command line, by name: whatever the packages of this lab export."""

import inspect
from types import ModuleType

import pytorch_lightning as pl
from torch import nn

import text_recognizer.data
import text_recognizer.lit_models
import text_recognizer.models
from text_recognizer.data import BaseDataModule
from text_recognizer.errors import UserError, nearest


def class_names(package: ModuleType) -> list[str]:
    """Return the names of a package's classes that a user can choose."""
    base = BaseDataModule if package is text_recognizer.data else nn.Module
    exported = (getattr(package, name) for name in package.__all__)
    return sorted(cls.__name__ for cls in exported if issubclass(cls, base) and cls is not base)


def find_class(package: ModuleType, flag: str, name: str) -> type:
    """Return a package's class by its name, as given with `--flag`.

    Raises:
        UserError: there is no such class.
    """
    names = class_names(package)
    if name not in names:
        raise UserError(f"There is no --{flag} '{name}'.{nearest(name, names)} Choose from: {', '.join(names)}.")
    return getattr(package, name)


def lit_class(task: str, loss: str | None) -> type[pl.LightningModule]:
    """Return the LightningModule for what the pictures show: the one with that loss of its own, else the general one.

    Raises:
        UserError: there is none.
    """
    exported = [getattr(text_recognizer.lit_models, name) for name in text_recognizer.lit_models.__all__]
    special = [cls for cls in exported if cls.own_loss == loss and loss is not None]
    if special and special[0].task != task:
        raise UserError(f"--loss {loss} is for pictures of a {special[0].task}, and these show a {task} each.")
    general = [cls for cls in exported if cls.task == task and cls.own_loss is None]
    if not special + general:
        raise UserError(f"There is no way yet to learn from pictures of a {task}: choose another --data_class.")
    return (special + general)[0]


def owners(flag: str) -> list[str]:
    """Return the names of all classes that have a flag."""
    packages = (text_recognizer.data, text_recognizer.models)
    classes = [getattr(package, name) for package in packages for name in class_names(package)]
    return [cls.__name__ for cls in classes if flag in inspect.signature(cls).parameters]
