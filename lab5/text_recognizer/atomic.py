"""Write a file whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".unfinished"  # how the name of a file ends until it is complete


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; the file that is written there then takes `path`'s place.

    Whatever happens, even the end of the process, `path` is what it was before, or complete. After an exception the
    temporary file is gone; only a process that is killed leaves it behind.
    """
    # Not the process id: processes on two machines, or in two containers, may share it as they share the disk.
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())  # or, after a power cut, the name could be there before the content
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_bytes(content: bytes | memoryview, path: Path) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replaced(path) as unfinished:
        unfinished.write_bytes(content)


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(text.encode("utf-8"), path)
