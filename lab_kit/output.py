"""Output that always can be written."""

import os
import sys
from io import TextIOWrapper


def accept_all_output() -> None:
    """Let nothing that a program prints be a reason to stop.

    What goes to a closed stream is forgotten, as where a service starts the program. A letter that a stream's encoding
    lacks becomes a question mark: Windows writes `> file.txt` in an encoding without arrows.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  until the end
        elif isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")
