"""Exercise 3: do today's pictures still look like those that the network has learned from?"""

import inspect
import math
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import drift
import numpy as np
import pytest
from drift import first_alarm, ks_statistic, p_value

from lab_kit.errors import UserError, sentence

EARLIER = "Meet the requirements above first."
HERE = Path(__file__).resolve().parent
A = np.array([0.1, 0.4, 0.5, 0.8])
B = np.array([0.45, 0.7, 0.9])


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def gap(sample_a: list[float], sample_b: list[float]) -> int:
    """Return the statistic times both sizes, by counting at each number that there is."""
    return max(
        abs(sum(a <= x for a in sample_a) * len(sample_b) - sum(b <= x for b in sample_b) * len(sample_a))
        for x in (*sample_a, *sample_b)
    )


def expected_statistic(sample_a: np.ndarray, sample_b: np.ndarray) -> float:
    return gap(sample_a.tolist(), sample_b.tolist()) / (len(sample_a) * len(sample_b))


def every_way_to_fall(sample_a: np.ndarray, sample_b: np.ndarray) -> list[int]:
    """Return the gap of each way to draw two samples of these sizes from both, without replacement."""
    pot = [*sample_a.tolist(), *sample_b.tolist()]
    return [
        gap([pot[i] for i in chosen], [pot[i] for i in range(len(pot)) if i not in chosen])
        for chosen in combinations(range(len(pot)), len(sample_a))
    ]


def call(function: Callable[..., float], sample_a: np.ndarray, sample_b: np.ndarray, **settings: int) -> float:
    """Call ks_statistic or p_value, and check the form of what it returns."""
    before = sample_a.copy(), sample_b.copy()
    found, name = function(sample_a, sample_b, **settings), function.__name__
    assert isinstance(found, float), f"{name}() should return a plain number, and returned {found!r}."
    assert np.array_equal(before[0], sample_a) and np.array_equal(before[1], sample_b), (  # noqa: PT018
        f"{name}() has changed the samples that it was given. x.sort() and generator.shuffle(x) work in place: "
        "np.sort(x) and generator.permutation(x) make a new array."
    )
    return found


def test_the_statistic_is_the_greatest_difference_of_two_shares() -> None:
    """ks_statistic() is the greatest difference between the shares of both samples that are not above a number."""
    cases = [(A, B), (B, A), (whole(1, 2), whole(3, 4, 5)), (whole(7), whole(6))]
    generator = np.random.default_rng(0)
    cases += [(generator.normal(size=n), generator.normal(size=m) + 0.5) for n, m in ((30, 30), (5, 40), (60, 7))]
    for sample_a, sample_b in cases:
        found, expected = call(ks_statistic, sample_a, sample_b), expected_statistic(sample_a, sample_b)
        signed = [np.mean(sample_a <= x) - np.mean(sample_b <= x) for x in (*sample_a, *sample_b)]
        mistakes = (
            (max(signed), "You look at the differences to one side only: their size counts."),
            (-min(signed), "You look at the differences to one side only: their size counts."),
            (abs(sample_a.mean() - sample_b.mean()), "That is the difference of the means."),
            (max(abs(np.mean(sample_a <= x) - np.mean(sample_b <= x)) for x in sample_a), "Look at B's numbers, too."),
            (max(abs(np.mean(sample_a <= x) - np.mean(sample_b <= x)) for x in sample_b), "Look at A's numbers, too."),
        )
        advice = next(
            (text for wrong, text in mistakes if found == pytest.approx(wrong)),
            "Shares are counts divided by each sample's own size, and are asked for at every number of either sample.",
        )
        few = f"{sample_a.tolist()} and {sample_b.tolist()}"
        shown = few if len(few) < 60 else f"Random samples of {len(sample_a)} and {len(sample_b)} numbers"
        assert found == pytest.approx(expected), f"{shown}: expected {expected:.4f}, found {found:.4f}. {advice}"


def test_numbers_that_come_several_times_are_one_step() -> None:
    """Where a number comes several times, in one sample or in both, it is one step: all of it, or nothing."""
    cases = [(whole(1, 1, 1), whole(1, 1)), (whole(1, 2, 2, 3), whole(2, 2, 2, 3)), (whole(1, 2, 3, 4), whole(4))]
    generator = np.random.default_rng(1)
    cases += [(generator.integers(0, 6, n) * 1.0, generator.integers(0, 7, m) * 1.0) for n, m in ((40, 25), (9, 70))]
    for sample_a, sample_b in cases:
        found, expected = call(ks_statistic, sample_a, sample_b), expected_statistic(sample_a, sample_b)
        advice = "Compare the shares only where all that is equal has been counted: searchsorted has a side."
        few = f"{sample_a.tolist()} and {sample_b.tolist()}"
        shown = few if len(few) < 60 else f"{len(sample_a)} and {len(sample_b)} numbers from 0 to 6"
        assert found == pytest.approx(expected), f"{shown}: expected {expected:.4f}, found {found:.4f}. {advice}"


def test_a_p_value_is_never_zero() -> None:
    """Samples that no draw sets as far apart have the p-value 1 / (1 + draws), and equal samples have 1."""
    low, high = np.arange(40.0), np.arange(100.0, 130.0)
    for draws in (1, 99, 250):
        found, expected = call(p_value, low, high, draws=draws), 1 / (1 + draws)
        advice = "(1 + c) / (1 + draws), where c draws were at least as far apart."
        if found == 0:
            advice = "A p-value of 0 says that it cannot be. But these samples are one of the ways to fall: count them."
        elif found == pytest.approx(1 / draws):
            advice = "Count the samples themselves below the line, too: 1 + draws."
        elif found == 1:
            advice = "Is anything drawn? The numbers must come from both samples, and change places between them."
        assert found == pytest.approx(expected), (
            f"All numbers of one sample are below all of the other's, and none of {draws} draws will be so uneven. "
            f"Expected 1 / {1 + draws} = {expected:.4g}, found {found:.4g}. {advice}"
        )
    found = call(p_value, np.full(8, 2.0), np.full(5, 2.0), draws=50)
    assert found == 1, (
        f"If all numbers are the same, every draw is as far apart as the samples: not at all. Expected 1, found "
        f"{found:.4g}. 'At least as far' is >=, not >."
    )


def test_the_p_value_is_that_of_all_ways_to_fall() -> None:
    """p_value() comes near the share of all ways to draw that are at least as far apart, which few numbers allow."""
    cases = (
        (whole(1, 2, 3, 5), whole(4, 6, 7, 8)),
        (whole(1, 2, 3, 5, 7), whole(4, 6, 8, 9, 10)),
        (whole(0, 0, 1, 1, 2), whole(1, 1, 2, 2, 2)),
        (whole(3, 9), whole(1, 2, 4, 5, 6, 7, 8, 10)),
    )
    draws = 1500
    for sample_a, sample_b in cases:
        ways, observed = every_way_to_fall(sample_a, sample_b), gap(sample_a.tolist(), sample_b.tolist())
        expected, above = (np.mean([way >= bound for way in ways]) for bound in (observed, observed + 1))
        found = call(p_value, sample_a, sample_b, draws=draws)
        slack = 4.5 * math.sqrt(0.25 / draws)
        advice = "From one pot, without replacement: the first N of a shuffled pot are one sample, the rest the other."
        if abs(found - above) < slack:
            advice = "You count only draws that are further apart. 'At least as far' is >=, not >."
        elif abs(found - (1 - above)) < slack:
            advice = "You count the draws that are less far apart."
        elif above < found < expected and len(sample_a) == 5:  # fourths are exact, fifths are not
            advice = (
                "Do you lose some of the draws that are just as far apart? 4/5 - 1/5 and 3/5 are the same number, but "
                "not to a computer. Whole numbers are: multiply by the sizes of both samples; or allow for 1e-9."
            )
        assert found == pytest.approx(expected, abs=slack), (
            f"{sample_a.tolist()} and {sample_b.tolist()}: of {len(ways)} ways to draw, {expected:.1%} are at least as "
            f"far apart. Expected about {expected:.3f}, found {found:.3f}. {advice}"
        )


def test_a_p_value_can_be_repeated() -> None:
    """The same seed gives the same p-value, and NumPy's shared random numbers stay as they are."""
    generator = np.random.default_rng(6)
    sample_a, sample_b = generator.normal(size=30), generator.normal(size=20) + 0.3
    state = np.random.get_state()[1:3]  # noqa: NPY002
    first, again, *others = (call(p_value, sample_a, sample_b, draws=200, seed=seed) for seed in (3, 3, 4, 5, 6, 7))
    after = np.random.get_state()[1:3]  # noqa: NPY002
    assert np.array_equal(state[0], after[0]) and state[1] == after[1], (  # noqa: PT018
        "p_value() has used or set the random numbers that all of NumPy shares (np.random.seed does that, too). Make "
        "one generator of your own: np.random.default_rng(seed)."
    )
    assert first == again, (
        f"Seed 3 gave {first:.4f} and then {again:.4f}: a figure that nobody can repeat. Take all draws from one "
        "generator with that seed."
    )
    assert any(first != other for other in others), (
        f"Seeds 3 to 7 all gave {first:.4f}. {EARLIER} If they are met: give your generator the seed."
    )


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[float], list[dict]]]:
    """Let p_value give out the p-values of a list, and write down what it was asked."""
    given, asked = [], []
    signature = inspect.signature(p_value)

    def answer(*arguments: object, **settings: object) -> float:
        bound = signature.bind(*arguments, **settings)
        bound.apply_defaults()
        asked.append(bound.arguments)
        return given[len(asked) - 1]

    monkeypatch.setattr(drift, "p_value", answer)
    return given, asked


def test_windows_are_whole_and_follow_one_another(answers) -> None:
    """first_alarm() cuts the stream into whole windows, compares each with the reference, and stops at an alarm."""
    given, asked = answers
    reference, stream = np.arange(5.0), np.arange(100.0, 123.0)
    for p_values, expected in (([1.0] * 5, None), ([0.5, 0.5, 0.001, 0.001, 0.5], 2), ([0.001] * 5, 0)):
        given[:], asked[:] = p_values, []
        found = first_alarm(reference, stream, 5)
        parts = [asked_for["sample_b"].tolist() for asked_for in asked]
        wanted = [[100.0 + 5 * k + i for i in range(5)] for k in range(4 if expected is None else expected + 1)]
        if asked and all(np.array_equal(one["sample_b"], reference) for one in asked):
            parts = [one["sample_a"].tolist() for one in asked]
        assert asked, "first_alarm() has not asked p_value(): it is there for that."
        assert parts[: len(wanted)] == wanted, (
            f"A stream of 23 numbers from 100 to 122, in windows of 5: expected the windows {wanted}; compared were "
            f"{parts}. Do they follow one another, without a gap or an overlap?"
        )
        assert len(parts) == len(wanted), f"Expected {len(wanted)} comparisons, found {len(parts)}. " + (
            "Three numbers are left over: they fill no window." if expected is None else "Stop at the first alarm."
        )
        assert found == expected and type(found) is type(expected), (  # noqa: PT018
            f"In four windows with the p-values {p_values[:4]} the first alarm is {expected}. Found {found!r}. Windows "
            "count from 0; None means that there is no alarm."
        )
    found = first_alarm(reference, stream[:4], 5)
    assert found is None, f"A stream that fills no window raises no alarm: expected None, found {found!r}."


def test_who_looks_often_asks_for_more(answers) -> None:
    """Of K windows each gets a K-th of the level: about 5% of streams without drift raise an alarm, not 92%."""
    given, asked = answers
    generator, windows = np.random.default_rng(4), 50
    for streams, level in ((300, 0.05), (100, 0.3)):
        p_values, alarms = generator.uniform(size=(streams, windows)), 0
        for row in p_values.tolist():
            given[:], asked[:] = row, []
            alarms += first_alarm(np.zeros(3), np.zeros(windows), 1, level) is not None
        expected = int(np.sum(p_values.min(axis=1) <= level / windows))
        advice = "Each of 50 windows gets the level divided by 50."
        if alarms == np.sum(p_values.min(axis=1) <= level):
            advice = "Each window has been given the whole level: it is that of all windows together."
        assert alarms == expected, (
            f"Without drift, p-values are random numbers between 0 and 1. Of {streams} streams of {windows} windows, "
            f"with level={level:g}, {expected} should raise an alarm. Found {alarms}. {advice}"
        )
    for p_value_there, expected in ((0.01, 0), (0.0100001, None)):
        given[:], asked[:] = [p_value_there] * 5, []
        found = first_alarm(np.zeros(3), np.zeros(5), 1, 0.05)
        assert found == expected, (
            f"Five windows at the level 0.05: an alarm where p is 0.01 or less. With p={p_value_there:g}, expected "
            f"{expected}, found {found}."
        )


def test_it_draws_often_enough_to_be_alarmed() -> None:
    """It finds where a drift begins, and draws so often that an alarm is possible, however many windows there are."""
    generator = np.random.default_rng(11)
    for windows, level, begin in ((25, 0.02, 1), (12, 0.2, 11), (1, 0.05, 0)):
        reference, stream = generator.normal(size=14), generator.normal(size=windows * 10 + 7)
        stream[begin * 10 :] += 100
        found = first_alarm(reference, stream, 10, level)
        smallest = 1 / (1 + inspect.signature(p_value).parameters["draws"].default)
        advice = EARLIER
        if found is None and level / windows < smallest:
            advice = (
                f"With 999 draws no p-value is below {smallest:g}, and it must be {level / windows:.2g} or less here: "
                "tell p_value() how often to draw."
            )
        assert found == begin, (
            f"{windows} windows at the level {level:g}; from window {begin} on, all numbers are 100 higher. Expected "
            f"{begin}, found {found}. {advice}"
        )


def test_what_cannot_be_compared_is_refused() -> None:
    """Empty samples, nan, windows of nothing and levels that are none are refused with a UserError."""
    some, none, holey = whole(1, 2, 3), whole(), np.array([1.0, math.nan])
    cases: list[tuple[str, Callable[[], object]]] = [
        ("ks_statistic() of an empty sample", lambda: ks_statistic(some, none)),
        ("ks_statistic() of an empty sample", lambda: ks_statistic(none, some)),
        ("ks_statistic() of a sample with nan", lambda: ks_statistic(holey, some)),
        ("p_value() of an empty sample", lambda: p_value(none, some)),
        ("p_value() of a sample with nan", lambda: p_value(some, holey)),
        ("first_alarm() with window=0", lambda: first_alarm(some, some, 0)),
        ("first_alarm() with level=5", lambda: first_alarm(some, some, 1, 5)),
        ("first_alarm() with level=0", lambda: first_alarm(some, some, 1, 0.0)),
    ]
    for case, attempt in cases:
        try:
            with np.errstate(all="ignore"):
                found = attempt()
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


def test_the_statistic_is_your_own() -> None:
    """The statistic is your own: drift.py does without scipy and its like."""
    for attempt in (lambda: ks_statistic(A, B), lambda: p_value(A, B), lambda: first_alarm(A, B, 1)):
        attempt()
    used = re.findall(
        r"^\s*(?:import|from)\s+(scipy|statsmodels|sklearn)\b", (HERE / "drift.py").read_text(encoding="utf-8"), re.M
    )
    assert not used, f"drift.py imports {used[0]}, which knows this test. Write it yourself: NumPy can sort and count."
