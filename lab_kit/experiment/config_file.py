"""Read a file of flags, such as a run's config.yaml."""

import codecs
from pathlib import Path

import yaml

from lab_kit.errors import UserError

MOST_BYTES = 100_000  # ours have 2,000; another file, such as a checkpoint, may have more than there is memory

NOT_SETTINGS = {"config", "help", "print_config"}  # flags of the command line alone


def read_config_file(path: str) -> tuple[str, dict[str, object]]:
    """Return the text of a file of flags, and what it says, by name. It is read once, for it may be a pipe.

    Raises:
        UserError: it cannot be read, or holds anything but flags.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f"--config {path} is too long to be a file of flags.")
        text = _decode(content)
        settings = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"Cannot read --config {path}: {error.strerror}.") from error
    except UserError:
        raise
    except UnicodeError as error:
        raise UserError(f"--config {path} is not a YAML file: it is not text.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: of a date that there cannot be
        raise UserError(f"--config {path} is not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise UserError(f"--config {path} holds no settings: it should have lines like 'max_epochs: 5'.")
    if wrong := next((name for name in settings if name in NOT_SETTINGS or "." in name), None):
        raise UserError(f"--config {path} has a line '{wrong}', which is not a setting. Take it out.")
    if all(value is None for value in settings.values()):
        raise UserError(f"--config {path} gives no value for {', '.join(settings)}.")
    return text, settings


def _decode(content: bytes) -> str:
    """Return text of UTF-8, with or without a byte order mark, or of UTF-16 with one, as PowerShell's `>` writes."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")
