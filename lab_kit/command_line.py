"""Write command lines for people to copy."""

import os
import shlex
import subprocess
from pathlib import Path

from lab_kit.paths import readable


def command_line(*words: str | Path) -> str:
    """Return a command that the shell of this system reads as these words, whatever characters they have.

    Paths become relative to the working directory where `readable` does so.
    """
    texts = [readable(word) if isinstance(word, Path) else word for word in words]
    return subprocess.list2cmdline(texts) if os.name == "nt" else shlex.join(texts)
