"""Exercise 1: what batches cost the person who waits."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from batching import answer_times, capacity, latency

from lab_kit.errors import UserError, sentence

EARLIER = "Meet the requirements above first."
NOBODY = math.nan  # when a request is answered that was refused


def seconds(requests: int) -> float:
    """Return how long the batches of these checks take, if they say nothing else: 2 seconds for one, 3 for two, ..."""
    return 1.0 + requests


def times(
    arrivals: Sequence[float],
    max_batch: int,
    max_wait: float,
    max_queue: float = math.inf,
    takes: Callable[[int], float] = seconds,
) -> list[float]:
    """Call answer_times, and check the form of what it returns."""
    given = np.array(arrivals, dtype=np.float64)
    before = given.copy()
    found = answer_times(given, takes, max_batch, max_wait, max_queue)
    assert isinstance(found, np.ndarray), f"answer_times() should return an array, and returned {found!r}."
    assert found.shape == given.shape, (
        f"answer_times() should return a number for each of {len(given)} requests, and returned an array of shape "
        f"{found.shape}."
    )
    assert found.dtype == np.float64, (
        f"answer_times() returned an array of {found.dtype}: seconds are float64. (np.zeros_like of whole numbers "
        "makes whole numbers.)"
    )
    assert np.array_equal(given, before), "answer_times() has changed the arrivals that it was given: work on a copy."
    return found.tolist()


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    return one == pytest.approx(other, abs=1e-9, nan_ok=True)


def shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def watched(
    arrivals: Sequence[int], max_batch: int, max_wait: int, max_queue: float, takes: Callable[[int], int]
) -> list[float]:
    """Look at the server at every tick of a clock, as the docstring says. All times are whole numbers."""
    answered, waiting, busy_until, now, coming = [NOBODY] * len(arrivals), [], 0, 0, 0
    while coming < len(arrivals) or waiting:
        while coming < len(arrivals) and arrivals[coming] == now:
            if len(waiting) < max_queue:
                waiting.append(coming)
            coming += 1
        due = waiting and (len(waiting) >= max_batch or now >= arrivals[waiting[0]] + max_wait)
        if due and now >= busy_until:
            batch, waiting = waiting[:max_batch], waiting[max_batch:]
            busy_until = now + takes(len(batch))
            for request in batch:
                answered[request] = float(busy_until)
        now += 1
    return answered


def rush(requests: int, gap: float, seed: int) -> list[int]:
    """Return arrivals at random whole seconds, `gap` seconds apart on average; some come at the same instant."""
    return (np.random.default_rng(seed).geometric(1 / (1 + gap), requests) - 1).cumsum().tolist()


def test_a_lone_request_waits_for_others() -> None:
    """A request that nobody joins waits for max_wait seconds, and then for its own answer."""
    for arrivals, max_batch, max_wait in (([10.0], 4, 3.0), ([10.0, 40.0], 4, 3.0), ([7.0, 20.5], 8, 0.0)):
        found, expected = times(arrivals, max_batch, max_wait), [arrival + max_wait + 2 for arrival in arrivals]
        advice = "Worker free, nobody else in sight: when does the batch start, and when is it done?"
        mistakes = (
            (
                [arrival + 2 for arrival in arrivals],
                "Nobody waited, but a server does not know that nobody else comes.",
            ),
            ([arrival + max_wait for arrival in arrivals], "That is when the batch starts. It takes its time, too."),
            ([max_wait + 2] * len(arrivals), "That is how long they waited. Return the time on the arrivals' clock."),
            (
                [arrival + max_wait + seconds(max_batch) for arrival in arrivals],
                "That is the time of a full batch: ask seconds() for as many as are in it.",
            ),
            ([*expected[:-1], NOBODY], "The last one is missing: what starts the last batch if nobody comes any more?"),
        )
        advice = next((text for wrong, text in mistakes if same(found, wrong)), advice)
        assert same(found, expected), (
            f"Requests come after {shown(arrivals)} seconds. With max_wait={max_wait:g}, and 2 seconds for a batch of "
            f"one, they are answered after {shown(expected)}. Found {shown(found)}. {advice}"
        )


def test_a_full_batch_starts_at_once() -> None:
    """A batch starts as soon as max_batch requests wait, and takes no more than these: the oldest."""
    arrivals = [0.0, 1.0, 2.0, 2.5]
    found, expected = times(arrivals, 3, 10.0), [6.0, 6.0, 6.0, 14.5]
    advice = EARLIER
    mistakes = (
        ([15.0] * 4, "All four are in one batch: max_batch is 3."),
        ([14.0, 14.0, 14.0, 14.5], "The full batch has waited for max_wait: with three of three, nobody can join."),
        ([14.0, 14.0, 14.0, 16.0], "The full batch has waited for max_wait: with three of three, nobody can join."),
        ([6.0, 6.0, 6.0, 8.0], "The fourth did not wait for others: max_wait holds for each batch."),
        ([6.0, 6.0, 6.0, 18.0], "max_wait counts from when the oldest request came, not from when the worker is free."),
    )
    advice = next((text for wrong, text in mistakes if same(found, wrong)), advice)
    assert same(found, expected), (
        "Requests come after 0, 1, 2 and 2.5 seconds; max_batch is 3, max_wait is 10, and three take 4 seconds. The "
        "first three start when the third is there, at 2. The fourth is free to start at 6, but waits for others until "
        f"12.5, and takes 2 seconds. Expected {shown(expected)}; found {shown(found)}. {advice}"
    )
    found, expected = times([0.0, 1.0, 1.0, 1.25, 1.5], 2, 0.0), [2.0, 5.0, 5.0, 8.0, 8.0]
    advice = EARLIER
    if same(found, [2.0, 7.0, 7.0, 7.0, 7.0]):
        advice = "All that waited are in one batch: it takes two."
    elif same(found, [2.0, 8.0, 8.0, 5.0, 5.0]):
        advice = "The youngest come first: a stack is no queue."
    assert same(found, expected), (
        "The first request comes at 0 and keeps the worker busy until 2; four more come at 1, 1, 1.25 and 1.5. With "
        f"max_batch=2 they make two batches of 3 seconds each. Expected {shown(expected)}; found {shown(found)}. "
        f"{advice}"
    )


def test_requests_gather_while_the_worker_is_busy() -> None:
    """Whoever comes while the worker is busy is in the next batch, also if others have waited for max_wait by then."""
    arrivals = [0.0, 5.0, 12.0]
    found, expected = times(arrivals, 8, 3.0, takes=lambda _: 10.0), [13.0, 23.0, 23.0]
    advice = EARLIER
    if same(found, [13.0, 23.0, 33.0]):
        advice = "You close the batch at 8, when its oldest has waited for 3. But it starts at 13: who waits by then?"
    elif same(found, [13.0, 26.0, 26.0]):
        advice = "You wait again when the worker is free. The oldest has waited since 5: that is enough."
    elif same(found, [13.0, 18.0, 25.0]) or same(found, [13.0, 18.0, 18.0]):
        advice = "There is one worker: it is busy from 3 to 13."
    assert same(found, expected), (
        "Each batch takes 10 seconds, max_wait is 3. The first request comes at 0, so the worker is busy from 3 to 13. "
        f"Others come at 5 and 12; at 13 both start together. Expected {shown(expected)}; found {shown(found)}. "
        f"{advice}"
    )


def test_who_comes_at_the_very_instant_is_in_time() -> None:
    """A request that comes at the very instant at which a batch starts is in that batch."""
    for arrivals, max_wait, expected in (
        ([0.0, 1.0, 2.0, 3.0], 0.0, [2.0, 5.0, 5.0, 7.0]),
        ([0.0, 3.0], 3.0, [6.0, 6.0]),
        ([4.0, 4.0, 4.0], 0.0, [8.0, 8.0, 8.0]),
    ):
        found = times(arrivals, 8, max_wait)
        advice = EARLIER
        if same(found, np.arange(1, len(arrivals) + 1) * 2 + arrivals[0]):
            advice = "Each had a batch of its own. max_wait=0 means: nobody waits while the worker is idle."
        elif found[0] in expected:
            advice = "Look at < and <= where you compare an arrival with the start."
        assert same(found, expected), (
            f"Requests come at {shown(arrivals)}; max_wait is {max_wait:g}; one takes 2 seconds, two take 3, three "
            f"take 4. Expected {shown(expected)}; found {shown(found)}. {advice}"
        )


def test_it_does_as_a_clock_does() -> None:
    """With hundreds of random requests it finds what a clock finds that looks at the server every second."""
    settings = ((1, 0, 3), (4, 0, 1), (4, 5, 2), (8, 30, 1), (3, 2, 9), (64, 50, 0.3))
    for seed, (max_batch, max_wait, gap) in enumerate(settings):
        arrivals = rush(300, gap, seed)
        expected = watched(arrivals, max_batch, max_wait, math.inf, lambda n: 2 + n)
        found = times(arrivals, max_batch, max_wait, takes=lambda n: 2.0 + n)
        place = next((place for place in range(300) if found[place] != pytest.approx(expected[place])), 0)
        assert same(found, expected), (
            f"max_batch={max_batch}, max_wait={max_wait}, n requests take 2 + n seconds. They come at "
            f"{shown(arrivals[max(0, place - 3) : place + 3])} ... The one that comes at {arrivals[place]} is the "
            f"first with a wrong time: expected {expected[place]:g}, found {found[place]:g}. {EARLIER}"
        )


def test_who_finds_the_queue_full_is_refused() -> None:
    """A request that finds max_queue others waiting is refused, and is nan; nobody else is."""
    found, expected = times([0.0, 1.0, 2.5, 3.0, 4.5], 1, 0.0, 2, takes=lambda _: 4.0), [4, 8, 12, NOBODY, 16]
    advice = EARLIER
    mistakes = (
        ([4, 8, 12, 16, 20], "Nobody was refused: does your code ask for max_queue?"),
        (
            [4, 8, NOBODY, NOBODY, 12],
            "The request that the worker is busy with does not wait any more.",
        ),
        ([4, 8, NOBODY, NOBODY, NOBODY], "When a batch starts, those in it leave the queue."),
        ([4, 8, 12, NOBODY, NOBODY], "At 4.5 the queue has a free place: when a batch starts, those in it leave it."),
        ([4, 8, 12, NOBODY, 20], "Who is refused takes no time of the worker."),
        ([4, 8, 12, 0, 16], "A refused request has the time nan, for it is never answered."),
    )
    advice = next((text for wrong, text in mistakes if same(found, wrong)), advice)
    assert same(found, expected), (
        "Each batch holds one request and takes 4 seconds; two may wait. Requests come at 0, 1, 2.5, 3 and 4.5. At 3 "
        "the worker is busy with the first, and two wait: the fourth is refused. At 4 the second starts, so at 4.5 one "
        f"waits, and the fifth may, too. Expected {shown(expected)}; found {shown(found)}. {advice}"
    )
    for seed, (max_batch, max_wait, max_queue, gap) in enumerate(((1, 0, 3, 2), (4, 3, 6, 0.5), (8, 9, 5, 1))):
        arrivals = rush(300, gap, seed)
        expected = watched(arrivals, max_batch, max_wait, max_queue, lambda n: 3 + n)
        found = times(arrivals, max_batch, max_wait, max_queue, takes=lambda n: 3.0 + n)
        assert same(found, expected), (
            f"Of 300 random requests with max_batch={max_batch}, max_wait={max_wait} and max_queue={max_queue}, "
            f"{np.isnan(expected).sum()} are refused, and yours refuses {np.isnan(found).sum()}; or the others are "
            f"answered at other times. {EARLIER} If they are met: a queue may be shorter than a batch."
        )


def test_a_short_queue_keeps_its_promise() -> None:
    """However many come, nobody who is let in waits longer than (max_queue + 1) times the time of one request."""
    arrivals = np.array(rush(500, 0.25, 7), dtype=np.float64)
    waits = np.array(times(arrivals, 1, 0.0, 4, takes=lambda _: 3.0)) - arrivals
    served, longest = int(np.sum(~np.isnan(waits))), np.nanmax(waits)
    endless = np.array(times(arrivals, 1, 0.0, takes=lambda _: 3.0)) - arrivals
    assert longest <= 15, (
        "Requests take 3 seconds each, one at a time, and come much faster. With max_queue=4, whoever is let in finds "
        "one that is being answered and 3 others waiting, at most, so nobody waits longer than (4 + 1) x 3 = 15 "
        f"seconds. Found {longest:g}, with {served} of 500 answered. {EARLIER}"
    )
    assert endless[-1] > 1000, (
        f"Without max_queue the last of them waits for more than a quarter of an hour. Found {endless[-1]:g} seconds. "
        f"{EARLIER}"
    )


def test_latency_is_a_wait_that_somebody_had() -> None:
    """latency() is the nearest rank: a wait that somebody had. Who was refused does not count."""
    generator = np.random.default_rng(1)
    for count, share in ((100, 0.99), (10, 0.99), (4, 0.5), (5, 0.5), (200, 0.75), (1, 0.99), (8, 1.0)):
        arrivals = np.sort(generator.uniform(0, 100, count + 3))
        waits = generator.permutation(np.arange(1, count + 1) ** 2.0)
        answered = arrivals + np.concatenate([waits, [NOBODY] * 3])
        found = latency(arrivals, answered, share)
        assert isinstance(found, float), f"latency() should return a plain number, and returned {found!r}."
        ranked = sorted(waits)
        expected = next(wait for wait in ranked if sum(other <= wait for other in ranked) >= share * count)
        advice = "Sort the waits. How many of them must not be longer? Where does that one stand?"
        if math.isnan(found):
            advice = "The times of refused requests are nan: leave these out first."
        elif found == pytest.approx(np.quantile(waits, share)):
            advice = "That lies between two waits: np.quantile and np.percentile interpolate unless you forbid it."
        elif found == pytest.approx(waits.mean()):
            advice = "That is the mean."
        elif any(found == pytest.approx(wait) for wait in ranked):
            advice = "That is somebody's wait, but the wrong one: count on paper, with four waits and the share 0.5."
        assert found == pytest.approx(expected, rel=1e-9), (
            f"{count} requests waited for {shown(ranked[:4])}{' ...' if count > 4 else ''} seconds, 3 were refused. "
            f"For share={share:g}, expected {expected:g}; found {found:g}. {advice}"
        )


def test_capacity_is_what_the_server_can_keep_up_with() -> None:
    """capacity() is where the queue stops being emptied: below it the server keeps up, above it waits grow for ever."""
    for max_batch, expected in ((1, 0.5), (3, 0.75), (9, 0.9)):
        found = capacity(seconds, max_batch)
        mistakes = (
            (1 / expected, "That is how long a request takes, in a full batch. How many go into a second?"),
            (1 / seconds(max_batch), "That is how many batches there are in a second. How many requests are in each?"),
            (1 / seconds(1), "That is the capacity of batches of one."),
            (max_batch / seconds(1), "Ask seconds() how long a full batch takes."),
        )
        advice = next(
            (text for wrong, text in mistakes if found == pytest.approx(wrong)),
            "A server that is behind has full batches only: how many requests does it answer, and in what time?",
        )
        assert found == pytest.approx(expected), (
            f"n requests take 1 + n seconds, and a batch holds {max_batch}. Expected {expected:g} requests per second; "
            f"found {found:g}. {advice}"
        )
        for load in (0.9, 1.1):
            arrivals = np.arange(1000) / (load * found)
            waits = np.array(times(arrivals, max_batch, 2.0)) - arrivals
            assert (waits[-100:].mean() > 2 * waits[:500].mean()) == (load > 1), (
                f"With max_batch={max_batch} and {load:g} times the capacity, the last of 1000 requests should wait "
                f"{'much longer than the first, for the queue grows' if load > 1 else 'no longer than the first'}. "
                f"The first half waited for {waits[:500].mean():.1f} seconds, the last hundred for "
                f"{waits[-100:].mean():.1f}. {EARLIER}"
            )


def test_what_makes_no_sense_is_refused() -> None:
    """Arrivals in disorder, limits that are too low, and a percentile of nobody are refused with a UserError."""
    some, none = np.array([1.0, 2.0]), np.array([NOBODY, NOBODY])
    cases = (
        ("answer_times() of arrivals at 2 and 1", lambda: answer_times(some[::-1], seconds, 2, 1.0)),
        ("answer_times() with max_batch=0", lambda: answer_times(some, seconds, 0, 1.0)),
        ("answer_times() with max_wait=-1", lambda: answer_times(some, seconds, 2, -1.0)),
        ("answer_times() with max_queue=0", lambda: answer_times(some, seconds, 2, 1.0, 0)),
        ("latency() of requests that were all refused", lambda: latency(some, none)),
        ("latency() with share=0", lambda: latency(some, some + 1, 0.0)),
        ("latency() with share=99", lambda: latency(some, some + 1, 99)),
    )
    for case, call in cases:
        try:
            found = call()
        except UserError:
            continue
        except NotImplementedError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{case} raises {sentence(error)} A UserError was expected, with a message that says "
                "what is wrong: look at the arguments first."
            ) from error
        raise AssertionError(f"{case} gave {found!r}. A UserError was expected, for there is no right answer.")
