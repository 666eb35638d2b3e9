"""A queue of limited length for calls in threads: what cannot be done in time is refused, and not done late."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from anyio import CapacityLimiter, fail_after, to_thread

from lab_kit.serving.limits import RequestError, too_busy


class InferenceQueue:
    """Makes calls in threads, some at a time, first come, first served.

    Args:
        workers: how many calls are made at a time.
        max_waiting: how many calls can wait; one more is refused.
        wait_timeout_s: seconds that a call can wait. After that it is refused, and not made.
    """

    def __init__(self, workers: int, max_waiting: int, wait_timeout_s: float) -> None:
        self.max_waiting, self._wait_timeout_s = max_waiting, wait_timeout_s
        self._turns, self._threads = CapacityLimiter(workers), CapacityLimiter(math.inf)

    @property
    def waiting(self) -> int:
        """The number of calls that wait."""
        return self._turns.statistics().tasks_waiting

    @property
    def active(self) -> int:
        """The number of calls that wait or are being made."""
        return self.waiting + self._turns.borrowed_tokens

    @property
    def full(self) -> bool:
        """Whether the next call would be refused."""
        return self.waiting >= self.max_waiting

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function` in a thread and return its result. Who gives up waiting frees the thread when it has ended.

        Raises:
            RequestError: the queue is full (429), or the call has waited too long (429).
        """
        if self.full:
            raise too_busy()
        turn = object()
        try:
            with fail_after(self._wait_timeout_s):
                await self._turns.acquire_on_behalf_of(turn)
        except TimeoutError:
            raise RequestError(429, "The server is too busy. Try again in a moment.", "waited", 1) from None
        try:
            return await to_thread.run_sync(function, *arguments, limiter=self._threads)
        finally:
            self._turns.release_on_behalf_of(turn)


async def answer_in_time(
    work: Coroutine[Any, Any, Any], gone: Callable[[], Awaitable[Any]] | None, timeout_s: float
) -> Any:
    """Return what `work` returns. What has not begun when its client leaves, or when time is up, is not begun.

    Args:
        work: calls of queues.
        gone: returns when the client disconnects.
        timeout_s: seconds.

    Raises:
        RequestError: the client left (400), or time is up (503).
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(gone()) if gone else asyncio.get_running_loop().create_future()
    try:
        await asyncio.wait({task, watch}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if watch.done():
            raise RequestError(400, "The client disconnected.", "gone")
        raise RequestError(503, "Reading this picture takes too long. Send a smaller picture.", "too long", 1)
    finally:
        task.cancel()  # a thread that runs goes on to its end
        watch.cancel()
