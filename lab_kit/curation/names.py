"""Names for class folders and files that are valid and safe on every operating system."""

import re
import unicodedata
from urllib.parse import unquote, urlsplit

from lab_kit.datasets.picture_layout import SYSTEM_NAMES, split_of
from lab_kit.errors import UserError

LONGEST = 100  # characters of a class's name
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # on Windows


def class_folder_name(name: str) -> str:
    """Return the name of a class's folder: the class's name, stripped, in Unicode's normal form NFC.

    Raises:
        UserError: on some operating system, a folder cannot have this name.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not name:
        raise UserError("A class has an empty name: every picture needs a class.")
    shown = ascii(name) if len(name) <= 50 else ascii(name[:50]) + "..."
    if not name.isprintable() or re.search(r'[<>:"/\\|?*]', name):
        raise UserError(f'A class cannot be called {shown}: leave out / \\ : * ? " < > | and control characters.')
    if name.startswith((".", "~")) or name.endswith("."):
        raise UserError(f"A class cannot be called {shown}: its name may not begin or end with a dot, or begin with ~.")
    if name.split(".")[0].strip().lower() in RESERVED:
        raise UserError(f"A class cannot be called {shown}: Windows reserves that name.")
    if name.startswith("_") or name.casefold() in SYSTEM_NAMES:
        raise UserError(f"A class cannot be called {shown}: folders of this name are no part of a data set.")
    if split_of(name):
        raise UserError(f"A class cannot be called {shown}: folders of this name are the splits of a data set.")
    if len(name) > LONGEST or len(name.encode()) > 2 * LONGEST:
        raise UserError(f"A class cannot be called {shown}: its name may have at most {LONGEST} characters.")
    return name


def class_name_from_term(term: str, leave_out: str) -> str:
    """Make the name of a class from a search term, without the words to leave out.

    ("gibson les paul guitar", "guitar") -> "gibson_les_paul".

    Raises:
        UserError: no word is left, or a folder cannot have this name.
    """
    without = {word.casefold() for word in re.findall(r"\w+", leave_out)}
    words = [word for word in re.findall(r"[\w'-]+", term) if word.casefold() not in without]
    name = "_".join(word.strip("'-") for word in words).lower()
    if not name.strip("_"):
        raise UserError(f"Nothing is left of the term '{term}' without '{leave_out}': a class needs a name.")
    return class_folder_name(name)


def file_stem_from_url(url: str) -> str:
    """Make the name of a file, without suffix, from the last part of an address; "picture" if that has no letters."""
    try:
        last = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    except ValueError:
        last = ""
    stem = re.sub(r"\.[A-Za-z]{2,4}g?$", "", unicodedata.normalize("NFC", last))
    stem = re.sub(r"[^\w-]+", "-", stem)[:60].strip("-_")
    if not stem or stem.lower() in RESERVED:
        return f"picture-{stem}".strip("-")
    return stem
