"""Checks of arguments: a value out of range raises one line that names the argument."""

from collections.abc import Collection

from lab_kit.errors import UserError, nearest


def check_at_least(least: int, **numbers: int | None) -> None:
    """Raise UserError for a number that is given and below `least`."""
    for name, number in numbers.items():
        if number is not None and number < least:
            raise UserError(f"{name} must be at least {least}, not {number}.")


def check_sizes(**sizes: int) -> None:
    """Raise UserError for a layer size that is not at least 1."""
    check_at_least(1, **sizes)


def check_positive(**numbers: float | None) -> None:
    """Raise UserError for a number that is given and not above 0; what is not a number (nan) is not above 0 either."""
    for name, number in numbers.items():
        if number is not None and not number > 0:
            raise UserError(f"{name} must be greater than 0, not {number}.")


def check_share(**numbers: float) -> None:
    """Raise UserError for a number that is not from 0 to 1."""
    for name, number in numbers.items():
        if not 0 <= number <= 1:
            raise UserError(f"{name} must be from 0 to 1, not {number}.")


def check_fraction(**numbers: float) -> None:
    """Raise UserError for a number that is not at least 0 and below 1."""
    for name, number in numbers.items():
        if not 0 <= number < 1:
            raise UserError(f"{name} must be at least 0 and below 1, not {number}.")


def check_one_of(choices: Collection[str], **names: str) -> None:
    """Raise UserError for a name that is not among `choices`."""
    for flag, name in names.items():
        if name not in choices:
            raise UserError(f"{flag} must be one of {', '.join(choices)}, not '{name}'.{nearest(name, choices)}")
