"""Download many pictures at once from addresses that may be dead, endless, or no pictures.

At most `at_once` requests are active. A request that receives nothing for much longer than servers usually take to
answer is counted as stalled: it goes on, but the next request may start. So all dead servers together cost time only
once, at the end.
"""

import asyncio
import bisect
import math
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from lab_kit.datasets.picture_formats import describe_bytes, detect_format

# A browser's, because many servers refuse programs.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HEADERS = {
    "User-Agent": BROWSER,
    "Accept": "image/jpeg,image/png,image/webp,image/*;q=0.8,*/*;q=0.5",
    "Accept-Language": "en;q=0.8,*;q=0.5",
    "Accept-Encoding": "identity",  # pictures are compressed already
}
MAX_REDIRECTS = 8
# A request is stalled after STALL_FACTOR times the median time that answers took so far, within limits in seconds.
STALL_FACTOR = 4
STALL_MIN_S, STALL_FIRST_S, STALL_MAX_S = 0.3, 0.5, 3.0  # the second one counts before any answer has come
MIN_SPEED = 5_000  # bytes per second: a slower request is stalled, too
STALLED_FACTOR = 8  # at most this many times `at_once` requests may be stalled
POLL_S = 0.1


@dataclass(frozen=True)
class FetchLimits:
    """Limits for requests: how many at once, how long, and how large."""

    at_once: int
    per_host: int
    timeout: float  # seconds to connect, and to wait for the next data
    deadline: float  # seconds for the whole request
    patience: float  # seconds, at least, for stalled requests when all others are done
    max_bytes: int


class FetchError(Exception):
    """A picture cannot be downloaded; the message is the reason, in plain words."""


@dataclass
class _Request:
    """The state of a running request."""

    url: str
    started: float = field(default_factory=time.monotonic)
    answered: float | None = None  # seconds from the start to the answer's head
    received: int = 0  # bytes

    def age(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    def is_stalled(self, after: float) -> bool:
        """Return whether it has run for more than `after` seconds and receives too little."""
        return self.age() > after and self.received < MIN_SPEED * self.age()


async def fetch_all(
    urls: Sequence[str],
    limits: FetchLimits,
    done: Callable[[int, bytes | None, str], None],
    verify: ssl.SSLContext | bool = True,
) -> None:
    """Download every address; call `done(index in urls, content or None, reason)` for each one that is finished.

    Args:
        urls: addresses of http and https. Others are reported as failed, with the reason.
        limits: limits of numbers, time and size.
        done: is given the content of a picture, or None and the reason why there is none. It is called in other
            threads, several at once, so it may take time, and write files.
        verify: how certificates are checked; True for httpx's default.
    """
    timeout = httpx.Timeout(limits.timeout, pool=None)
    connections = httpx.Limits(max_connections=None, max_keepalive_connections=2 * limits.at_once)
    async with httpx.AsyncClient(
        headers=HEADERS,
        timeout=timeout,
        limits=connections,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        verify=verify,
    ) as client:
        await _Fetcher(client, limits, done).run(urls)


class _Fetcher:
    """Runs all requests within the limits."""

    def __init__(self, client: httpx.AsyncClient, limits: FetchLimits, done: Callable) -> None:
        self._client, self._limits, self._done = client, limits, done
        self._begun = time.monotonic()
        self._fast = asyncio.Semaphore(limits.at_once)
        self._stalled = asyncio.Semaphore(STALLED_FACTOR * limits.at_once)
        self._hosts = defaultdict(lambda: asyncio.Semaphore(limits.per_host))
        self._active: set[int] = set()  # indices of requests that have not started, or are not stalled
        self._only_stalled_since = math.inf  # when only stalled requests were left
        self._answer_times: list[float] = []  # seconds, sorted

    async def run(self, urls: Sequence[str]) -> None:
        self._active = set(range(len(urls)))
        async with asyncio.TaskGroup() as group:
            for index, url in enumerate(urls):
                group.create_task(self._fetch_one(index, url))

    async def _fetch_one(self, index: int, url: str) -> None:
        content, reason = None, ""
        try:
            check_address(url)
            content = await self._download_in_turn(index, url)
        except FetchError as error:
            reason = str(error)
        finally:
            self._set_inactive(index)
        await asyncio.to_thread(self._done, index, content, reason)

    async def _download_in_turn(self, index: int, url: str) -> bytes:
        """Download `url` when it may start; let another request start while this one is stalled."""
        async with AsyncExitStack() as room, AsyncExitStack() as waiting_room:
            await room.enter_async_context(self._hosts[urlsplit(url).netloc.lower()])
            await room.enter_async_context(self._fast)
            request = _Request(url)
            work = asyncio.create_task(self._download(request))
            try:
                while not (await asyncio.wait({work}, timeout=POLL_S))[0]:
                    if index in self._active and request.is_stalled(self._stall_time()) and not self._stalled.locked():
                        await waiting_room.enter_async_context(self._stalled)
                        await room.aclose()
                        self._set_inactive(index)
                    self._check_time(request)
                return work.result()
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    def _stall_time(self) -> float:
        """Return the seconds after which a request that receives too little is stalled."""
        if not self._answer_times:
            return STALL_FIRST_S
        median = self._answer_times[len(self._answer_times) // 2]
        return min(max(STALL_FACTOR * median, STALL_MIN_S), STALL_MAX_S)

    def _set_inactive(self, index: int) -> None:
        """Record that a request is done or stalled."""
        self._active.discard(index)
        if not self._active:
            self._only_stalled_since = min(self._only_stalled_since, time.monotonic())

    def _check_time(self, request: _Request) -> None:
        """Raise FetchError if a request has used up its time.

        When only stalled requests are left, they get half as much time again as everything before has taken.
        """
        limits = self._limits
        if request.age() > limits.deadline:
            raise FetchError(f"not complete within {limits.deadline:g} s: too slow, or without an end")
        since = time.monotonic() - self._only_stalled_since
        enough = max(limits.patience, (self._only_stalled_since - self._begun) / 2)
        if since > enough and request.age() > limits.patience and request.is_stalled(0):
            what = "too slow, or without an end: stopped after" if request.answered is not None else "no answer within"
            raise FetchError(f"{what} {request.age():.0f} s")

    async def _download(self, request: _Request) -> bytes:
        """Return the bytes of a picture; raise FetchError if that fails for any reason."""
        try:
            async with self._client.stream("GET", request.url) as response:
                request.answered = request.age()
                bisect.insort(self._answer_times, request.answered)
                if self._only_stalled_since < math.inf:  # servers still answer: the network is slow, so wait longer
                    self._only_stalled_since = time.monotonic()
                _check_head(response, self._limits.max_bytes)
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    request.received = len(content)
                    if len(content) > self._limits.max_bytes:
                        raise FetchError(f"more than {self._limits.max_bytes / 1e6:g} MB")
        except httpx.TimeoutException:
            what = "stopped sending for" if request.answered is not None else "no answer within"
            raise FetchError(f"{what} {self._limits.timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError, ValueError) as error:
            raise FetchError(describe_error(error)) from None
        if not content:
            raise FetchError("an empty answer")
        if detect_format(bytes(content[:65536])) is None and detect_format(bytes(content)) is None:
            raise FetchError(describe_bytes(bytes(content)))
        return bytes(content)


def check_address(url: str) -> None:
    """Raise FetchError, with the reason, if `url` cannot be requested."""
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise FetchError("not a web address") from None
    if scheme not in ("http", "https"):
        raise FetchError(
            f"only http and https addresses are fetched, not {scheme[:20]}:" if scheme else "not a web address"
        )
    if not host:
        raise FetchError("not a web address: it names no server")


def _check_head(response: httpx.Response, max_bytes: int) -> None:
    """Raise FetchError if the head of an answer shows that it is not a picture, before its body is read."""
    if response.status_code != 200:
        try:
            phrase = HTTPStatus(response.status_code).phrase
        except ValueError:
            phrase = response.reason_phrase
        raise FetchError(f"{response.status_code} {phrase}".strip())
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise FetchError(f"more than {max_bytes / 1e6:g} MB: {int(length) / 1e6:,.0f} MB")
    if response.headers.get("Content-Type", "").split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        raise FetchError("a web page, not a picture")


def describe_error(error: Exception) -> str:
    """Describe the error of a request in plain words."""
    text = " ".join(str(error).split())
    low = text.lower()
    if "certificate verify failed" in low:
        why = text.split("certificate verify failed", 1)[1].split("(_ssl")[0].strip(" :")
        return f"certificate not valid: {why}" if why else "certificate not valid"
    if "[ssl" in low or isinstance(error, ssl.SSLError):
        return "no secure connection: the server does not speak https as it should"
    if isinstance(error, httpx.TooManyRedirects):
        return "redirects without end"
    if isinstance(error, httpx.UnsupportedProtocol):
        return "leads to an address that is neither http nor https"
    if any(words in low for words in ("name or service", "nodename", "getaddrinfo", "name resolution", "no address")):
        return "no such server, or no network"
    if isinstance(error, httpx.ConnectError):
        return "no connection: refused, or out of reach"
    if isinstance(error, httpx.ProxyError):
        return f"the proxy refuses: {text}"
    if isinstance(error, (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError, OSError)):
        return "the connection broke off"
    return text[:200] or type(error).__name__
