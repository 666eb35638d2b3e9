"""Datasets as published: their metadata, their files on disk, and the choice between real data and its stand-in."""

import logging
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from lab_kit.atomic_write import UNFINISHED
from lab_kit.datasets.download import DownloadError, RawFile
from lab_kit.errors import UserError
from lab_kit.paths import data_root, metadata_file, readable

log = logging.getLogger(__name__)

Source = Literal["auto", "download", "pen"]


@dataclass(frozen=True)
class RawData:
    """A dataset as published.

    Attributes:
        name: its name here.
        title: its name for people.
        source: a sentence about where it comes from.
        files: what it consists of.
        terms: a sentence about what its owners ask of users. A dataset that has one is downloaded only when a user
            asks for it.
    """

    name: str
    title: str
    source: str
    files: tuple[RawFile, ...]
    terms: str = ""

    @classmethod
    def load(cls, name: str) -> "RawData":
        """Read `data/raw/<name>/metadata.toml`.

        Raises:
            UserError: the file is missing or malformed.
        """
        path = metadata_file(name)
        folder = data_root() / "downloaded" / name
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            match content:
                case {"name": str(title), "source": str(source), "files": [_, *_] as files}:
                    files = tuple(_file_from_entry(file, folder) for file in files)
                    return cls(name, title, source, files, " ".join(str(content.get("terms", "")).split()))
            raise ValueError("it needs a name, a source, and a list of files")
        except FileNotFoundError:
            raise UserError(f"{readable(path)} is missing: it must say where the dataset {name} comes from.") from None
        except OSError as error:
            raise UserError(f"Cannot read {readable(path)}: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:  # tomllib raises these, too
            raise UserError(f"{readable(path)} is malformed: {' '.join(str(error).split())}") from error

    @property
    def folder(self) -> Path:
        """The folder of the downloaded files."""
        return data_root() / "downloaded" / self.name

    def path(self, name: str) -> Path:
        """Return the path of the file `name`, whether or not it exists.

        Raises:
            UserError: the dataset has no such file.
        """
        for file in self.files:
            if file.path.name == name or file.path in _unpacked_paths(self.folder / name):
                return file.path
        raise UserError(f"{readable(metadata_file(self.name))} does not list {name}, a part of {self.title}.")

    def present(self) -> bool:
        """Return whether every file is on disk, verified or not."""
        return all(file.path.is_file() for file in self.files)

    def ensure(self) -> None:
        """Download the files that are missing, and verify all files; raises the errors of `RawFile.ensure`."""
        for file in self.files:
            file.ensure()

    def manual_instructions(self) -> str:
        """Return instructions for a user without a network who can copy the files."""
        missing = [file.path.name for file in self.files if not file.path.is_file()]
        names = ", ".join(missing or [file.path.name for file in self.files])
        instructions = f"To use the real {self.title}, put {names} into {readable(self.folder)}"
        if others := self._other_files():
            instructions += f", named and packed as published (what is there: {', '.join(others[:4])})"
        return instructions

    def _other_files(self) -> list[str]:
        """Return what else is in the folder: perhaps the files under other names, or unpacked by a browser."""
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        own, used = (".lock", ".bad", UNFINISHED), {file.path.name for file in self.files}
        return [name for name in names if not name.startswith(".") and not name.endswith(own) and name not in used]


@contextmanager
def explain_disk_errors() -> Iterator[None]:
    """Turn an OSError of the data folder into a UserError that says what to do."""
    try:
        yield
    except OSError as error:
        place = error.filename or "the data folder"
        raise UserError(
            f"Cannot use {place}: {error.strerror or error}. "
            "Set TEXT_RECOGNIZER_DATA to a folder that you can write to."
        ) from error


def find_or_download(raw: RawData, source: Source, ready: bool, stand_in: str | None) -> bool:
    """Decide between the real data and its stand-in, as `--source` says, and download the data if needed.

    Args:
        raw: the dataset.
        source: the value of `--source`.
        ready: whether the real data is already on disk, downloaded or processed.
        stand_in: the start of a warning, such as "Pen strokes stand"; None if there is no stand-in.

    Returns:
        True if the real data is on disk. False if the stand-in must be used; unless the user chose it, there was a
        warning.

    Raises:
        UserError: the real data cannot be downloaded, and there is no stand-in or the user does not want one.
    """
    if source == "pen":
        return False
    if ready:
        return True
    if raw.terms and source == "auto" and stand_in is not None:
        log.warning(
            "THIS IS NOT %s. %s in for it.\n\n%s\n--source download downloads it. %s.",
            *(raw.title.upper(), stand_in, raw.terms, raw.manual_instructions()),
        )
        return False
    if raw.terms:
        log.warning("%s: %s", raw.title, raw.terms)
    try:
        raw.ensure()
    except DownloadError as error:
        if source == "download" or stand_in is None:
            raise UserError(f"{error}. {raw.manual_instructions()}, or connect to the network.") from error
        log.warning(
            "THIS IS NOT %s. %s in for it.\n\n%s.\n%s.", raw.title.upper(), stand_in, error, raw.manual_instructions()
        )
        return False
    return True


def _file_from_entry(file: object, folder: Path) -> RawFile:
    """Return the file that an entry of the metadata describes; raise ValueError if the entry is malformed."""
    match file:
        case {"filename": str(name), "sha256": str(digest), "urls": [*urls], **others} if (
            re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII)
            and isinstance(size := others.get("size"), int | None)
            and (size is None or size > 0)
            and re.fullmatch("[0-9a-f]{64}", digest)
            and all(isinstance(url, str) and urlsplit(url).scheme in ("http", "https") for url in urls)
        ):
            packed = RawFile(folder / name, size, digest, tuple(urls))
            return packed if packed.path.exists() else _unpacked(packed, file.get("unpacked")) or packed
    raise ValueError(
        "each file needs a filename without folders, a size in bytes, a sha256 in lowercase hex, and a list of urls"
    )


def _unpacked(packed: RawFile, entry: object) -> RawFile | None:
    """Return the file that a browser has unpacked while it downloaded `packed`, if the metadata describes that, too."""
    match entry:
        case {"size": int(size), "sha256": str(digest)}:
            paths = (path for path in _unpacked_paths(packed.path) if path.is_file() and path.stat().st_size == size)
            return next((RawFile(path, size, digest, urls=()) for path in paths), None)
    return None


def _unpacked_paths(packed: Path) -> list[Path]:
    """Return where the content of `<name>.gz` may lie: as Safari unpacks it, and as Kaggle publishes MNIST."""
    path = packed.with_suffix("")
    return [path, path.with_name(path.name.replace("-idx", ".idx")), path / path.name]
