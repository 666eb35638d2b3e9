"""Make a dataclass of a table in labs.toml: only settings that there are, each with a value of its kind."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from lab_kit.errors import UserError, nearest

Is = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_yes_or_no(value: Any) -> bool:
    return isinstance(value, bool)


# How people call what a setting may be. What is not here is no setting of the file, such as its folder.
KINDS: dict[Any, tuple[Is, str]] = {
    str: (_is_text, 'a text, "..."'),
    int: (_is_number, "a whole number"),
    int | None: (_is_number, "a whole number"),
    bool: (_is_yes_or_no, "true or false"),
    tuple[str, ...]: (_is_list, 'a list of texts, ["...", "..."]'),
}


def make(cls: type, table: Any, file: str, where: str) -> Any:
    """Return an instance of a dataclass with the values of a table.

    Args:
        cls: the dataclass; its fields are the settings.
        table: setting -> value.
        file: name of the file, for messages.
        where: which table of the file it is, for messages.

    Raises:
        UserError: a setting is too many or missing, or its value is of another kind.
    """
    known = {field.name: field.type for field in fields(cls)}
    if not isinstance(table, dict):
        raise UserError(f"{file}: {where} is no table of settings, `name = value`, a line each.")
    if unknown := table.keys() - known:
        name = min(unknown)
        raise UserError(f"{file}: '{name}' in {where} is not a setting.{nearest(name, known)}")
    for name, value in table.items():
        check(known[name], value, file, f"'{name}' in {where}")
    try:
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in table.items()})
    except TypeError as error:
        raise UserError(f"{file}: {where} lacks {str(error).split(': ')[-1]}.") from error


def check(kind: Any, value: Any, file: str, what: str) -> None:
    """Raise UserError where a value is not of a kind, one of those in `KINDS`."""
    fits, words = KINDS.get(kind, (None, ""))
    if fits and not fits(value):
        raise UserError(f"{file}: {what} must be {words}, and is {value!r}.")
