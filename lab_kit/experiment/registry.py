"""Find datasets, networks and LightningModules by name in the packages of a lab."""

import inspect
from dataclasses import dataclass
from types import ModuleType

import pytorch_lightning as pl
from torch import nn

from lab_kit.errors import UserError, nearest

BASES = (pl.LightningDataModule, nn.Module)


@dataclass(frozen=True)
class Packages:
    """The packages whose exported classes can be chosen.

    Args:
        data: LightningDataModules, for `--data_class`.
        models: networks, for `--model_class`.
        lit_models: LightningModules, of which data and loss choose one.
    """

    data: ModuleType
    models: ModuleType
    lit_models: ModuleType


def class_names(package: ModuleType) -> list[str]:
    """Return the names of a package's datasets or networks; a class called Base... is there to be derived from."""
    exported = (getattr(package, name) for name in package.__all__)
    return sorted(cls.__name__ for cls in exported if issubclass(cls, BASES) and not cls.__name__.startswith("Base"))


def find_class(package: ModuleType, flag: str, name: str) -> type:
    """Return a package's class by its name, as given with `--flag`.

    Raises:
        UserError: there is no such class.
    """
    names = class_names(package)
    if name not in names:
        raise UserError(f"There is no --{flag} '{name}'.{nearest(name, names)} Choose from: {', '.join(names)}.")
    return getattr(package, name)


def lit_class(package: ModuleType, task: str, loss: str | None) -> type[pl.LightningModule]:
    """Return the LightningModule for what the pictures show: the one with that loss of its own, else the general one.

    Args:
        package: with the LightningModules.
        task: what a picture shows, such as `character` or `line`.
        loss: as given with `--loss`, if at all.

    Raises:
        UserError: there is none.
    """
    exported = [getattr(package, name) for name in package.__all__]
    special = [cls for cls in exported if cls.own_loss == loss and loss is not None]
    if special and special[0].task != task:
        raise UserError(f"--loss {loss} is for pictures of a {special[0].task}, and these show a {task} each.")
    general = [cls for cls in exported if cls.task == task and cls.own_loss is None]
    if not special + general:
        raise UserError(f"There is no way yet to learn from pictures of a {task}: choose another --data_class.")
    return (special + general)[0]


def classes_with_flag(packages: Packages, flag: str) -> list[str]:
    """Return the names of all datasets and networks that have a flag."""
    classes = [getattr(package, name) for package in (packages.data, packages.models) for name in class_names(package)]
    return [cls.__name__ for cls in classes if flag in inspect.signature(cls).parameters]
