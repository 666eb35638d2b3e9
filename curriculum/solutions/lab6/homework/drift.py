"""Exercise 3: do today's pictures still look like those that the network has learned from?"""

import math

import numpy as np

from lab_kit.errors import UserError


def ks_statistic(sample_a: np.ndarray, sample_b: np.ndarray) -> float:
    """Return the statistic of Kolmogorov and Smirnov: how far apart the two samples' distributions are, at most.

    The distribution of a sample says of each number x which share of the sample is not above x.

    Args:
        sample_a: (N,) floats, in any order; the same number may come several times.
        sample_b: (M,) floats.

    Returns:
        the greatest difference, in size, between the two shares at any x: from 0 to 1.

    Raises:
        UserError: a sample is empty, or holds nan.
    """
    for sample in (sample_a, sample_b):
        if not len(sample) or np.isnan(sample).any():
            raise UserError("Only samples with at least one number, and without nan, can be compared.")
    return _gap(*_mixed(sample_a, sample_b)) / (len(sample_a) * len(sample_b))


def p_value(sample_a: np.ndarray, sample_b: np.ndarray, draws: int = 999, seed: int = 0) -> float:
    """Return the p-value of a permutation test: how often chance sets two samples as far apart as these.

    If both come from the same distribution, it is chance which numbers are in which of them. So throw all into one pot,
    draw two samples of the same sizes as these from it, without replacement, and look at their `ks_statistic`; do that
    `draws` times.

    Args:
        sample_a: (N,) floats.
        sample_b: (M,) floats.
        draws: how often to draw.
        seed: of the draws. The same seed gives the same p-value, and NumPy's shared random numbers stay as they were.

    Returns:
        (1 + c) / (1 + draws), where c draws were at least as far apart as the two samples. The samples themselves are
        one of the ways to fall, so it is never 0 (Phipson and Smyth, 2010).

    Raises:
        UserError: as `ks_statistic` does.
    """
    ks_statistic(sample_a, sample_b)  # refuses what cannot be compared
    from_a, last = _mixed(sample_a, sample_b)
    observed, generator = _gap(from_a, last), np.random.default_rng(seed)
    count = sum(_gap(generator.permutation(from_a), last) >= observed for _ in range(draws))
    return (1 + count) / (1 + draws)


def first_alarm(
    reference: np.ndarray, stream: np.ndarray, window: int, level: float = 0.05, seed: int = 0
) -> int | None:
    """Return in which window of a stream the alarm is raised: the first that chance does not explain.

    The stream is cut into windows, one after the other. What is left at its end and fills no window is not looked at,
    nor is anything after the alarm.

    Each window is compared with the reference by `p_value`. Who looks at K windows gets K chances of a false alarm, so
    each gets an equal part of the level (Bonferroni): the alarm is raised where p <= level / K, and a stream that has
    not drifted raises it with a probability of `level` at most. `p_value` draws often enough that p can be so low.

    Args:
        reference: (N,) floats, from before.
        stream: (M,) floats, in the order in which they came.
        window: how many of them to compare at a time, at least 1.
        level: how probable a false alarm may be, in the whole stream: between 0 and 1.
        seed: of the draws.

    Returns:
        the window's number, 0 for the first, or None.

    Raises:
        UserError: as `ks_statistic` does; or the window is less than 1, or the level not between 0 and 1.
    """
    if window < 1 or not 0 < level < 1:
        raise UserError(f"window must be at least 1 and level between 0 and 1, not {window} and {level}.")
    windows = len(stream) // window
    draws = math.ceil(windows / level)
    for number in range(windows):
        part = stream[number * window : (number + 1) * window]
        if p_value(reference, part, draws, seed) <= level / windows:
            return number
    return None


def _mixed(sample_a: np.ndarray, sample_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort both samples together: (N + M,) bool, whether each number is of A; and the last place of each value."""
    both = np.concatenate([sample_a, sample_b])
    order = both.argsort(kind="stable")
    ranked = both[order]
    return order < len(sample_a), np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))


def _gap(from_a: np.ndarray, last: np.ndarray) -> int:
    """Return the statistic times N * M: a whole number, so that what is equal compares as equal."""
    numbers_of_a, numbers = from_a.cumsum()[last], last + 1  # not above each value
    return int(np.abs(numbers_of_a * len(from_a) - numbers * from_a.sum()).max())
