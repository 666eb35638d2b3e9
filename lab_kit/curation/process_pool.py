"""Call a function in parallel processes, any of which may crash or hang on an input without harm to the others."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import Any

from pebble import ProcessExpired, ProcessPool

TIMEOUT_S = 120  # for a single input


class ProcessDied:
    """The result for an input on which the process died or hung, or the function failed; `how` says which."""

    def __init__(self, how: str) -> None:
        self.how = how


def map_in_processes(
    function: Callable[[Any], Any], inputs: Sequence[Any], processes: int, timeout: float = TIMEOUT_S
) -> Iterator[tuple[int, Any]]:
    """Call `function` on every input, in several processes, and yield the results as they come.

    Another process takes the place of one that has died.

    Args:
        function: a function of a module, so that it can be pickled. It should return errors, not raise them.
        inputs: objects that can be pickled.
        processes: number of processes, at least 1.
        timeout: seconds that an input may take; then its process is killed.

    Yields:
        (index in `inputs`, result), or (index, ProcessDied).
    """
    pool = ProcessPool(max(1, processes))
    try:
        indices = {pool.schedule(function, [value], timeout=timeout): index for index, value in enumerate(inputs)}
        for future in as_completed(indices):
            error = future.exception()
            if error is None:
                result = future.result()
            elif isinstance(error, ProcessExpired):
                result = ProcessDied(f"exit code {error.exitcode}")
            elif isinstance(error, TimeoutError):
                result = ProcessDied(f"no result within {timeout:g} s")
            else:
                result = ProcessDied(f"{type(error).__name__} {error}")
            yield indices[future], result
    finally:
        pool.stop()
        pool.join()
