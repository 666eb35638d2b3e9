"""Notice where homework replaces what judges it: a function of pytest, of PyTorch, or of a check."""

import builtins
import sys
from collections.abc import Iterable, Iterator
from operator import is_not
from types import FunctionType, ModuleType
from typing import Any

WATCHED = (
    "pytest", "_pytest", "pluggy", "builtins", "math", "os", "posixpath", "copy", "random", "hmac", "json",
    "inspect", "re", "contextlib", "torch", "torch.functional", "torch.nn", "torch.testing", "numpy", "numpy.testing",
)  # fmt: skip
DEEP = ("pytest", "_pytest", "pluggy", "lab_kit", "torch.nn", "torch.testing")  # all that is in them
CLASSES = ("torch.Tensor",)  # of other packages
INNOCENT = {"torch.Storage"}  # set_default_dtype replaces it


class Watch:
    """Remembers functions and methods as they are; `replaced` names those that are no longer the same.

    New ones count where they hide others: those of a base class, or Python's own.

    Args:
        modules: more modules to watch, such as that of the checks.
    """

    def __init__(self, *modules: ModuleType) -> None:
        self._owners = _owners(modules)
        self._before = dict(_functions(self._owners))

    def replaced(self) -> list[str]:
        """Return the names of what has been replaced, or changed inside, since then."""
        now = dict(_functions(self._owners))
        changed = [key for key, what in self._before.items() if key not in now or any(map(is_not, what, now[key]))]
        new = [(owner, name) for owner, name in now if (owner, name) not in self._before]
        changed += [(owner, name) for owner, name in new if isinstance(owner, type) or hasattr(builtins, name)]
        names = [f"{getattr(owner, '__qualname__', owner.__name__)}.{name}" for owner, name in changed]
        return [name for name in names if name not in INNOCENT]


def _owners(more: tuple[ModuleType, ...]) -> list[Any]:
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name in WATCHED or any(name.startswith(f"{package}.") for package in DEEP)
    ]
    owners: list[Any] = [module for module in (*modules, *more) if isinstance(module, ModuleType)]
    owners += [
        thing
        for module in owners
        for thing in list(vars(module).values())
        if isinstance(thing, type) and (thing.__module__ == module.__name__ or _name(thing) in CLASSES)
    ]
    return list(dict.fromkeys(owners))


def _functions(owners: Iterable[Any]) -> Iterator[tuple[tuple[Any, str], tuple[Any, Any]]]:
    for owner in owners:
        for name, value in list(vars(owner).items()):
            if callable(value) or isinstance(value, property | classmethod | staticmethod):
                yield (owner, name), (value, _code(value))


def _name(thing: type) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _code(value: Any) -> Any:
    return value.__code__ if isinstance(value, FunctionType) else None
