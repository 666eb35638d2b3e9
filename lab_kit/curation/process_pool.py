"""Call a function in parallel processes, any of which may crash or hang on an input without harm to the others."""

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

TIMEOUT_S = 120  # for a single input


class ProcessDied:
    """The result for an input on which the process died, or hung and was killed; `how` says which."""

    def __init__(self, how: str) -> None:
        self.how = how


def map_in_processes(
    function: Callable[[Any], Any], inputs: Sequence[Any], processes: int, timeout: float = TIMEOUT_S
) -> Iterator[tuple[int, Any]]:
    """Call `function` on every input, in several processes, and yield the results as they come.

    Each process has one input at a time, so it is known on which one it died. Another process takes its place.

    Args:
        function: a function of a module, so that it can be pickled. It should return errors, not raise them.
        inputs: objects that can be pickled.
        processes: number of processes, at least 1.
        timeout: seconds that an input may take; then its process is killed.

    Yields:
        (index in `inputs`, result), or (index, ProcessDied).
    """
    left = deque(range(len(inputs)))
    workers: list[_Worker] = []
    try:
        while left or workers:
            while left and len(workers) < max(1, processes):
                workers.append(_Worker(function, timeout))
                workers[-1].send(left.popleft(), inputs)
            ready = wait([worker.pipe for worker in workers], timeout=0.5)
            for worker in list(workers):
                index = worker.index
                if worker.pipe in ready:
                    result = worker.result()
                elif worker.timed_out():
                    result = ProcessDied(f"no result within {timeout:g} s")
                else:
                    continue
                if isinstance(result, ProcessDied) or not left:
                    worker.end()
                    workers.remove(worker)
                else:
                    worker.send(left.popleft(), inputs)
                yield index, result
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that works on one input at a time."""

    def __init__(self, function: Callable[[Any], Any], timeout: float) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_work, args=(function, theirs, self.pipe), daemon=True)
        self._process.start()
        theirs.close()  # otherwise the pipe would stay open after the process has ended
        self._timeout = timeout

    def send(self, index: int, inputs: Sequence[Any]) -> None:
        """Send the input with this index to the process."""
        self.index = index
        self._until = time.monotonic() + self._timeout
        with suppress(OSError):  # the process has died: `result` reports it
            self.pipe.send(inputs[index])

    def result(self) -> Any:
        """Return the result of the input, or ProcessDied."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self._process.join(5)
            return ProcessDied(f"exit code {self._process.exitcode}")

    def timed_out(self) -> bool:
        """Return whether the input has taken too long."""
        return time.monotonic() > self._until

    def end(self) -> None:
        """Kill the process."""
        self.pipe.close()
        self._process.kill()
        self._process.join(5)


def _work(function: Callable[[Any], Any], pipe: Connection, other_end: Connection) -> None:
    """Run in the process: answer every input until the pipe is closed."""
    other_end.close()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            pipe.send(function(pipe.recv()))
