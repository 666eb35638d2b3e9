"""Exercise 3: are today's pictures still like those that were learned from? (checks that were not handed out)"""

import inspect
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import drift
import numpy as np
import pytest
from drift import first_alarm, ks_statistic, p_value
from scipy import stats


def gap(sample_a: list[float], sample_b: list[float]) -> int:
    """Return the statistic times both sizes, by counting at each number that there is."""
    return max(
        abs(sum(a <= x for a in sample_a) * len(sample_b) - sum(b <= x for b in sample_b) * len(sample_a))
        for x in (*sample_a, *sample_b)
    )


def test_drift_statistic_of_other_samples() -> None:
    """ks_statistic() is right for samples of very different sizes, and where many numbers are the same."""
    generator = np.random.default_rng(31)
    for count_a, count_b, values in ((1, 50, 0), (200, 3, 0), (17, 29, 4), (80, 81, 2), (6, 6, 3), (5, 1, 1)):
        sample_a, sample_b = generator.normal(size=count_a), generator.normal(size=count_b) - 0.4
        if values:
            sample_a, sample_b = (generator.integers(0, values, n) / 2 for n in (count_a, count_b))
        expected = gap(sample_a.tolist(), sample_b.tolist()) / (count_a * count_b)
        for first, second in ((sample_a, sample_b), (sample_b, sample_a)):
            found = ks_statistic(first, second)
            assert found == pytest.approx(expected), (
                f"Samples of {len(first)} and {len(second)} numbers{f', {values} different ones' if values else ''}: "
                f"expected {expected:.4f}, found {found:.4f}. Compare the shares that are not above x, for every x of "
                "either sample, where all that is equal has been counted."
            )
    far = ks_statistic(np.array([5.0, 6.0]), np.array([-1.0, -2.0, -3.0]))
    assert far == pytest.approx(1.0), f"All of one sample lie above all of the other: expected 1, found {far}."


def test_drift_p_value_of_other_samples() -> None:
    """p_value() comes near the share of all ways to draw, for samples of other sizes and with other seeds."""
    draws = 1200
    for sample_a, sample_b, seed in (
        ([2, 5, 6], [1, 3, 4, 7, 8, 9], 5),
        ([1, 1, 1, 2, 4, 6, 6], [3, 3, 5], 17),
        ([8], [1, 2, 3, 4, 5, 6, 7], 2),
        ([0, 1, 3], [0, 1, 2], 99),
    ):
        pot, observed = [*sample_a, *sample_b], gap(sample_a, sample_b)
        ways = [
            gap([pot[k] for k in chosen], [pot[k] for k in range(len(pot)) if k not in chosen]) >= observed
            for chosen in combinations(range(len(pot)), len(sample_a))
        ]
        expected, found = (
            float(np.mean(ways)),
            p_value(np.array(sample_a, float), np.array(sample_b, float), draws, seed),
        )
        slack = 4.5 * (0.25 / draws) ** 0.5
        assert found == pytest.approx(expected, abs=slack), (
            f"{sample_a} and {sample_b}: of {len(ways)} ways to draw {len(sample_a)} of these numbers, {expected:.1%} "
            f"set the samples at least as far apart. Expected about {expected:.3f}, found {found:.3f}."
        )
    generator = np.random.default_rng(32)
    sample_a, sample_b = generator.normal(size=60), generator.normal(size=45) + 0.35
    found, known = p_value(sample_a, sample_b, 800, seed=3), stats.ks_2samp(sample_a, sample_b).pvalue
    assert found == pytest.approx(known, abs=0.06), f"60 and 45 numbers: expected about {known:.3f}, found {found:.3f}."


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[int | None, list[dict[str, Any]]]]]:
    """Return a function that calls first_alarm while p_value gives out a list; returns the alarm and what was asked."""
    signature = inspect.signature(p_value)

    def call(p_values: list[float], *arguments: Any, **settings: Any) -> tuple[int | None, list[dict[str, Any]]]:
        asked: list[dict[str, Any]] = []

        def answer(*given: Any, **named: Any) -> float:
            bound = signature.bind(*given, **named)
            bound.apply_defaults()
            asked.append(bound.arguments)
            return p_values[len(asked) - 1]

        monkeypatch.setattr(drift, "p_value", answer)
        return first_alarm(*arguments, **settings), asked

    return call


def test_drift_alarm_looks_at_whole_windows_and_shares_the_level(watched) -> None:
    """Windows of any length follow one another, and each of K gets a K-th of the level, whatever both are."""
    reference = np.arange(9.0)
    for count, window, level, p_values, expected in (
        (64, 8, 0.25, [0.04, 0.031251, 0.03125, 0.0, 0, 0, 0, 0], 2),
        (70, 7, 0.1, [0.011] * 10, None),
        (20, 20, 0.6, [0.6], 0),
        (41, 10, 0.02, [1.0, 1.0, 0.006, 0.005], 3),
        (9, 10, 0.5, [], None),
    ):
        stream = 100 + np.arange(float(count))
        found, asked = watched([*p_values, 1.0, 1.0], reference, stream, window, level)
        windows = count // window
        parts = [
            next((part.tolist() for part in (one["sample_b"], one["sample_a"]) if part[0] >= 100), []) for one in asked
        ]
        wanted = [
            stream[k * window : (k + 1) * window].tolist() for k in range(windows if expected is None else expected + 1)
        ]
        assert parts == wanted, (
            f"A stream of {count} numbers in windows of {window}, with an alarm in window {expected}: expected "
            f"{len(wanted)} comparisons, each with the next whole window, found {len(parts)}, or other windows."
        )
        assert found == expected, (
            f"{windows} windows at the level {level:g}, with the p-values {p_values}: an alarm where p is {level:g} / "
            f"{windows} or less. Expected {expected}, found {found}."
        )


def test_drift_alarm_draws_often_enough_for_many_windows(watched) -> None:
    """However many windows there are and however low the level is, p can become so low that there is an alarm."""
    for windows, level in ((60, 0.01), (3, 0.0005), (400, 0.05), (2, 0.9)):
        found, asked = watched([1.0] * windows, np.zeros(4), np.zeros(windows * 5), 5, level)
        assert (found, len(asked)) == (None, windows), (
            f"Expected {windows} comparisons and no alarm, found {len(asked)}."
        )
        smallest = max(1 / (1 + one["draws"]) for one in asked)
        assert smallest <= level / windows * (1 + 1e-9), (
            f"{windows} windows at the level {level:g}: there is an alarm where p is {level / windows:.3g} or less. "
            f"But p_value() was told to draw so often that its smallest p-value is {smallest:.3g}. Let the draws "
            "depend on windows and level."
        )
