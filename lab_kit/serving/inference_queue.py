"""A queue of limited length, whose calls are made by worker threads.

A call that cannot be made in time is refused. It is not made late.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from lab_kit.serving.limits import RequestError, too_busy


class _Job:
    """One call in the queue, with the future that gets its result."""

    __slots__ = ("arguments", "cancelled", "deadline", "function", "future", "loop")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], deadline: float) -> None:
        self.function, self.arguments, self.deadline = function, arguments, deadline
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.cancelled = False

    def run(self) -> None:
        """Make the call in a worker thread, unless it was cancelled or its deadline has passed."""
        if self.cancelled:
            return
        if time.monotonic() > self.deadline:
            self._report(None, RequestError(429, "The server is too busy. Try again in a moment.", "waited", 1))
            return
        try:
            result, error = self.function(*self.arguments), None
        except BaseException as caught:
            result, error = None, caught
        self._report(result, error)

    def _report(self, result: Any, error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody waits for the result
            self.loop.call_soon_threadsafe(self.finish, result, error)

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Set the result of the future, in the thread of the event loop; only the first result counts."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class InferenceQueue:
    """Worker threads that make calls for an event loop, first come, first served.

    Args:
        workers: the number of threads.
        max_waiting: how many calls can wait; one more is refused.
        wait_timeout_s: seconds that a call can wait. After that it is refused, and not made.
        name: the start of the threads' names.
    """

    def __init__(self, workers: int, max_waiting: int, wait_timeout_s: float, name: str = "pool") -> None:
        self.max_waiting, self._wait_timeout_s = max_waiting, wait_timeout_s
        self._jobs: deque[_Job | None] = deque()
        self._jobs_available = threading.Semaphore(0)
        self._active = 0
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """The number of calls that wait."""
        return len(self._jobs)

    @property
    def active(self) -> int:
        """The number of calls that wait or are being made."""
        return self._active

    @property
    def full(self) -> bool:
        """Whether the next call would be refused."""
        return len(self._jobs) >= self.max_waiting

    async def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        wait_for_disconnect: Callable[[], Awaitable[Any]] | None = None,
    ) -> Any:
        """Call `function` in a worker thread and return its result.

        Args:
            function: the function.
            arguments: its arguments.
            wait_for_disconnect: returns when the client disconnects. A call that has not begun by then is not made.

        Raises:
            RequestError: the queue is full (429), the call has waited too long (429), or the client disconnected (400).
        """
        if self.full:
            raise too_busy()
        job = _Job(function, arguments, time.monotonic() + self._wait_timeout_s)
        disconnect = None if wait_for_disconnect is None else asyncio.ensure_future(wait_for_disconnect())
        if disconnect is not None:
            disconnect.add_done_callback(lambda _: job.finish(None, RequestError(400, "Client disconnected.", "gone")))
        self._active += 1
        self._jobs.append(job)
        self._jobs_available.release()
        try:
            return await job.future
        finally:
            self._active -= 1
            job.cancelled = True
            if disconnect is not None:
                disconnect.cancel()

    def close(self, seconds: float) -> bool:
        """End the threads when the queue is empty; return whether that took at most `seconds`."""
        for _ in self._threads:
            self._jobs.append(None)
            self._jobs_available.release()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while True:
            self._jobs_available.acquire()
            job = self._jobs.popleft()
            if job is None:
                return
            job.run()
            del job  # otherwise its picture would stay in memory until the next call
