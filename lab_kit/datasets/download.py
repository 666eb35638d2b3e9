"""Download the files of a dataset, and verify them.

`data/raw/<dataset>/metadata.toml` lists the files with their sizes, sha256 hashes and addresses. A file is used only if
its size and hash are right, so an incomplete download, or a web page with the archive's name, is never opened.
"""

import hashlib
import logging
import platform
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from lab_kit import locks
from lab_kit.atomic_write import UNFINISHED
from lab_kit.errors import UserError
from lab_kit.paths import readable

log = logging.getLogger(__name__)

MOST_BYTES = 4_000_000_000  # of a file whose size is not known
TIMEOUT_S = (10, 60)  # to connect, and between two parts of the answer


class DownloadError(UserError):
    """The error if no address has the file."""


@dataclass(frozen=True)
class RawFile:
    """One published file.

    Attributes:
        path: where it is on disk.
        size: in bytes; None where it is not known.
        sha256: in hex.
        urls: in the order to try them.
    """

    path: Path
    size: int | None
    sha256: str
    urls: tuple[str, ...]

    def problem(self) -> str | None:
        """Return what is wrong with the file on disk, or None if it is exactly the published file."""
        size = self.path.stat().st_size
        if self.size is not None and size != self.size:
            with self.path.open("rb") as file:
                is_page = file.read(256).lstrip()[:1] == b"<"
            kind = "a web page, not the data" if is_page else "cut short" if size < self.size else "too long"
            return f"{kind}: {size:,} bytes where {self.size:,} are expected"
        with self.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.sha256:
                return "damaged: its sha256 is not the published one"
        return None

    def check(self) -> None:
        """Raise UserError unless the file is on disk, and is the published one."""
        problem = self.problem() if self.path.is_file() else "missing"
        if problem is not None:
            raise UserError(f"{readable(self.path)} is {problem}. Replace it with the real file, or remove it.")

    def ensure(self) -> None:
        """Verify the file on disk, and download it if it is missing or wrong, in one process at a time.

        A wrong file is renamed to `<name>.bad` when its replacement has arrived.

        Raises:
            UserError: the file on disk is wrong and cannot be replaced, or the disk cannot store a new one.
            DownloadError: there is no file, and no address has it.
        """
        try:
            if self.path.is_file() and self.problem() is None:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            busy = f"Another process is downloading {self.path.name}: waiting for it."
            with locks.held(self.path.with_name(self.path.name + ".lock"), busy) as everywhere:
                problem = self.problem() if self.path.is_file() else "missing"
                if problem is not None:  # otherwise, another process downloaded it while this one waited
                    self._replace(problem, "" if everywhere else f".{platform.node()}")
        except OSError as error:
            raise UserError(
                f"Cannot keep {self._described()} in {readable(self.path.parent)}: "
                f"{error.strerror or error}. Make room there, or set TEXT_RECOGNIZER_DATA to a folder that you can "
                "write to."
            ) from error

    def _described(self) -> str:
        return self.path.name if self.size is None else f"{self.path.name} ({self.size / 1e6:,.1f} MB)"

    def _replace(self, problem: str, whose: str) -> None:
        # Unfinished files are in their own folder. If a process is killed, the next one removes that folder.
        unfinished = self.path.with_name(f"{self.path.name}{whose}{UNFINISHED}")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            arrived = self._download(unfinished)
            if self.path.is_dir() or problem != "missing":
                self.path.replace(self.path.with_name(self.path.name + ".bad"))
            arrived.replace(self.path)
        except DownloadError as error:
            if problem == "missing":
                raise
            raise UserError(
                f"{readable(self.path)} is {problem}. Replace it with the real file, or delete it. ({error})"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _download(self, folder: Path) -> Path:
        """Download the verified file to `folder`, from the first address that has it; raise DownloadError if none has.

        After an error of the disk, no other address is tried: it is raised as OSError.
        """
        import pooch  # imported here: it takes 0.1 s, which a run with the data on disk does not need
        from requests import RequestException

        pooch.get_logger().setLevel(logging.WARNING)
        reasons = []
        for url in self.urls:
            host = urlsplit(url).hostname
            log.info("Downloading %s from %s ...", self._described(), host)
            try:
                return Path(
                    pooch.retrieve(
                        url, f"sha256:{self.sha256}", fname=self.path.name, path=folder, downloader=self._fetch
                    )
                )
            except (RequestException, ValueError) as error:
                reasons.append(f"{host} {describe_error(error)}")
        raise DownloadError(f"Could not download {self.path.name}: {'; '.join(reasons) or 'no address is known'}")

    def _fetch(self, url: str, target: str, _) -> None:
        """Download `url` to `target`; raise ValueError if it is not the published file."""
        import pooch

        bar = _progress_bar(self.path.name, self.size) if sys.stderr.isatty() else False
        # Without this, some servers decompress or compress the archive again.
        headers = {"Accept-Encoding": "identity"}
        fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT_S, headers=headers)
        with Path(target).open("wb") as file:
            fetch(url, _SizeLimitedFile(file, self.size or MOST_BYTES), None)
        if problem := replace(self, path=Path(target)).problem():
            raise ValueError(f"sends a file that is {problem}")


class _SizeLimitedFile:
    """A file that accepts at most `size` bytes, so that an endless answer cannot fill the disk."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def write(self, chunk: bytes) -> None:
        if self._file.tell() + len(chunk) > self._size:
            raise ValueError(f"sends more than the {self._size:,} bytes expected")
        self._file.write(chunk)

    def flush(self) -> None:
        self._file.flush()


def describe_error(error: Exception) -> str:
    """Return what went wrong with an address, as the end of a sentence that starts with its host."""
    from requests import ConnectionError, HTTPError, Timeout, TooManyRedirects

    text = " ".join(str(error).split())
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


def _progress_bar(name: str, size: int | None):
    from tqdm import tqdm

    return tqdm(total=size, desc=name, unit="B", unit_scale=True, leave=True)
