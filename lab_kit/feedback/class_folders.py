"""Convert class names to folder names and back.

Some class names, such as `/` or `*`, cannot be folder names. `A` and `a` are two classes, but one folder on Windows and
macOS. So small letters, digits, and `-` and `_` inside a name do not change; a capital letter becomes `+` and the small
letter; every other character becomes `%` and two hexadecimal digits for each of its bytes in UTF-8, as in URLs:

    a -> a    A -> +a    / -> %2f    Les Paul -> +les%20+paul    gibson_les_paul -> gibson_les_paul

Names that Windows reserves (`con`), and names with another meaning for `ImageFolder` (`train`, a leading `_`), begin
with such a code as well.
"""

import re
from urllib.parse import unquote

from lab_kit.curation.names import RESERVED
from lab_kit.datasets.picture_layout import split_of
from lab_kit.errors import UserError

MAX_FOLDER_LENGTH = 240  # characters; most systems allow 255 bytes
FOLDER_PATTERN = re.compile(r"(?:[a-z0-9_-]|\+[a-z]|%[0-9a-f]{2})+")


def folder_from_label(label: str) -> str:
    """Return the folder name of a class; no two classes have folder names that differ only in capitals.

    Raises:
        UserError: the name of the class is empty, not valid text, or too long.
    """
    parts = [_encode(character) if place else _encode_first(character) for place, character in enumerate(label)]
    folder = "".join(parts)
    if folder in RESERVED or split_of(folder):
        folder = f"%{ord(label[0]):02x}{folder[1:]}"
    if not label or len(folder) > MAX_FOLDER_LENGTH:
        raise UserError(f"There is no folder name for the class {label[:50]!a}: its name is empty or too long.")
    return folder


def label_from_folder(folder: str) -> str:
    """Return the class name of a folder name.

    Raises:
        UserError: `folder_from_label` never returns such a folder name.
    """
    try:
        label = unquote(re.sub(r"\+([a-z])", lambda found: found[1].upper(), folder), errors="strict")
        if FOLDER_PATTERN.fullmatch(folder) and folder_from_label(label) == folder:
            return label
    except UnicodeDecodeError:
        pass
    raise UserError(f"{folder} is not the folder of a class: `python -m app.corrections_export` writes these.")


def _encode(character: str) -> str:
    if re.fullmatch(r"[a-z0-9_-]", character):
        return character
    if re.fullmatch(r"[A-Z]", character):
        return f"+{character.lower()}"
    try:
        return "".join(f"%{byte:02x}" for byte in character.encode("utf-8"))
    except UnicodeEncodeError:
        raise UserError(f"{character!a} cannot be in a class name: it is not a valid character.") from None


def _encode_first(character: str) -> str:
    return f"%{ord(character):02x}" if character in "_-" else _encode(character)
