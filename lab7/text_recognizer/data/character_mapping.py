"""The 83 classes of the course: special tokens, letters and digits, and marks."""

import string
from collections.abc import Sequence

import numpy as np

from lab_kit.errors import UserError

# Start of a line, blank ("no character here"), end of a line, padding.
START, BLANK, END, PADDING = SPECIAL_TOKENS = ("<B>", "<S>", "<E>", "<P>")

# EMNIST's byclass labels 0-61, in this order.
ALPHANUMERIC = (*string.digits, *string.ascii_uppercase, *string.ascii_lowercase)

# Other characters of English text; EMNIST has no pictures of them.
MARKS = tuple(" !\"#&'()*+,-./:;?")

# Class index -> character. EMNIST's label k is class k + 4, because the special tokens come first.
MAPPING = (*SPECIAL_TOKENS, *ALPHANUMERIC, *MARKS)

# Pages have lines, too.
PAGE_MAPPING = (*MAPPING, "\n")


def encode(text: str, length: int | None = None, mapping: Sequence[str] = MAPPING) -> np.ndarray:
    """Return the class indices of `text`, (len(text),) int64; with `length`, padded with `<P>` to (length,).

    Raises:
        UserError: a character is not in the mapping, or the text is longer than `length`.
    """
    classes = {character: index for index, character in enumerate(mapping)}
    unknown = sorted(set(text) - classes.keys())
    if unknown:
        raise UserError(f"Cannot encode {unknown[0]!r}: it is not one of the {len(mapping)} classes of the mapping.")
    if length is not None and len(text) > length:
        raise UserError(f"Cannot encode {len(text)} characters in {length} places: {text!r}")
    indices = [classes[character] for character in text]
    padding = 0 if length is None else length - len(text)
    return np.array(indices + [classes[PADDING]] * padding, dtype=np.int64)


def decode(indices: Sequence[int], keep_special: bool = False, mapping: Sequence[str] = MAPPING) -> str:
    """Return the text of class indices; the special tokens are left out unless `keep_special`.

    Raises:
        UserError: an index is outside the mapping.
    """
    wrong = [int(index) for index in indices if not 0 <= index < len(mapping)]
    if wrong:
        raise UserError(f"Cannot decode class {wrong[0]}: classes go from 0 to {len(mapping) - 1}.")
    characters = (mapping[index] for index in indices)
    return "".join(character for character in characters if keep_special or character not in SPECIAL_TOKENS)
