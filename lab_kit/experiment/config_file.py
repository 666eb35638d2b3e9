"""Read a YAML file of flags, and refuse everything that is not a flag."""

import codecs
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab_kit.errors import UserError

DEEPEST, LONGEST, LONGEST_FILE = 4, 4096, 20_000  # how deep settings can be nested, and how many characters they have
LONGEST_BYTES = 2 * LONGEST_FILE + len(codecs.BOM_UTF16)


@dataclass(frozen=True)
class ConfigFile:
    """A file of flags: its `text`, and what that says (`settings`, by name)."""

    text: str
    settings: dict[str, object]


def read_config_file(path: Path) -> ConfigFile:
    """Read a file of flags once, for it may be a pipe.

    Raises:
        UserError: it cannot be read, or holds anything but flags.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_BYTES + 1)
        text = _decode(content) if len(content) <= LONGEST_BYTES else ""
        if len(content) > LONGEST_BYTES or len(text) > LONGEST_FILE:
            raise UserError(f"--config {path} is too long to be a file of flags.")
        check_plain(text)
        settings = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"Cannot read --config {path}: {error.strerror}.") from error
    except UserError:
        raise
    except NotPlainError as error:
        raise UserError(f"--config {path} holds a value that {error}.") from error
    except (yaml.YAMLError, ValueError) as error:  # the second of a date or a number that there cannot be
        raise UserError(f"--config {path} is not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise UserError(f"--config {path} holds no settings: it should have lines like 'max_epochs: 5'.")
    if all(value is None for value in settings.values()):
        raise UserError(f"--config {path} gives no value for {', '.join(settings)}.")
    return ConfigFile(text, settings)


def _decode(content: bytes) -> str:
    """Return text of UTF-8, with or without a byte order mark, or of UTF-16 with one, as PowerShell's `>` writes."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


class NotPlainError(ValueError):
    """What in YAML is no setting."""


def check_plain(text: str) -> None:
    """Raise NotPlainError where YAML holds more than settings need.

    Ten short lines that repeat each other by aliases stand for a billion values, and tags ask for objects.
    """
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise NotPlainError("is too deeply nested")
        if len(getattr(event, "value", None) or "") > LONGEST:
            raise NotPlainError("is too long")
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise NotPlainError("has an alias or a tag, which settings do not have")
