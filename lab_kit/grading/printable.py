"""Text of others for terminals, tables and files: no control characters, no half characters, no book."""

MOST_CHARACTERS = 2_000


def printable(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text cut at `most` characters, with a question mark for each that cannot be seen or encoded.

    Line breaks stay. What a terminal would obey (to clear the screen, say) does not.
    """
    end = " ..." if len(text) > most else ""
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text[:most]) + end
