"""Exercise 1: what batches cost the person who waits."""

import math
from collections.abc import Callable

import numpy as np


def answer_times(
    arrivals: np.ndarray,
    seconds: Callable[[int], float],
    max_batch: int,
    max_wait: float,
    max_queue: float = math.inf,
) -> np.ndarray:
    """Return when each request is answered by a server that has one worker, and collects requests into batches.

    Requests wait in the order in which they come. A batch starts as soon as the worker is free and either `max_batch`
    requests wait, or the oldest has waited for `max_wait` seconds. It takes as many of the oldest as there are, at most
    `max_batch`, and answers all of them when it is done. Requests that come at the very instant at which a batch can
    start come first: they wait already when it starts.

    A request that finds `max_queue` others waiting is refused at once. Those in a batch that has started do not wait.

    Args:
        arrivals: (N,) float64: when each request comes, in seconds, in ascending order.
        seconds: how long a batch takes: (number of its requests) -> seconds, more than 0.
        max_batch: how many requests a batch can hold, at least 1.
        max_wait: how many seconds the worker may stand idle while the oldest request waits for others, at least 0.
        max_queue: how many requests may wait, at least 1.

    Returns:
        (N,) float64: when each is answered, in seconds on the clock of `arrivals`; nan for those that are refused.

    Raises:
        UserError: the arrivals are not in ascending order, or one of the limits is too low.
    """
    raise NotImplementedError("answer_times() in homework/batching.py is still a stub: write its body.")


def latency(arrivals: np.ndarray, answered: np.ndarray, share: float = 0.99) -> float:
    """Return the percentile of the waits, in seconds, by the nearest rank: no value that nobody has waited.

    Args:
        arrivals: (N,) float64: when each request came.
        answered: (N,) float64: when each was answered; nan for those that were refused, which do not count.
        share: of the requests answered, above 0 and at most 1.

    Returns:
        the shortest of the waits such that at least this share of the requests waited no longer.

    Raises:
        UserError: no request was answered, or the share is out of range.
    """
    raise NotImplementedError("latency() in homework/batching.py is still a stub: write its body.")


def capacity(seconds: Callable[[int], float], max_batch: int) -> float:
    """Return how many requests per second the server can answer for as long as you like, if there is no end of them.

    Args:
        seconds: how long a batch takes: (number of its requests) -> seconds.
        max_batch: how many requests a batch can hold.
    """
    raise NotImplementedError("capacity() in homework/batching.py is still a stub: write its body.")
