"""Exercise 1: what batches cost the person who waits (checks that were not handed out)."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from batching import answer_times, capacity, latency

TICK = 0.25  # seconds: all times here are whole ticks, which floats hold exactly


def looked_at(
    arrivals: list[int], max_batch: int, max_wait: int, max_queue: float, takes: Callable[[int], int]
) -> list[float]:
    """Look at the server at each tick of a clock, as the docstring of answer_times says; returns ticks."""
    answered, queue, free_at, now, coming = [math.nan] * len(arrivals), [], 0, 0, 0
    while coming < len(arrivals) or queue:
        while coming < len(arrivals) and arrivals[coming] == now:
            if len(queue) < max_queue:
                queue.append(coming)
            coming += 1
        if now >= free_at and queue and (len(queue) >= max_batch or now >= arrivals[queue[0]] + max_wait):
            batch, queue = queue[:max_batch], queue[max_batch:]
            free_at = now + takes(len(batch))
            for request in batch:
                answered[request] = float(free_at)
        now += 1
    return answered


def compare(requests: int, gap: float, max_batch: int, max_wait: int, max_queue: float, takes: Callable) -> None:
    """Check answer_times on random requests, `gap` ticks apart on average."""
    generator = np.random.default_rng(100 * max_batch + max_wait)
    arrivals = (generator.geometric(1 / (1 + gap), requests) - 1).cumsum().tolist()
    expected = TICK * np.array(looked_at(arrivals, max_batch, max_wait, max_queue, takes))
    found = answer_times(
        TICK * np.array(arrivals, dtype=np.float64), lambda n: TICK * takes(n), max_batch, TICK * max_wait, max_queue
    )
    case = f"{requests} requests, max_batch={max_batch}, max_wait={TICK * max_wait:g}, max_queue={max_queue}"
    assert found.shape == expected.shape, f"{case}: expected an array {expected.shape}, found {found.shape}."
    refused = int(np.isnan(expected).sum())
    assert np.array_equal(np.isnan(found), np.isnan(expected)), (
        f"{case}: expected {refused} refused requests, found {int(np.isnan(found).sum())}, or others. Those in a batch "
        "that has started do not wait any more; who is refused takes no place."
    )
    wrong = np.flatnonzero(~np.isclose(found, expected, equal_nan=True))
    assert not len(wrong), (
        f"{case}: request {wrong[0]}, which comes at {TICK * arrivals[wrong[0]]:g}, should be answered at "
        f"{expected[wrong[0]]:g}, and is answered at {found[wrong[0]]:g}."
    )


def test_batching_does_as_a_clock_does_for_other_servers() -> None:
    """It finds what a clock finds, with fractions of a second and with batches that take any time."""
    compare(250, 2.5, 5, 7, math.inf, lambda n: 3 + n // 2)
    compare(250, 6.0, 10, 40, math.inf, lambda n: 20)
    compare(250, 1.5, 2, 1, math.inf, lambda n: n * n)
    compare(40, 30.0, 6, 13, math.inf, lambda n: 1)
    compare(1, 3.0, 7, 9, math.inf, lambda n: 5)


def test_batching_refuses_who_finds_the_queue_full_of_any_length() -> None:
    """Who finds max_queue others waiting is refused: also where a queue is shorter than a batch, or holds one."""
    compare(250, 1.0, 7, 5, 2, lambda n: 6 + n)
    compare(250, 2.0, 1, 0, 1, lambda n: 5)
    compare(250, 0.2, 16, 12, 20, lambda n: 9)
    compare(250, 0.5, 3, 8, 3, lambda n: 4)


def test_batching_latency_at_other_shares() -> None:
    """latency() is the shortest wait such that the share asked for waited no longer, for any share and count."""
    generator = np.random.default_rng(9)
    for count, share in ((7, 0.9), (1000, 0.9375), (3, 0.01), (64, 0.5), (250, 0.999), (2, 1.0)):
        waits = generator.permutation(generator.exponential(2.0, count).cumsum())
        arrivals = generator.uniform(0, 500, count + 5)
        answered = arrivals + np.concatenate([[math.nan] * 5, waits])
        ranked = np.sort(waits)
        expected = next(wait for place, wait in enumerate(ranked, start=1) if place >= share * count)
        found = latency(arrivals, answered, share)
        assert found == pytest.approx(expected, rel=1e-6), (
            f"{count} requests were answered and 5 refused. For share={share:g}, expected {expected:.4g} seconds, "
            f"which somebody has waited; found {found:.4g}."
        )


def test_batching_capacity_of_other_servers() -> None:
    """capacity() asks how long a full batch takes, also of servers for which batches are no gain."""
    for takes, max_batch, expected in (
        (lambda n: 0.005 + 0.00001 * n, 100, 100 / 0.006),
        (lambda n: n * n / 10, 5, 2.0),
        (lambda n: 0.5, 8, 16.0),
        (lambda n: 4.0 * n, 3, 0.25),
    ):
        found = capacity(takes, max_batch)
        assert found == pytest.approx(expected), (
            f"One request takes {takes(1):g} seconds, and {max_batch} together, which fill a batch, take "
            f"{takes(max_batch):g}. If there is no end of requests, all batches are full: expected {expected:g} per "
            f"second, found {found:g}."
        )
