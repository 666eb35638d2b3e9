"""A queue of limited length for calls in threads: what cannot be done in time is refused, and not done late."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lab_kit.serving.limits import RequestError, too_busy


class InferenceQueue:
    """Makes calls in threads, some at a time, first come, first served.

    A thread takes the next call by itself: where the event loop has thousands of requests to refuse, it need not wait
    for the loop (anyio's threads do, and a quarter as many pictures were read then).

    Args:
        workers: how many calls are made at a time.
        max_waiting: how many calls can wait; one more is refused.
        wait_timeout_s: seconds that a call can wait. After that it is refused, and not made.
    """

    def __init__(self, workers: int, max_waiting: int, wait_timeout_s: float) -> None:
        self.max_waiting, self._wait_timeout_s = max_waiting, wait_timeout_s
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="inference")
        self._calls: set[Future] = set()

    @property
    def waiting(self) -> int:
        """The number of calls that wait."""
        return sum(not call.running() for call in self._unfinished())

    @property
    def active(self) -> int:
        """The number of calls that wait or are being made."""
        return len(self._unfinished())

    @property
    def full(self) -> bool:
        """Whether the next call would be refused."""
        return self.waiting >= self.max_waiting

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function` in a thread and return its result. If the caller is cancelled, what has not begun never does.

        Raises:
            RequestError: the queue is full (429), or the call has waited too long (429).
        """
        if self.full:
            raise too_busy()
        call = self._threads.submit(function, *arguments)
        self._calls.add(call)
        result = asyncio.wrap_future(call)
        try:
            done, _ = await asyncio.wait({result}, timeout=self._wait_timeout_s)
            if not done and call.cancel():  # it has not begun
                raise RequestError(429, "The server is too busy. Try again in a moment.", "waited", 1)
            return await result
        finally:
            call.cancel()  # if the caller was cancelled and it has not begun; otherwise nothing happens
            result.cancel()

    def _unfinished(self) -> set[Future]:
        self._calls = {call for call in self._calls if not call.done()}
        return self._calls


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
        watch.cancel()
        if task.cancel():  # a thread that runs goes on to its end
            await asyncio.wait({task})  # only then will nothing more of it begin
