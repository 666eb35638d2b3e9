"""Names of classes and files that are safe on every system, wherever they come from."""

import re
import unicodedata
from urllib.parse import unquote, urlsplit

from text_recognizer.errors import UserError

LONGEST = 100  # characters of a class's name
SPLITS = ("train", "valid", "val", "test")  # such a class would be taken for a part of a data set
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # on Windows


def class_folder(name: str) -> str:
    """Return the name of a class's folder, in the usual form of Unicode.

    Raises:
        UserError: no folder should be called this, on one system or another.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not name:
        raise UserError("A class without a name: every picture needs a class.")
    shown = ascii(name) if len(name) <= 50 else ascii(name[:50]) + "..."
    if not name.isprintable() or re.search(r'[<>:"/\\|?*]', name):
        raise UserError(f'A class cannot be called {shown}: leave out / \\ : * ? " < > | and control characters.')
    if name.startswith((".", "~")) or name.endswith("."):
        raise UserError(f"A class cannot be called {shown}: its name may not begin or end with a dot, or begin with ~.")
    if name.split(".")[0].strip().lower() in RESERVED:
        raise UserError(f"A class cannot be called {shown}: Windows reserves that name.")
    if name.lower() in SPLITS:
        raise UserError(f"A class cannot be called {shown}: that is the name of a part of a data set.")
    if len(name) > LONGEST or len(name.encode()) > 2 * LONGEST:
        raise UserError(f"A class cannot be called {shown}: at most {LONGEST} characters.")
    return name


def class_of_term(term: str, leave_out: str) -> str:
    """Make a class's name from what is searched for, less some words.

    ("gibson les paul guitar", "guitar") -> "gibson_les_paul". Raises UserError as `class_folder` does.
    """
    without = {word.casefold() for word in re.findall(r"\w+", leave_out)}
    words = [word for word in re.findall(r"[\w'-]+", term) if word.casefold() not in without]
    name = "_".join(word.strip("'-") for word in words).lower()
    if not name.strip("_"):
        raise UserError(f"Nothing is left of the term '{term}' without '{leave_out}': a class needs a name.")
    return class_folder(name)


def file_stem(url: str) -> str:
    """Make a file's name, without its suffix, from the last part of an address; "picture" where that says nothing."""
    try:
        last = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    except ValueError:
        last = ""
    stem = re.sub(r"\.[A-Za-z]{2,4}g?$", "", unicodedata.normalize("NFC", last))
    stem = re.sub(r"[^\w-]+", "-", stem)[:60].strip("-_")
    if not stem or stem.lower() in RESERVED:
        return f"picture-{stem}".strip("-")
    return stem
