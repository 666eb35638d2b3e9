"""Exercise 3: do today's pictures still look like those that the network has learned from?"""

import numpy as np


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
    raise NotImplementedError("ks_statistic() in homework/drift.py is still a stub: write its body.")


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
    raise NotImplementedError("p_value() in homework/drift.py is still a stub: write its body.")


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
    raise NotImplementedError("first_alarm() in homework/drift.py is still a stub: write its body.")
