"""The error for what a user can put right."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something the user can put right: the message says what is wrong and what to do, in one line.

    Programs of this project print the message and end with exit code 2. Any other exception is a defect of the
    program, and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows in place of a traceback: one line there, too."""
        return [f"error: {' '.join(str(self).split())}"]


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the candidate that looks most like `name`, or an empty string."""
    found = most_like(name, candidates, 0.6)  # of three letters, one may be wrong
    return f" Did you mean '{found}'?" if found else ""


def most_like(name: str, candidates: Iterable[str], likeness: float) -> str | None:
    """Return the candidate that looks most like `name`, if as much of both is the same, from 0 to 1."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[close[0]] if close else None


def sentence(what: object) -> str:
    """Return a text, or the kind and the message of an exception, as one line with one full stop at its end."""
    words = " ".join(str(what).split())
    if isinstance(what, Exception) and not isinstance(what, UserError):
        words = f"{type(what).__name__}: {words}" if words else type(what).__name__
    return words if words.endswith((".", "!", "?")) else f"{words}."
