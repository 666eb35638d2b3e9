"""Is one setting better than another, or was it luck? A t-test over seeds, and what it says in words.

Runs with the same seed are pairs: they began with the same chance, and what it did to both cancels out (Student, The
probable error of a mean, Biometrika 6(1), 1908). Without such pairs, the means are compared (Welch, Biometrika 34,
1947).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lab_kit.runs.groups import Group, lower_is_better

LUCK = 0.01  # how often luck alone may make one of the verdicts of a comparison "better" or "worse"
POWER = 0.8  # how often the advised number of seeds would show a difference of the size that was seen
MOST_SEEDS = 1_000  # that are advised
FEWEST = 3  # seeds: of two, both may read as many pictures by chance, and look as if nothing varied
SAME = 1e-6  # differences below that are rounding


@dataclass(frozen=True)
class Verdict:
    """What runs say about two settings.

    Args:
        answer: `better`, `worse` or `cannot tell`.
        difference: of the means; the pairs' mean difference, where there are pairs.
        interval: in which the true difference lies, at `1 - LUCK`; None if there are too few runs.
        sentence: all of it, in words.
    """

    answer: str
    difference: float
    interval: tuple[float, float] | None
    sentence: str


def judge(new: Group, old: Group, figure: str, comparisons: int = 1) -> Verdict:
    """Say whether `new` is better than `old`.

    Args:
        new, old: their runs.
        figure: the one that decides, such as `val_acc`.
        comparisons: how many verdicts are given at a time: the more there are, the more often luck has a chance.
    """
    a, b, luck = new.by_seed(figure), old.by_seed(figure), LUCK / comparisons
    common = sorted(seed for seed in a.keys() & b.keys() if isinstance(seed, int))
    paired = len(common) >= FEWEST
    if paired:
        samples = [np.array([a[seed] - b[seed] for seed in common])]
        counted = f"{len(common)} pairs of runs with the same seed"
    else:
        samples = [np.array(list(a.values())), np.array(list(b.values()))]
        counted = f"{len(a)} and {len(b)} seeds"
    difference = float(samples[0].mean()) if paired else float(samples[0].mean() - samples[1].mean())
    direction = "higher" if difference > 0 else "lower"
    what = f"{figure} is {_amount(abs(difference), figure)} {direction}"
    start = f"Cannot tell {new.name} from {old.name}: {what}"
    few = min(map(len, samples)) < FEWEST
    if few or all(np.ptp(sample) < SAME for sample in samples):
        why = f"fewer than {FEWEST} seeds say" if few else "differences that do not vary say"
        more = "Run both with more seeds: --seed 1, --seed 2, and so on."
        return Verdict("cannot tell", difference, None, f"{start}, but {why} nothing of chance. {more}")
    low, high = _interval(samples, 1 - luck)
    between = f"{100 * (1 - luck):.4g}% interval {_range(low, high, figure)}; {counted}"
    if low > 0 or high < 0:
        answer = "better" if (difference < 0) == lower_is_better(figure) else "worse"
        return Verdict(answer, difference, (low, high), f"{new.name} is {answer} than {old.name}: {what} ({between}).")
    sentence = f"{start}, and luck alone could do that ({between}). {_advice(samples, difference, luck)}"
    return Verdict("cannot tell", difference, (low, high), sentence.rstrip())


def _interval(samples: Sequence[np.ndarray], confidence: float) -> tuple[float, float]:
    if len(samples) == 1:
        found = stats.ttest_1samp(samples[0], 0.0).confidence_interval(confidence)
    else:
        found = stats.ttest_ind(*samples, equal_var=False).confidence_interval(confidence)
    return float(found.low), float(found.high)


def _advice(samples: Sequence[np.ndarray], difference: float, luck: float) -> str:
    """Return how many seeds would show such a difference: the usual formula for a t-test's sample size."""
    if abs(difference) < SAME:
        return ""
    spread = math.hypot(*(float(sample.std(ddof=1)) for sample in samples))
    for count in range(max(map(len, samples)) + 1, MOST_SEEDS + 1):
        quantiles = stats.t.ppf(1 - luck / 2, count - 1) + stats.t.ppf(POWER, count - 1)
        if count >= (quantiles * spread / difference) ** 2:
            return f"If it is real, about {count} seeds of each would show it."
    return f"If it is real, not even {MOST_SEEDS:,} seeds of each would show it."


def _range(low: float, high: float, figure: str) -> str:
    if figure.endswith(("_acc", "_cer")):
        return f"from {100 * low:+.2f} to {100 * high:+.2f} points"
    return f"from {low:+.4g} to {high:+.4g}"


def _amount(value: float, figure: str) -> str:
    return f"{100 * value:.2f} points" if figure.endswith(("_acc", "_cer")) else f"{value:.4g}"
