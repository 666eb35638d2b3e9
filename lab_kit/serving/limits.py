"""Limits for requests, the error for a request that is not accepted, and the receiver of request bodies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

BASE64_CHARACTERS_PER_BYTE = 4 / 3  # base64 writes 3 bytes as 4 characters
OVERHEAD_BYTES = 20_000  # of a request, besides the picture: field names, a label, boundaries


@dataclass(frozen=True)
class RequestLimits:
    """Limits of size and time for requests.

    Args:
        max_bytes: of one picture.
        max_pixels: of one picture.
        max_label_length: characters of a correction.
        stall_timeout_s: seconds without a byte after which a request is given up.
        min_bytes_per_s: the slowest that a request may arrive. The less memory is left for bodies, the faster it must
            be: at half of `max_total_bytes` twice as fast, and so on.
        queue_timeout_s: seconds that a picture may wait in the queue. Later, its sender has probably given up.
        answer_timeout_s: seconds from the last byte of a request to its answer.
        max_total_bytes: of all request bodies in memory at one time.
    """

    max_bytes: int = 10_000_000
    max_pixels: int = 40_000_000
    max_label_length: int = 200
    stall_timeout_s: float = 10.0
    min_bytes_per_s: float = 500.0
    queue_timeout_s: float = 2.0
    answer_timeout_s: float = 10.0
    max_total_bytes: int = 100_000_000


class RequestError(Exception):
    """An error that the server answers with an HTTP error status.

    Args:
        status: the HTTP status code, 400 to 599.
        message: one line for the user: what is wrong and what to do.
        reason: one or two words for the metrics.
        retry_after: seconds after which the client can try again; None if trying again does not help.
    """

    def __init__(self, status: int, message: str, reason: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.reason, self.retry_after = status, message, reason, retry_after


def too_busy(retry_after: int = 1) -> RequestError:
    """Return the error (429) for a request that comes while the server has too much to do."""
    return RequestError(429, "The server is too busy. Try again in a moment.", "busy", retry_after)


class BodyReceiver:
    """Receives request bodies within limits of size, time, and total memory.

    Args:
        limits: the limits.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._total_bytes = 0  # of all bodies that are in memory now

    @asynccontextmanager
    async def receive(self, request: Request, max_bytes: int) -> AsyncIterator[bytes]:
        """Receive the whole body of a request; it counts towards the total memory until the `with` block ends.

        A `Content-Length` above the limit is refused at once. A smaller one is not trusted: the bytes are counted.

        Raises:
            RequestError: the body is too large (413), too slow (408) or incomplete (400), or all bodies together take
                too much memory (429).
        """
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > max_bytes:
            raise _body_too_large(max_bytes)
        received = 0
        chunks = []
        try:
            try:
                async with asyncio.timeout(self._limits.stall_timeout_s) as deadline:
                    async for chunk in request.stream():
                        received += len(chunk)
                        self._total_bytes += len(chunk)
                        if received > max_bytes:
                            raise _body_too_large(max_bytes)
                        if self._total_bytes >= self._limits.max_total_bytes:
                            raise too_busy()
                        chunks.append(chunk)
                        deadline.reschedule(self._next_deadline(deadline.when(), len(chunk)))
            except TimeoutError:
                message = "The request stopped arriving, or came too slowly. Send it again, or a smaller picture."
                raise RequestError(408, message, "slow") from None
            except ClientDisconnect:
                raise RequestError(400, "The client disconnected before the request was complete.", "gone") from None
            yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            self._total_bytes -= received

    def _next_deadline(self, deadline: float, bytes_arrived: int) -> float:
        """Return when to give up a body: each byte defers that a little, but never beyond the stall timeout.

        A body that trickles is given up as soon as one that stalls, however much of it came before.
        """
        free = 1 - self._total_bytes / self._limits.max_total_bytes
        deferred = deadline + bytes_arrived / self._limits.min_bytes_per_s * free
        return min(deferred, asyncio.get_running_loop().time() + self._limits.stall_timeout_s)


def _body_too_large(max_bytes: int) -> RequestError:
    message = f"The request is larger than {max_bytes / 1e6:.3g} MB. Send a smaller one."
    return RequestError(413, message, "too large")
