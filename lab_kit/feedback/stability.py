"""The population stability index (PSI): how different two samples are, and how different they can be by chance.

The index compares the shares p and q of two samples in the same bins: it is the sum of (q - p) ln(q / p). In credit
scoring, less than 0.1 counts as stable, and more than 0.25 as changed (Siddiqi, Credit Risk Scorecards, 2006). This
rule of thumb is for thousands of cases. If nothing has changed, the index of samples of n and m cases in B bins is
about (1/n + 1/m) times a chi-square variable with B - 1 degrees of freedom (Yurdakul and Naranjo, Statistical
properties of the population stability index, Journal of Risk Model Validation, 2020). With ten bins and thirty
pictures, that is 0.3 on average. So the index must exceed two limits: the rule of thumb, so that the change matters,
and the limit of chance for samples of this size, so that the change is real.

The chi-square formula needs a few cases in each bin. With 62 classes and thirty pictures, most bins have none. So the
limit of chance is simulated: many pairs of samples are drawn from the distribution of both samples together.
"""

import math
from collections.abc import Sequence

import numpy as np

PSI_SOME_CHANGE, PSI_STRONG_CHANGE = 0.1, 0.25  # Siddiqi's rule of thumb
TRIALS = 5000  # pairs of samples that are drawn to simulate chance
PSEUDOCOUNT = 0.5  # added to each bin, because the logarithm of 0 is not finite
Z_95 = 1.959964  # 95% of a normal distribution is within so many standard deviations of the mean


def psi(reference: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the population stability index (...) of two arrays of counts (..., B)."""
    p, q = (_shares(counts) for counts in (reference, now))
    return ((q - p) * np.log(q / p)).sum(axis=-1)


def psi_by_chance(reference: np.ndarray, now: np.ndarray, false_alarms: float) -> float:
    """Return the index that samples of these sizes exceed by chance, with probability `false_alarms`.

    Args:
        reference, now: counts (B,).
        false_alarms: a probability such as 0.01; less than 10 / TRIALS would be inaccurate.
    """
    common = (reference + now) / (reference.sum() + now.sum())
    random = np.random.default_rng(0)  # the same answer for the same counts
    pairs = [random.multinomial(int(counts.sum()), common, TRIALS) for counts in (reference, now)]
    return float(np.quantile(psi(*pairs), 1 - false_alarms))


def _shares(counts: np.ndarray) -> np.ndarray:
    filled = counts + PSEUDOCOUNT
    return filled / filled.sum(axis=-1, keepdims=True)


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Return the 95% interval (Wilson, 1927) of the share `count / total`; (0, 1) if `total` is 0."""
    if not total:
        return 0.0, 1.0
    from scipy.stats import binomtest  # here, because it takes half a second to import

    interval = binomtest(count, total).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95% interval of the mean of values from 0 to 1; (0, 1) for fewer than two values."""
    if len(values) < 2:
        return 0.0, 1.0
    mean, half = np.mean(values), Z_95 * np.std(values, ddof=1) / math.sqrt(len(values))
    return max(0.0, float(mean - half)), min(1.0, float(mean + half))
