"""Work in threads, with an end to the queue: what cannot be done in time is refused at once, and not done late."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from text_recognizer.web.limits import Refusal, busy


class _Job:
    """A call that somebody waits for."""

    __slots__ = ("arguments", "deadline", "function", "future", "loop", "unwanted")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], deadline: float) -> None:
        self.function, self.arguments, self.deadline = function, arguments, deadline
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.unwanted = False

    def run(self) -> None:
        """Make the call, in a thread, unless it has become pointless."""
        if self.unwanted:
            return
        if time.monotonic() > self.deadline:
            self._tell(None, Refusal(429, "It is too busy here just now. Try again in a moment.", "waited", 1))
            return
        try:
            result, error = self.function(*self.arguments), None
        except BaseException as caught:
            result, error = None, caught
        self._tell(result, error)

    def _tell(self, result: Any, error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self.loop.call_soon_threadsafe(self.finish, result, error)

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Tell who waits for the call, in the event loop's thread; the first result counts."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class Pool:
    """Threads that make calls for an event loop, in the order in which they came.

    Args:
        workers: how many threads.
        queue: how many calls can wait for their turn; the next one is refused.
        waiting: seconds for which a call can wait; then it is refused, and not made.
        name: of the threads.
    """

    def __init__(self, workers: int, queue: int, waiting: float, name: str = "pool") -> None:
        self.queue, self._waiting = queue, waiting
        self._jobs: deque[_Job | None] = deque()
        self._work = threading.Semaphore(0)
        self._active = 0
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._jobs)

    @property
    def active(self) -> int:
        """How many calls are waited for: in the queue, or being made."""
        return self._active

    @property
    def full(self) -> bool:
        """Whether the next call would be refused."""
        return len(self._jobs) >= self.queue

    async def call(
        self, function: Callable[..., Any], *arguments: Any, gone: Callable[[], Awaitable[Any]] | None = None
    ) -> Any:
        """Return what `function` returns, called in a thread.

        Args:
            function: what to call.
            arguments: with what.
            gone: returns when nobody wants the result any more: then a call that has not begun is never made.

        Raises:
            Refusal: the queue is full, or the call has waited too long, or nobody wants the result any more.
        """
        if self.full:
            raise busy()
        job = _Job(function, arguments, time.monotonic() + self._waiting)
        leaving = None if gone is None else asyncio.ensure_future(gone())
        if leaving is not None:
            leaving.add_done_callback(lambda _: job.finish(None, Refusal(400, "Nobody waits any more.", "gone")))
        self._active += 1
        self._jobs.append(job)
        self._work.release()
        try:
            return await job.future
        finally:
            self._active -= 1
            job.unwanted = True
            if leaving is not None:
                leaving.cancel()

    def close(self, seconds: float) -> bool:
        """End the threads once the queue is empty; returns whether that was within `seconds`."""
        for _ in self._threads:
            self._jobs.append(None)
            self._work.release()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while True:
            self._work.acquire()
            job = self._jobs.popleft()
            if job is None:
                return
            job.run()
            del job  # or its picture would stay until the next one comes
