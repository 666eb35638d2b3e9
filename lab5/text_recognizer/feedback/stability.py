"""How far two samples are apart, and how far chance alone would set them apart.

The population stability index compares the shares p and q of two samples in the same bins: the sum of
(q - p) ln(q / p). Credit scoring calls less than 0.1 stable and more than 0.25 changed (Siddiqi, Credit Risk
Scorecards, 2006). That rule of thumb was made for thousands of cases. Where nothing has changed, the index of samples
of n and m in B bins is about (1/n + 1/m) times a chi-square variable with B - 1 degrees of freedom (Yurdakul and
Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation, 2020): with ten
bins and thirty pictures it is 0.3 on average, although nothing has changed. So the index must exceed both the rule of
thumb, for a change that matters, and what chance makes of samples of this size, for a change that is real.

The chi-square form needs a few cases in each bin; with 62 classes and thirty pictures there are none in most. So chance
is not calculated but tried: many pairs of samples are drawn from what both have in common.
"""

import math
from collections.abc import Sequence

import numpy as np

SOME, STRONG = 0.1, 0.25  # Siddiqi's
TRIALS = 5000  # pairs of samples drawn to see what chance does
PRIOR = 0.5  # cases that each bin has to begin with: the logarithm of an empty one would be infinite
Z = 1.959964  # standard deviations either way that hold 95% of a normal distribution


def psi(reference: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the population stability index of counts (..., B) and counts (..., B): (...)."""
    p, q = (_shares(counts) for counts in (reference, now))
    return ((q - p) * np.log(q / p)).sum(axis=-1)


def psi_by_chance(reference: np.ndarray, now: np.ndarray, false_alarms: float) -> float:
    """Return the index that samples of these sizes exceed with probability `false_alarms` where nothing has changed.

    Args:
        reference, now: counts (B,).
        false_alarms: such as 0.01; less than 10 / TRIALS would be guessed and not measured.
    """
    common = (reference + now) / (reference.sum() + now.sum())
    random = np.random.default_rng(0)  # the same answer for the same counts
    pairs = [random.multinomial(int(counts.sum()), common, TRIALS) for counts in (reference, now)]
    return float(np.quantile(psi(*pairs), 1 - false_alarms))


def _shares(counts: np.ndarray) -> np.ndarray:
    filled = counts + PRIOR
    return filled / filled.sum(axis=-1, keepdims=True)


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a share of which `count` in `of` were seen (Wilson, 1927); (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    share, shrink = count / of, 1 + Z**2 / of
    middle = (share + Z**2 / (2 * of)) / shrink
    half = Z / shrink * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95% interval of a mean of values from 0 to 1; (0, 1) where fewer than two say nothing of spread."""
    if len(values) < 2:
        return 0.0, 1.0
    mean, half = np.mean(values), Z * np.std(values, ddof=1) / math.sqrt(len(values))
    return max(0.0, float(mean - half)), min(1.0, float(mean + half))
