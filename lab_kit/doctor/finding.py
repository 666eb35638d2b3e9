"""What was found about one thing, and how bad it is."""

from __future__ import annotations

from typing import NamedTuple

FINE, LOOK, WRONG = "fine", "look", "wrong"  # for the last two there is advice; with the last, the course does not run
OLDEST_PYTHON = (3, 11)


class Finding(NamedTuple):
    """What was found about one thing.

    Args:
        thing: its name.
        state: `FINE`, `LOOK` or `WRONG`.
        found: what is there.
        advice: what to do, in one line; empty where all is fine.
    """

    thing: str
    state: str
    found: str
    advice: str = ""
