"""The one download path: every file of a dataset is fetched, or found, and always verified.

`data/raw/<dataset>/metadata.toml` lists the files with their sizes, sha256 hashes and addresses. A file counts only
when its size and hash are right: a half download, or a web page saved under the archive's name, is never opened.
"""

import hashlib
import logging
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from text_recognizer.errors import UserError
from text_recognizer.paths import data_root, metadata_file, readable

log = logging.getLogger(__name__)

Source = Literal["auto", "download", "pen"]

TIMEOUT_S = (10, 60)  # to connect, and between two pieces of the answer


class DownloadError(UserError):
    """No address gave the file."""


@dataclass(frozen=True)
class RawFile:
    """One file as published: `size` in bytes, `sha256` in hex, `urls` in the order to try them."""

    path: Path
    size: int
    sha256: str
    urls: tuple[str, ...]

    def fault(self) -> str | None:
        """Say what is wrong with the file on disk, or return None if it is exactly the published one."""
        size = self.path.stat().st_size
        if size != self.size:
            with self.path.open("rb") as file:
                is_page = file.read(256).lstrip()[:1] == b"<"
            kind = "a web page, not the data" if is_page else "cut short" if size < self.size else "too long"
            return f"{kind}: {size:,} bytes where {self.size:,} are expected"
        with self.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.sha256:
                return "damaged: its sha256 is not the published one"
        return None

    def ensure(self) -> None:
        """Make sure that the verified file is there, downloading it if need be.

        A file that is there but wrong is set aside as `<name>.bad` once its replacement has arrived.

        Raises:
            UserError: the file on disk is wrong and cannot be replaced.
            DownloadError: there is no file, and no address gave one.
        """
        fault = self.fault() if self.path.is_file() else None
        if self.path.is_file() and fault is None:
            return
        try:
            self._download()
        except DownloadError as error:
            if fault is None:
                raise
            raise UserError(
                f"{readable(self.path)} is {fault}. Replace it with the real file, or delete it. ({error})"
            ) from error

    def _download(self) -> None:
        import pooch  # here, because it takes a tenth of a second that a run with data on disk does not owe

        pooch.get_logger().setLevel(logging.WARNING)
        arrived = self.path.with_name(self.path.name + ".new")
        reasons = []
        for url in self.urls:
            host = urlsplit(url).hostname
            progress = _progress_bar(self.path.name, self.size) if sys.stderr.isatty() else False
            log.info("Downloading %s (%.1f MB) from %s ...", self.path.name, self.size / 1e6, host)
            try:
                pooch.retrieve(
                    url,
                    f"sha256:{self.sha256}",
                    fname=arrived.name,
                    path=arrived.parent,
                    downloader=pooch.HTTPDownloader(timeout=TIMEOUT_S, progressbar=progress),
                )
            except (OSError, ValueError) as error:  # network and disk faults; a wrong hash is a ValueError
                reasons.append(f"{host}: {_brief(error)}")
                continue
            if self.path.exists():
                self.path.replace(self.path.with_name(self.path.name + ".bad"))
            arrived.replace(self.path)
            return
        why = "; ".join(reasons) or "no address is known"
        raise DownloadError(f"Could not download {self.path.name} ({why})")


@dataclass(frozen=True)
class RawData:
    """A dataset as published: its `title`, a line on its `source`, and its files."""

    name: str
    title: str
    source: str
    files: tuple[RawFile, ...]

    @classmethod
    def load(cls, name: str) -> "RawData":
        """Read `metadata.toml` of dataset `name`.

        Raises:
            UserError: the file is missing or malformed.
        """
        path = metadata_file(name)
        folder = data_root() / "downloaded" / name
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            files = tuple(
                RawFile(folder / Path(file["filename"]).name, file["size"], file["sha256"], tuple(file["urls"]))
                for file in content["files"]
            )
            return cls(name, content["name"], content["source"], files)
        except FileNotFoundError:
            raise UserError(f"{readable(path)} is missing: it says where the dataset {name} comes from.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise UserError(f"{readable(path)} is malformed: {_brief(error)}") from error

    @property
    def folder(self) -> Path:
        """Where the files are, or belong."""
        return data_root() / "downloaded" / self.name

    def present(self) -> bool:
        """Return whether every file is there, verified or not."""
        return all(file.path.is_file() for file in self.files)

    def ensure(self) -> None:
        """Find, or download, and verify every file; raises as `RawFile.ensure` does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in self.files:
            file.ensure()

    def where_to_put(self) -> str:
        """Return the instruction for someone who has no network but can bring the files."""
        names = ", ".join(file.path.name for file in self.files)
        return f"To use the real {self.title}, put {names} into {readable(self.folder)}"


def find_or_download(raw: RawData, source: Source, ready: bool, stand_in: str | None) -> bool:
    """Decide between the real data and its stand-in, as `--source` says, downloading if need be.

    Args:
        raw: the dataset.
        source: what the user asked for.
        ready: whether the real data is on disk already, as downloaded or processed.
        stand_in: what takes its place, in words; None if nothing can.

    Returns:
        True: the real data is on disk. False: the stand-in must do, and the user has been told.

    Raises:
        UserError: the real data cannot be had, and nothing may take its place.
    """
    if source == "pen":
        return False
    if ready:
        return True
    try:
        raw.ensure()
    except DownloadError as error:
        if source == "download" or stand_in is None:
            raise UserError(f"{error}. {raw.where_to_put()}, or connect to the network.") from error
        log.warning("THIS IS NOT %s. %s in for it.\n\n%s.\n%s.", raw.title.upper(), stand_in, error, raw.where_to_put())
        return False
    return True


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if "NameResolution" in text or "Name or service not known" in text or "Failed to resolve" in text:
        return "no network"
    return f"{type(error).__name__}: {text[:160]}"


def _progress_bar(name: str, size: int):
    from tqdm import tqdm

    return tqdm(total=size, desc=name, unit="B", unit_scale=True, leave=True)
