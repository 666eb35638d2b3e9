"""Fetch many addresses at once, of which any may be dead, endless, or something else than a picture.

A place among the `at_once` is for requests that get on. One that stays silent for much longer than servers usually take
to answer is moved to a waiting room, and the next takes its place; so dead servers cost time only once, at the end, and
all of them together.
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

from text_recognizer.curation.check_picture import kind_of, sniff

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"  # many servers refuse programs
HEADERS = {
    "User-Agent": BROWSER,
    "Accept": "image/avif,image/webp,image/png,image/jpeg,image/*;q=0.8,*/*;q=0.5",
    "Accept-Language": "en;q=0.8,*;q=0.5",
    "Accept-Encoding": "identity",  # pictures are compressed already
}
REDIRECTS = 8
SILENT = 4  # a request that has brought nothing for this many times what answers usually take waits elsewhere,
SILENT_S = (0.3, 0.5, 3.0)  # at least the first of these seconds, at most the last; at first, the one in the middle
CRAWL = 5_000  # bytes a second: one that brings less is silent, or might as well be
WAITING = 8  # this many times `at_once` requests may wait for silent servers
TICK_S = 0.1


@dataclass(frozen=True)
class Limits:
    """How much time and room a request gets."""

    at_once: int
    per_host: int
    timeout: float  # seconds, to connect, and for the next piece to come
    deadline: float  # seconds, for all of it
    patience: float  # seconds, at least, for silent servers once all others are done
    max_bytes: int


class Refused(Exception):
    """Why there is no picture, in plain words."""


@dataclass
class _Request:
    """A request that is under way."""

    url: str
    started: float = field(default_factory=time.monotonic)
    answered: float | None = None  # after how many seconds
    received: int = 0  # bytes

    def age(self) -> float:
        return time.monotonic() - self.started

    def crawls(self, silent: float) -> bool:
        return self.age() > silent and self.received < CRAWL * self.age()


async def fetch_all(
    urls: Sequence[str],
    limits: Limits,
    done: Callable[[int, bytes | None, str], None],
    verify: ssl.SSLContext | bool = True,
) -> None:
    """Fetch every address; call `done(place in urls, content or None, reason)` for each, as they come in.

    Args:
        urls: of http and https; what else there is gets its reason, too.
        limits: of time and room.
        done: takes the content of a picture, or None and why there is none. It is called in other threads, several of
            them at once, so it may take time, and write files.
        verify: how certificates are checked; True for what the system's browsers do, nearly.
    """
    timeout = httpx.Timeout(limits.timeout, pool=None)
    connections = httpx.Limits(max_connections=None, max_keepalive_connections=2 * limits.at_once)
    async with httpx.AsyncClient(
        headers=HEADERS,
        timeout=timeout,
        limits=connections,
        follow_redirects=True,
        max_redirects=REDIRECTS,
        verify=verify,
    ) as client:
        await _Fetcher(client, limits, done).run(urls)


class _Fetcher:
    def __init__(self, client: httpx.AsyncClient, limits: Limits, done: Callable) -> None:
        self._client, self._limits, self._done = client, limits, done
        self._begun = time.monotonic()
        self._fast = asyncio.Semaphore(limits.at_once)
        self._waiting = asyncio.Semaphore(WAITING * limits.at_once)
        self._hosts = defaultdict(lambda: asyncio.Semaphore(limits.per_host))
        self._moving: set[int] = set()  # requests that are still to come, or get on
        self._alone_since = math.inf  # when only silent ones were left
        self._answers: list[float] = []  # seconds, in order, that answers have taken

    async def run(self, urls: Sequence[str]) -> None:
        self._moving = set(range(len(urls)))
        async with asyncio.TaskGroup() as group:
            for place, url in enumerate(urls):
                group.create_task(self._one(place, url))

    async def _one(self, place: int, url: str) -> None:
        content, reason = None, ""
        try:
            check_address(url)
            content = await self._in_turn(place, url)
        except Refused as refused:
            reason = str(refused)
        finally:
            self._not_moving(place)
        await asyncio.to_thread(self._done, place, content, reason)

    async def _in_turn(self, place: int, url: str) -> bytes:
        """Fetch `url` when there is room; give the room to others while nothing comes."""
        async with AsyncExitStack() as room, AsyncExitStack() as waiting_room:
            await room.enter_async_context(self._hosts[urlsplit(url).netloc.lower()])
            await room.enter_async_context(self._fast)
            request = _Request(url)
            work = asyncio.create_task(self._download(request))
            try:
                while not (await asyncio.wait({work}, timeout=TICK_S))[0]:
                    if place in self._moving and request.crawls(self._silent()) and not self._waiting.locked():
                        await waiting_room.enter_async_context(self._waiting)
                        await room.aclose()
                        self._not_moving(place)
                    self._check_time(request)
                return work.result()
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    def _silent(self) -> float:
        """Seconds of silence after which a request gives up its place."""
        low, first, high = SILENT_S
        median = self._answers[len(self._answers) // 2] if self._answers else first / SILENT
        return min(max(SILENT * median, low), high)

    def _not_moving(self, place: int) -> None:
        """Note that a request is done, or silent."""
        self._moving.discard(place)
        if not self._moving:
            self._alone_since = min(self._alone_since, time.monotonic())

    def _check_time(self, request: _Request) -> None:
        """Raise Refused when a request has had its time.

        Once all requests left are silent ones, they get half as long again as all others have taken.
        """
        limits = self._limits
        if request.age() > limits.deadline:
            raise Refused(f"not complete within {limits.deadline:g} s: too slow, or without an end")
        since = time.monotonic() - self._alone_since
        enough = max(limits.patience, (self._alone_since - self._begun) / 2)
        if since > enough and request.age() > limits.patience and request.crawls(0):
            what = "too slow, or without an end: stopped after" if request.answered is not None else "no answer within"
            raise Refused(f"{what} {request.age():.0f} s")

    async def _download(self, request: _Request) -> bytes:
        """Return a picture's bytes; whatever else comes of it is a Refused."""
        try:
            async with self._client.stream("GET", request.url) as response:
                request.answered = request.age()
                bisect.insort(self._answers, request.answered)
                if self._alone_since < math.inf:  # they do answer: the network is slow
                    self._alone_since = time.monotonic()
                _check_head(response, self._limits.max_bytes)
                content = bytearray()
                async for piece in response.aiter_bytes():
                    content += piece
                    request.received = len(content)
                    if len(content) > self._limits.max_bytes:
                        raise Refused(f"more than {self._limits.max_bytes / 1e6:g} MB")
        except httpx.TimeoutException:
            what = "stopped sending for" if request.answered is not None else "no answer within"
            raise Refused(f"{what} {self._limits.timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError, ValueError) as error:
            raise Refused(in_words(error)) from None
        if not content:
            raise Refused("an empty answer")
        if sniff(bytes(content[:65536])) is None and sniff(bytes(content)) is None:
            raise Refused(kind_of(bytes(content)))
        return bytes(content)


def check_address(url: str) -> None:
    """Raise Refused, with the reason, if `url` is nothing that can be asked for."""
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise Refused("not an address of the web") from None
    if scheme not in ("http", "https"):
        raise Refused(
            f"only http and https addresses are fetched, not {scheme[:20]}:" if scheme else "not an address of the web"
        )
    if not host:
        raise Refused("not an address of the web: it names no server")


def _check_head(response: httpx.Response, max_bytes: int) -> None:
    """Raise Refused for what is no picture before its body is read."""
    if response.status_code != 200:
        try:
            phrase = HTTPStatus(response.status_code).phrase
        except ValueError:
            phrase = response.reason_phrase
        raise Refused(f"{response.status_code} {phrase}".strip())
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise Refused(f"more than {max_bytes / 1e6:g} MB: {int(length) / 1e6:,.0f} MB")
    if response.headers.get("Content-Type", "").split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        raise Refused("a web page, not a picture")


def in_words(error: Exception) -> str:
    """Say what went wrong with a request, in plain words."""
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
