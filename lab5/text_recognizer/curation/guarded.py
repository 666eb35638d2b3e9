"""Calls of a function in other processes, which may die or hang on an input without taking the rest along."""

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

PATIENCE_S = 120  # no single input may take longer


class Died:
    """Takes the place of a result: the process that worked on this input died, or hung and was ended."""

    def __init__(self, how: str) -> None:
        self.how = how


def guarded_map(
    function: Callable[[Any], Any], inputs: Sequence[Any], processes: int, patience: float = PATIENCE_S
) -> Iterator[tuple[int, Any]]:
    """Call `function` on every input, in several processes; results come as they are ready.

    Each process has one input at a time, so it is known on which one it died; another process takes its place.

    Args:
        function: can be pickled: a function of a module. It should return what goes wrong, not raise it.
        inputs: can be pickled.
        processes: how many at once, at least 1.
        patience: seconds after which a process that is still at it is ended.

    Yields:
        (place in `inputs`, result), or (place, Died).
    """
    left = deque(range(len(inputs)))
    workers: list[_Worker] = []
    try:
        while left or workers:
            while left and len(workers) < max(1, processes):
                workers.append(_Worker(function, patience))
                workers[-1].give(left.popleft(), inputs)
            ready = wait([worker.pipe for worker in workers], timeout=0.5)
            for worker in list(workers):
                place = worker.place
                if worker.pipe in ready:
                    result = worker.result()
                elif worker.late():
                    result = Died(f"no end within {patience:g} s")
                else:
                    continue
                if isinstance(result, Died) or not left:
                    worker.end()
                    workers.remove(worker)
                else:
                    worker.give(left.popleft(), inputs)
                yield place, result
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that has one input at a time."""

    def __init__(self, function: Callable[[Any], Any], patience: float) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_work, args=(function, theirs, self.pipe), daemon=True)
        self._process.start()
        theirs.close()  # or the end of the process would not end the pipe
        self._patience = patience

    def give(self, place: int, inputs: Sequence[Any]) -> None:
        self.place = place
        self._until = time.monotonic() + self._patience
        with suppress(OSError):  # it died: reading will tell
            self.pipe.send(inputs[place])

    def result(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self._process.join(5)
            return Died(f"exit code {self._process.exitcode}")

    def late(self) -> bool:
        return time.monotonic() > self._until

    def end(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.join(5)


def _work(function: Callable[[Any], Any], pipe: Connection, other_end: Connection) -> None:
    """What a process does: answer until there is nobody to ask."""
    other_end.close()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            pipe.send(function(pipe.recv()))
