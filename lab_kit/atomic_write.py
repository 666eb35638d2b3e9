"""Write a file completely or not at all."""

import json
import os
import secrets
import shutil
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
    except OSError as error:
        if error.filename is None and error.errno is not None:  # as after a write to a full disk
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path`; once it is filled without an exception, it takes `path`'s place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    unfinished.mkdir()
    try:
        yield unfinished
        if path.exists():
            before = path.with_name(f"{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
            path.rename(before)
            unfinished.rename(path)
            shutil.rmtree(before, ignore_errors=True)
        else:
            unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_bytes(content: bytes | memoryview, path: Path) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replaced(path) as unfinished:
        unfinished.write_bytes(content)


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(text.encode("utf-8"), path)


def write_json(content: dict[str, object], path: Path) -> None:
    """Write `content` as JSON, whole or not at all."""
    write_text(json.dumps(content, indent=2) + "\n", path)
