"""Names of folders for classes whose own names no folder can have: there and back.

A class may be called `/` or `*`. `A` and `a` are two classes, but one folder on Windows and macOS. So small letters,
digits, and `-` and `_` inside a name stay as they are; a capital becomes `+` and the small letter; every other
character becomes `%` and two hexadecimal digits for each of its bytes in UTF-8, as in web addresses:

    a -> a    A -> +a    / -> %2f    Les Paul -> +les%20+paul    gibson_les_paul -> gibson_les_paul

What Windows reserves (`con`), and what `ImageFolder` takes for something else (`train`; a leading `_`), begins with
such a code too.
"""

import re
from urllib.parse import unquote

from text_recognizer.curation.names import RESERVED, SPLITS
from text_recognizer.errors import UserError

LONGEST = 240  # characters of a folder's name; most systems allow 255 bytes
FOLDER = re.compile(r"(?:[a-z0-9_-]|\+[a-z]|%[0-9a-f]{2})+")


def folder_of(label: str) -> str:
    """Return the folder of a class; no two classes have folders that differ in capitals only.

    Raises:
        UserError: the class's name is empty, no text, or too long.
    """
    parts = [_coded(character) if place else _coded_first(character) for place, character in enumerate(label)]
    folder = "".join(parts)
    if folder in RESERVED or folder in SPLITS:
        folder = f"%{ord(label[0]):02x}{folder[1:]}"
    if not label or len(folder) > LONGEST:
        raise UserError(f"A class called {label[:50]!a} cannot have a folder: the name is empty or too long.")
    return folder


def label_of(folder: str) -> str:
    """Return the class of a folder.

    Raises:
        UserError: `folder_of` makes no such name.
    """
    try:
        label = unquote(re.sub(r"\+([a-z])", lambda found: found[1].upper(), folder), errors="strict")
        if FOLDER.fullmatch(folder) and folder_of(label) == folder:
            return label
    except UnicodeDecodeError:
        pass
    raise UserError(f"{folder} is not the folder of a class: `python -m text_recognizer.feedback.export` writes these.")


def _coded(character: str) -> str:
    if re.fullmatch(r"[a-z0-9_-]", character):
        return character
    if re.fullmatch(r"[A-Z]", character):
        return f"+{character.lower()}"
    try:
        return "".join(f"%{byte:02x}" for byte in character.encode("utf-8"))
    except UnicodeEncodeError:
        raise UserError(f"A class cannot be called {character!a}: that is no character.") from None


def _coded_first(character: str) -> str:
    return f"%{ord(character):02x}" if character in "_-" else _coded(character)
