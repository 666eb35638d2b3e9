"""The check that all models make of the sizes they are given."""

from text_recognizer.errors import UserError


def check_sizes(**sizes: int) -> None:
    """Raise UserError for a layer size that is not at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"{name} must be at least 1, not {size}.")
