"""Find datasets, networks and LightningModules by name in the packages of a lab."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytorch_lightning as pl
from torch import nn

from lab_kit.errors import UserError, nearest
from lab_kit.experiment.class_flags import described, flags_of
from lab_kit.paths import readable

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
    return sorted(name for name in package.__all__ if _is_choice(name, getattr(package, name, None)))


def _is_choice(name: str, thing: object) -> bool:
    is_class = isinstance(thing, type) and issubclass(thing, BASES)
    return is_class and thing.__name__ == name and not name.startswith("Base")


def find_class(package: ModuleType, flag: str, name: str) -> type:
    """Return a package's class by its name, as given with `--flag`.

    Raises:
        UserError: there is no such class; or it is there, but cannot be chosen, and why.
    """
    names = class_names(package)
    if name not in names:
        why = _why_not(package, name) or f"{nearest(name, names)} Choose from: {', '.join(names)}.".lstrip()
        raise UserError(f"There is no --{flag} '{name}'. {why}")
    found = getattr(package, name)
    for base in (getattr(package, other, None) for other in package.__all__ if other.startswith("Base")):
        if isinstance(base, type) and not issubclass(found, base):
            raise UserError(f"{described(found)} is not derived from {base.__name__}, as a --{flag} must be.")
    return found


def _why_not(package: ModuleType, name: str) -> str | None:
    """Return why something of this name cannot be chosen; None if there is nothing of this name."""
    init, thing = readable(Path(package.__file__)), getattr(package, name, None)
    if isinstance(thing, type) and not issubclass(thing, BASES):
        return f"{described(thing)} is neither a LightningDataModule nor an nn.Module."
    if isinstance(thing, type) and thing.__name__ != name:
        return f"In {init} it is another name for {described(thing)}: use the class's own name."
    if isinstance(thing, type) and name not in package.__all__:
        return f"{described(thing)} is not in __all__ of {init}: add it there."
    if thing is not None and not isinstance(thing, type | ModuleType):
        what = described(thing) if hasattr(thing, "__name__") else f"{thing!r:.40}"
        return f"In {init} it is no class, but a thing of type {type(thing).__name__}: {what}."
    if name in package.__all__ and thing is None:
        return f"{init} has it in __all__, but does not import it."
    if written := _module_with(package, name):
        return f"{readable(written)} has such a class: import it in {init}, and add it to __all__ there."
    return None


def _module_with(package: ModuleType, name: str) -> Path | None:
    """Return the file of a package that defines a class of this name, whether or not it is imported."""
    for file in sorted(Path(package.__file__).parent.glob("*.py")):
        if re.search(rf"^class {re.escape(name)}\b", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE):
            return file
    return None


def lit_class(package: ModuleType, task: str, loss: str | None) -> type[pl.LightningModule]:
    """Return the LightningModule for what the pictures show: the one with that loss of its own, else the general one.

    Args:
        package: with the LightningModules.
        task: what a picture shows, such as `character` or `line`.
        loss: as given with `--loss`, if at all.

    Raises:
        UserError: there is none.
    """
    exported = [getattr(package, name, None) for name in package.__all__]
    exported = [cls for cls in exported if isinstance(cls, type) and issubclass(cls, pl.LightningModule)]
    special = [cls for cls in exported if cls.own_loss == loss and loss is not None]
    fitting = [cls for cls in special if cls.task == task]
    if special and not fitting:
        tasks = " or a ".join(sorted({cls.task for cls in special}))
        raise UserError(f"--loss {loss} is for pictures of a {tasks}, and these show a {task} each.")
    of_task = [cls for cls in exported if cls.task == task]
    general = [cls for cls in of_task if cls.own_loss is None]
    if not fitting + general:
        if of_task:
            raise UserError(f"Pictures of a {task} are learned from with --loss {of_task[0].own_loss} alone.")
        raise UserError(f"There is no way yet to learn from pictures of a {task}: choose another --data_class.")
    return (fitting + general)[0]


def classes_with_flag(packages: Packages, flag: str) -> list[str]:
    """Return the names of all datasets, networks and LightningModules that have a flag."""
    every = (packages.data, packages.models, packages.lit_models)
    classes = [getattr(package, name) for package in every for name in class_names(package)]
    return [cls.__name__ for cls in classes if flag in flags_of(cls)]
