"""What a stranger may ask for, and the refusal of anything else: in words, with the status that HTTP has for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

BASE64 = 4 / 3  # characters for a byte
AROUND = 20_000  # bytes of a request beside the picture: names, a label, boundaries


@dataclass(frozen=True)
class Limits:
    """What is accepted from strangers.

    Args:
        bytes: of one picture.
        pixels: of one picture.
        label: characters of a correction.
        receiving: seconds in which a request's body must have arrived.
        waiting: seconds for which a picture may wait for its turn; whoever sent it has given up by then.
        answering: seconds from the last byte of a request to its answer.
        together: bytes of all bodies that are being held at one time.
    """

    bytes: int = 10_000_000
    pixels: int = 40_000_000
    label: int = 200
    receiving: float = 10.0
    waiting: float = 2.0
    answering: float = 10.0
    together: int = 100_000_000


class Refusal(Exception):
    """A request that is not answered as it was meant.

    Args:
        status: HTTP's number for the reason.
        message: one line for the person who asked.
        reason: one word for the metrics.
        retry_after: seconds after which it is worth asking again; None where it is not.
    """

    def __init__(self, status: int, message: str, reason: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.reason, self.retry_after = status, message, reason, retry_after


def busy(retry_after: int = 1) -> Refusal:
    """Return the refusal of one request too many."""
    return Refusal(429, "Too many people are asking just now. Try again in a moment.", "busy", retry_after)


class Inbox:
    """Receives the bodies of requests: only so many bytes, only so long, and only so many at one time.

    Args:
        limits: what is accepted.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request, longest: int) -> AsyncIterator[bytes]:
        """Give the whole body of a request, which counts as held until the block ends.

        What the request says of its length is believed where it is too much, and checked where it is not.

        Raises:
            Refusal: it is too long (413), too slow (408), or there is no room just now (429).
        """
        said = request.headers.get("content-length", "")
        if said.isdecimal() and int(said[:20]) > longest:
            raise _too_long(longest)
        held = 0
        pieces = []
        try:
            try:
                async with asyncio.timeout(self._limits.receiving):
                    async for piece in request.stream():
                        held += len(piece)
                        self._held += len(piece)
                        if held > longest:
                            raise _too_long(longest)
                        if self._held > self._limits.together:
                            raise busy()
                        pieces.append(piece)
            except TimeoutError:
                seconds = f"{self._limits.receiving:g}"
                message = f"The request took longer than {seconds} seconds to arrive. Send a smaller picture."
                raise Refusal(408, message, "slow") from None
            except ClientDisconnect:
                raise Refusal(400, "The request was cut short.", "gone") from None
            yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
        finally:
            self._held -= held


def _too_long(longest: int) -> Refusal:
    return Refusal(413, f"This is more than {longest / 1e6:.3g} MB. Send a smaller picture.", "too large")
