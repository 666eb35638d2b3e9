"""Notice where homework replaces what judges it: a function of pytest, of PyTorch, or of a check."""

import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

WATCHED = (
    "pytest", "_pytest", "pluggy", "builtins", "math", "os", "posixpath", "copy", "random", "hmac", "json",
    "torch", "torch.functional", "torch.nn.functional", "torch.testing", "numpy", "numpy.testing",
    "lab_kit.errors", "lab_kit.grading",
)  # fmt: skip
DEEP = ("pytest", "_pytest", "pluggy", "lab_kit.grading")  # packages: all that is in them
CLASSES = ("torch.Tensor",)  # of other packages


class Watch:
    """Remembers functions and methods as they are; `replaced` names those that are no longer the same.

    Args:
        modules: more modules to watch, such as that of the checks.
    """

    def __init__(self, *modules: ModuleType) -> None:
        self._before = dict(_functions(modules))

    def replaced(self) -> list[str]:
        """Return the names of what has been replaced, or changed inside, since then."""
        found = []
        for (owner, name), (function, code) in self._before.items():
            now = vars(owner).get(name)
            if now is not function or _code(now) is not code:
                found.append(f"{getattr(owner, '__qualname__', owner.__name__)}.{name}")
        return found


def _functions(more: tuple[ModuleType, ...]) -> Iterator[tuple[tuple[Any, str], tuple[Any, Any]]]:
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
    for owner in dict.fromkeys(owners):
        for name, value in list(vars(owner).items()):
            if callable(value) or isinstance(value, property | classmethod | staticmethod):
                yield (owner, name), (value, _code(value))


def _name(thing: type) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _code(value: Any) -> Any:
    return value.__code__ if isinstance(value, FunctionType) else None
