"""The one download path: every file of a dataset is fetched, or found, and always verified.

`data/raw/<dataset>/metadata.toml` lists the files with their sizes, sha256 hashes and addresses. A file counts only
when its size and hash are right: a half download, or a web page saved under the archive's name, is never opened.
"""

import hashlib
import logging
import re
import shutil
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

from filelock import FileLock

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
        """Make sure that the verified file is there, downloading it if need be, in one process at a time.

        A file that is there but wrong is set aside as `<name>.bad` once its replacement has arrived.

        Raises:
            UserError: the file on disk is wrong and cannot be replaced, or the disk takes no new one.
            DownloadError: there is no file, and no address gave one.
        """
        try:
            if self.path.is_file() and self.fault() is None:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(self.path.name + ".lock")):
                fault = self.fault() if self.path.is_file() else "missing"
                if fault is not None:  # else another process fetched it while this one waited
                    self._replace(fault)
        except OSError as error:
            raise UserError(
                f"Cannot keep {self.path.name} ({self.size / 1e6:,.1f} MB) in {readable(self.path.parent)}: "
                f"{error.strerror or error}. Make room there, or set TEXT_RECOGNIZER_DATA to a folder that you can "
                "write to."
            ) from error

    def _replace(self, fault: str) -> None:
        # All that is unfinished lies in a folder of its own: what a killed process left there, the next one removes.
        unfinished = self.path.with_name(self.path.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            arrived = self._download(unfinished)
            if self.path.exists():
                self.path.replace(self.path.with_name(self.path.name + ".bad"))
            arrived.replace(self.path)
        except DownloadError as error:
            if fault == "missing":
                raise
            raise UserError(
                f"{readable(self.path)} is {fault}. Replace it with the real file, or delete it. ({error})"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _download(self, folder: Path) -> Path:
        """Return the verified file in `folder`, from the first address that gives it; raise DownloadError if none does.

        Faults of the disk are no reason to try the next address: they come out as OSError.
        """
        import pooch  # here, because it takes a tenth of a second that a run with data on disk does not owe
        from requests import RequestException

        pooch.get_logger().setLevel(logging.WARNING)
        reasons = []
        for url in self.urls:
            host = urlsplit(url).hostname
            log.info("Downloading %s (%.1f MB) from %s ...", self.path.name, self.size / 1e6, host)
            try:
                return Path(
                    pooch.retrieve(
                        url, f"sha256:{self.sha256}", fname=self.path.name, path=folder, downloader=self._fetch
                    )
                )
            except (RequestException, ValueError) as error:
                reasons.append(f"{host} {_in_words(error)}")
        raise DownloadError(f"Could not download {self.path.name}: {'; '.join(reasons) or 'no address is known'}")

    def _fetch(self, url: str, target: str, _) -> None:
        """Write what `url` answers to `target`; raise ValueError if it is not the published file."""
        import pooch

        bar = _progress_bar(self.path.name, self.size) if sys.stderr.isatty() else False
        # Asked for no further compression, servers do not unpack, or pack again, what is packed already.
        headers = {"Accept-Encoding": "identity"}
        fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT_S, headers=headers)
        with Path(target).open("wb") as file:
            fetch(url, _AtMost(file, self.size), None)
        if fault := replace(self, path=Path(target)).fault():
            raise ValueError(f"sends a file that is {fault}")


class _AtMost:
    """A file that takes `size` bytes and no more: a body without end must not fill the disk."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def write(self, piece: bytes) -> None:
        if self._file.tell() + len(piece) > self._size:
            raise ValueError(f"sends more than the {self._size:,} bytes expected")
        self._file.write(piece)

    def flush(self) -> None:
        self._file.flush()


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
            match content:
                case {"name": str(title), "source": str(source), "files": [_, *_] as files}:
                    return cls(name, title, source, tuple(_described(file, folder) for file in files))
            raise ValueError("it needs a name, a source, and a list of files")
        except FileNotFoundError:
            raise UserError(f"{readable(path)} is missing: it says where the dataset {name} comes from.") from None
        except OSError as error:
            raise UserError(f"Cannot read {readable(path)}: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:  # what tomllib raises, too
            raise UserError(f"{readable(path)} is malformed: {_one_line(error)}") from error

    @property
    def folder(self) -> Path:
        """Where the files are, or belong."""
        return data_root() / "downloaded" / self.name

    def path(self, name: str) -> Path:
        """Return where the file `name` is, or belongs.

        Raises:
            UserError: the dataset has no such file.
        """
        for file in self.files:
            if file.path.name == name:
                return file.path
        raise UserError(f"{readable(metadata_file(self.name))} does not list {name}, a part of {self.title}.")

    def present(self) -> bool:
        """Return whether every file is there, verified or not."""
        return all(file.path.is_file() for file in self.files)

    def ensure(self) -> None:
        """Find, or download, and verify every file; raises as `RawFile.ensure` does."""
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


def _described(file: object, folder: Path) -> RawFile:
    """Return what metadata says of one file, or raise ValueError; a name that leads elsewhere is not one."""
    match file:
        case {"filename": str(name), "size": int(size), "sha256": str(digest), "urls": [*urls]} if (
            re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII)
            and size > 0
            and re.fullmatch("[0-9a-f]{64}", digest)
            and all(isinstance(url, str) and urlsplit(url).scheme in ("http", "https") for url in urls)
        ):
            return RawFile(folder / name, size, digest, tuple(urls))
    raise ValueError(
        "each file needs a filename without folders, a size in bytes, a sha256 in small hex digits, and a list of urls"
    )


def _in_words(error: Exception) -> str:
    """Say what an address did, for a sentence that starts with its host."""
    from requests import ConnectionError, HTTPError, Timeout, TooManyRedirects

    text = _one_line(error)
    if isinstance(error, HTTPError) and error.response is not None:
        return f"answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, Timeout) or "timed out" in text:
        return "does not answer in time"
    if isinstance(error, TooManyRedirects):
        return "redirects without end"
    if "NameResolution" in text or "Name or service not known" in text or "Failed to resolve" in text:
        return "is out of reach: no network"
    if isinstance(error, ConnectionError):
        return "refuses the connection" if "refused" in text else "cannot be reached"
    return text[:160] if text.startswith("sends ") else f"breaks off: {text[:160]}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _progress_bar(name: str, size: int):
    from tqdm import tqdm

    return tqdm(total=size, desc=name, unit="B", unit_scale=True, leave=True)
