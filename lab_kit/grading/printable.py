"""Text that others wrote, made fit for terminals, tables and the names of files."""

import hashlib
import re

MOST_CHARACTERS = 2_000
MOST_BYTES = 200  # of a file's name


def printable(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text cut at `most` characters, with a question mark for each that cannot be seen or encoded.

    Line breaks stay. What a terminal would obey (to clear the screen, say) does not.
    """
    end = " ..." if len(text) > most else ""
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text[:most]) + end


def file_name(student: str) -> str:
    """Return a student's name as one that every system takes for a file: some are too long with an ending."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", student).strip(". ") or "_"
    return name if len(name.encode()) <= MOST_BYTES else f"{name[:40]} {hashlib.sha256(name.encode()).hexdigest()[:8]}"
