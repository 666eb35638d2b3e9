"""Read a YAML file of flags, and refuse everything that is not a flag."""

from pathlib import Path

import yaml

from lab_kit.errors import UserError

DEEPEST, LONGEST, LONGEST_FILE = 4, 4096, 20_000  # how deep settings can be nested, and how many characters they have


def read_config_file(path: Path) -> dict:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST_FILE + 1)
        if len(text) > LONGEST_FILE:
            raise UserError(f"--config {path} is too long to be a file of flags.")
        check_plain(text)
        content = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"Cannot read --config {path}: {error.strerror}.") from error
    except UserError:
        raise
    except NotPlainError as error:
        raise UserError(f"--config {path} holds a value that {error}.") from error
    except (yaml.YAMLError, ValueError) as error:  # the second of a date or a number that there cannot be
        raise UserError(f"--config {path} is not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise UserError(f"--config {path} holds no settings: it should have lines like 'max_epochs: 5'.")
    return content


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
