"""Is one setting better than another, or was it luck? A t-test over seeds, and what it says in words.

Runs with the same seed are pairs: they began with the same chance, and what it did to both cancels out (Student, The
probable error of a mean, Biometrika 6(1), 1908). Without such pairs, the means are compared (Welch, Biometrika 34,
1947).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lab_kit.runs.groups import Group, lower_is_better

LUCK = 0.01  # how often luck alone may make one of the verdicts of a comparison "better" or "worse"
POWER = 0.8  # how often the advised number of seeds would show a difference of the size that was seen
MOST_SEEDS = 1_000  # that are advised


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
    pairs = _pairs(new, old, figure)
    if len(pairs) >= 2:
        differences = np.array([a - b for a, b in pairs])
        counted = f"{len(pairs)} pairs of runs with the same seed"
    else:
        differences, counted = None, f"{len(new.runs)} and {len(old.runs)} runs"
    difference = new.mean(figure) - old.mean(figure) if differences is None else float(differences.mean())
    interval = _interval(differences, new.values(figure), old.values(figure), 1 - LUCK / comparisons)
    what = f"{figure} is {_amount(abs(difference), figure)} {'higher' if difference > 0 else 'lower'}"
    if interval is None:
        runs = "these runs do not vary" if min(len(new.runs), len(old.runs)) > 1 else "one run says nothing of chance"
        sentence = (
            f"Cannot tell {new.name} from {old.name}: {what}, but {runs}, so nobody knows how much of it is luck. "
            "Run both with more seeds: --seed 1, --seed 2, and so on."
        )
        return Verdict("cannot tell", difference, None, sentence)
    low, high = interval
    percent = 100 * (1 - LUCK / comparisons)
    between = f"{percent:.4g}% interval {_range(low, high, figure)}; {counted}"
    if low > 0 or high < 0:
        answer = "better" if (difference < 0) == lower_is_better(figure) else "worse"
        sentence = f"{new.name} is {answer} than {old.name}: {what} ({between})."
        return Verdict(answer, difference, interval, sentence)
    spread = statistics.stdev(differences) if differences is not None else _spread(new, old, figure)
    sentence = f"Cannot tell {new.name} from {old.name}: {what}, and luck alone could do that ({between})."
    return Verdict("cannot tell", difference, interval, f"{sentence} {_advice(spread, difference)}")


def _pairs(new: Group, old: Group, figure: str) -> list[tuple[float, float]]:
    """Return both figures of each seed that both have; runs that were repeated with a seed count as their mean."""
    by_seed = [
        {
            seed: statistics.mean(
                run.figures[figure] for run in group.runs if run.seed == seed and figure in run.figures
            )
            for seed in {run.seed for run in group.runs if figure in run.figures}
        }
        for group in (new, old)
    ]
    return [(by_seed[0][seed], by_seed[1][seed]) for seed in sorted(by_seed[0].keys() & by_seed[1].keys())]


def _interval(
    differences: np.ndarray | None, new: Sequence[float], old: Sequence[float], confidence: float
) -> tuple[float, float] | None:
    if differences is not None:
        if np.ptp(differences) < 1e-12:  # the spread of nothing says nothing
            return None
        found = stats.ttest_1samp(differences, 0.0).confidence_interval(confidence)
    elif min(len(new), len(old)) < 2 or (np.ptp(new) < 1e-12 and np.ptp(old) < 1e-12):
        return None
    else:
        found = stats.ttest_ind(new, old, equal_var=False).confidence_interval(confidence)
    return float(found.low), float(found.high)


def _spread(new: Group, old: Group, figure: str) -> float:
    return math.hypot(statistics.stdev(new.values(figure)), statistics.stdev(old.values(figure)))


def _advice(spread: float, difference: float) -> str:
    """Return how many seeds would show such a difference: the usual formula for a t-test's sample size."""
    if abs(difference) < 1e-12:
        return "There is no difference to be seen."
    quantiles = stats.norm.ppf(1 - LUCK / 2) + stats.norm.ppf(POWER)
    needed = (quantiles * spread / difference) ** 2 + 2
    if needed > MOST_SEEDS:
        return "If there is a difference, it is too small to matter."
    return f"If it is real, about {math.ceil(needed)} seeds of each would show it."


def _range(low: float, high: float, figure: str) -> str:
    if figure.endswith(("_acc", "_cer")):
        return f"from {100 * low:+.2f} to {100 * high:+.2f} points"
    return f"from {low:+.4g} to {high:+.4g}"


def _amount(value: float, figure: str) -> str:
    return f"{100 * value:.2f} points" if figure.endswith(("_acc", "_cer")) else f"{value:.4g}"
