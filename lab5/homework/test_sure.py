"""Exercise 2: how sure is 86%, and is the new model better?"""

import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from how_sure import accuracy_interval, bootstrap_interval, is_better
from scipy import stats
from torch import Tensor

from lab_kit.errors import UserError, sentence

Interval = tuple[float, float]
EARLIER = "Meet the requirements above first."
HERE = Path(__file__).resolve().parent


def answers(right: int, pictures: int) -> Tensor:
    """Return which pictures a model was right about: so many, anywhere among them."""
    return torch.randperm(pictures) < right


def pair(both: int, only_a: int, only_b: int, neither: int) -> tuple[Tensor, Tensor]:
    """Return which pictures two models were right about, (N,) each."""
    rows = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b + [(False, False)] * neither
    right_a, right_b = torch.tensor(rows)[torch.randperm(len(rows))].T
    return right_a, right_b


def interval_of(function: Callable[..., Interval], right: Tensor, **settings: float) -> Interval:
    """Call one of the two functions, and check the form of what it returns."""
    before = right.clone()
    found = function(right, **settings)
    name = function.__name__
    types = [type(end) for end in found] if isinstance(found, tuple) else []
    assert types == [float, float], (
        f"{name}() should return two plain numbers, the lower and the upper end, and returned {found!r}. "
        "x.item() makes a number of a tensor."
    )
    assert torch.equal(before, right), f"{name}() has changed the tensor that it was given: work on a copy."
    assert found[0] <= found[1], f"{name}() returned {found}: the lower end comes first."
    return found


def percent(interval: Interval) -> str:
    return " to ".join(f"{end:.2%}" for end in interval)


def wilson(right: int, pictures: int, level: float, correction: bool = False) -> Interval:
    method = "wilsoncc" if correction else "wilson"
    return tuple(stats.binomtest(right, pictures).proportion_ci(level, method))


def textbook(right: int, pictures: int, level: float) -> Interval:
    share, z = right / pictures, stats.norm.ppf((1 + level) / 2)
    reach = z * math.sqrt(share * (1 - share) / pictures)
    return share - reach, share + reach


def same(one: Interval, other: Interval) -> bool:
    return one == pytest.approx(other, abs=1e-4)


def p_value(right_a: Tensor, right_b: Tensor) -> float:
    """Call is_better, and check the form of what it returns."""
    before = torch.stack([right_a, right_b])
    found = is_better(right_a, right_b)
    assert isinstance(found, float), f"is_better() should return a plain number, and returned {found!r}."
    assert torch.equal(before, torch.stack([right_a, right_b])), (
        "is_better() has changed the tensors that it was given: work on copies."
    )
    return found


def mcnemar(only_a: int, only_b: int) -> float:
    return stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0


def chi_square(difference: int, tosses: int) -> float:
    return stats.chi2.sf(difference**2 / tosses, 1)


def test_accuracy_interval_is_wilsons() -> None:
    """accuracy_interval() is Wilson's interval, at every level."""
    for right, pictures, level in ((86, 100, 0.95), (172, 200, 0.9), (3, 7, 0.99), (4300, 5000, 0.5)):
        found = interval_of(accuracy_interval, answers(right, pictures), level=level)
        expected = wilson(right, pictures, level)
        advice = "Look at each term: what is divided by n, what by 4 n^2, and what divides the whole?"
        if same(found, textbook(right, pictures, level)):
            advice = "That is p -+ z sqrt(p (1 - p) / n), which is wrong near 0 and 1, and with few pictures."
        elif level > 0.5 and same(found, wilson(right, pictures, 2 * level - 1)):
            advice = f"That leaves {1 - level:.0%} out on each side, which is twice as much as {level:.0%} should."
        elif level != 0.95 and same(found, wilson(right, pictures, 0.95)):
            advice = "That is the interval at 95%: let z depend on the level."
        elif same(found, wilson(right, pictures, level, correction=True)):
            advice = "That has the continuity correction, which was not asked for."
        assert found == pytest.approx(expected, abs=1e-6), (
            f"{right} of {pictures} right, level {level}: expected {percent(expected)}, found {percent(found)}. "
            f"{advice}"
        )


def test_all_right_is_not_certainty() -> None:
    """20 of 20 right are 84% to 100%, and 0 of 20 are 0% to 16%."""
    for right, pictures in ((20, 20), (0, 20), (1, 1), (0, 3)):
        found, expected = interval_of(accuracy_interval, answers(right, pictures)), wilson(right, pictures, 0.95)
        assert found == pytest.approx(expected, abs=1e-6), (
            f"{right} of {pictures} right: expected {percent(expected)}, found {percent(found)}. A model that was "
            f"always right about {pictures} pictures may be wrong about the next. Of p (1 - p) nothing is left here, "
            "but of z^2 something is."
        )
        assert 0 <= found[0] <= found[1] <= 1, (
            f"{right} of {pictures} right gave {found}: rounding has led out of the range from 0 to 1. Cut it off."
        )


def test_no_pictures_and_no_such_level_are_refused() -> None:
    """An interval of no pictures, or at a level that is not between 0 and 1, is refused with a UserError."""
    cases = ((0, 0.95), (10, 95), (10, 1.0), (10, 0.0), (10, -0.5))
    for function, (pictures, level) in itertools.product((accuracy_interval, bootstrap_interval), cases):
        call = f"{function.__name__}() of {pictures} pictures with level={level}"
        try:
            found = function(answers(min(pictures, 5), pictures), level=level)
        except UserError:
            continue
        except NotImplementedError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{call} raises {sentence(error)} A UserError was expected, with a message that says "
                "what is wrong: look at the arguments first."
            ) from error
        raise AssertionError(f"{call} gave {found!r}. A UserError was expected: there is no such interval.")


def test_bootstrap_cuts_off_the_same_share_on_both_sides() -> None:
    """bootstrap_interval() cuts the same share off both sides of the drawn accuracies."""
    for right, pictures, level in ((86, 100, 0.95), (420, 600, 0.8), (30, 40, 0.99)):
        found = interval_of(bootstrap_interval, answers(right, pictures), level=level, draws=4000)
        # How often a picture is right in a drawn set is a binomial number, so the quantiles are known.
        drawn = stats.binom(pictures, right / pictures)
        expected = tuple(drawn.ppf([(1 - level) / 2, (1 + level) / 2]) / pictures)
        slack = max(1.01 / pictures, 0.2 * drawn.std() / pictures) * (2 if level > 0.98 else 1)
        width, wanted = found[1] - found[0], expected[1] - expected[0]
        advice = "Draw whole validation sets, take the accuracy of each, and then two quantiles of all accuracies."
        if width == 0:
            advice = (
                "All drawn accuracies are the same. A set drawn without replacement (as torch.randperm does) is the "
                "old one in another order: a picture must be able to come twice."
            )
        elif found[1] - 1e-9 <= right / pictures + slack or found[0] >= right / pictures - slack:
            advice = "It lies on one side of the accuracy: cut off both ends."
        elif found == pytest.approx(tuple(drawn.ppf([1 - level, level]) / pictures), abs=slack):
            advice = f"That leaves {1 - level:.0%} out on each side, and should leave out half of it."
        elif abs(width / wanted - 1) > 0.25:
            advice = (
                f"Its width is {width / wanted:.1f} times what it should be. Sets that are too small have accuracies "
                "that differ too much, and the other way round: a drawn set has as many pictures as the whole."
            )
        assert found == pytest.approx(expected, abs=slack), (
            f"{right} of {pictures} right, level {level}: expected about {percent(expected)}, found {percent(found)}. "
            f"{advice}"
        )


def test_bootstrap_draws_as_many_sets_as_it_is_told() -> None:
    """bootstrap_interval() draws as many sets as `draws` says."""
    right = answers(70, 100)
    found = interval_of(bootstrap_interval, right, draws=1)
    share = pytest.approx(round(100 * found[0]) / 100)
    assert found == (share, share), (
        f"With draws=1 there is one accuracy, of 100 pictures, so both ends of the interval are that. Found {found}."
    )
    ends = {interval_of(bootstrap_interval, right, draws=1, seed=seed)[0] for seed in range(20)}
    assert len(ends) > 3, (
        f"Twenty seeds with draws=1 gave the accuracies {sorted(ends)}: each seed should draw another set, from all "
        "pictures, with replacement."
    )


def test_bootstrap_can_be_repeated() -> None:
    """The same seed gives the same interval, and PyTorch's own random numbers stay as they are."""
    right = answers(430, 500)
    state = torch.get_rng_state()
    first, again, *others = (interval_of(bootstrap_interval, right, draws=99, seed=seed) for seed in (3, 3, 4, 5, 6))
    assert torch.equal(state, torch.get_rng_state()), (
        "bootstrap_interval() has used or set the random numbers that all of PyTorch shares (torch.manual_seed does "
        "that, too). Make a torch.Generator of your own, and give it to torch.randint."
    )
    assert first == again, (
        f"Seed 3 gave {percent(first)} and then {percent(again)}: a figure that nobody can repeat. Take all draws from "
        "one generator with that seed."
    )
    assert any(first != other for other in others), (
        f"Seeds 3 to 6 all gave {percent(first)}. {EARLIER} If they are met: give your generator the seed."
    )


def test_is_better_is_mcnemars_exact_test() -> None:
    """is_better() is McNemar's exact test, on the pictures that only one of the models was right about."""
    for both, only_a, only_b, neither in ((150, 4, 12, 34), (80, 9, 2, 9), (10, 0, 5, 0), (400, 21, 35, 44)):
        found, expected = p_value(*pair(both, only_a, only_b, neither)), mcnemar(only_a, only_b)
        tosses, pictures, fewer = only_a + only_b, both + only_a + only_b + neither, min(only_a, only_b)
        coin = stats.binom(tosses, 0.5)
        totals = [[both + only_a, only_b + neither], [both + only_b, only_a + neither]]
        mistakes = (
            (expected / 2, "That is one side only: had the other been ahead, you would have wondered as much."),
            (1 - expected, "That is 1 minus it: the probability of the opposite."),
            (2 * coin.cdf(fewer - 1), "The result that was found is a part of the tail: at least as uneven."),
            (2 * coin.pmf(fewer), "You count that one result. Those that are more uneven are a part of the tail, too."),
            (coin.pmf(fewer), "You count that one result, on one side. More uneven ones count too, on both sides."),
            (expected - coin.pmf(fewer), "That is the mid-p variant: count the result that was found in full."),
            (2 * coin.sf(fewer - 1), "That is the wrong tail: count from the smaller of the two numbers down to 0."),
            (chi_square(abs(only_a - only_b), tosses), "That is the chi-square approximation: count exactly."),
            (chi_square(abs(only_a - only_b) - 1, tosses), "That is the corrected chi-square: count exactly."),
            (
                stats.binomtest(fewer, pictures).pvalue,
                "You toss for every picture. Those that both had right, or neither, say nothing.",
            ),
            (stats.fisher_exact(totals).pvalue, "That compares the accuracies, as if of different pictures."),
        )
        advice = next(
            (text for value, text in mistakes if found == pytest.approx(min(1.0, value), rel=1e-3)),
            "On paper: five tosses, none of them for A. How many of the 32 ways to fall are as uneven?",
        )
        assert found == pytest.approx(expected, rel=1e-6), (
            f"Of {pictures} pictures, A alone was right about {only_a} and B alone about {only_b}. If each of these "
            f"were a toss of a coin, {tosses} tosses would fall at least as unevenly, to one side or the other, with "
            f"probability {expected:.4g}. Found {found:.4g}. {advice}"
        )


def test_is_better_compares_picture_by_picture() -> None:
    """It compares picture by picture: accuracies alone do not decide."""
    alike, apart = p_value(*pair(172, 0, 8, 20)), p_value(*pair(156, 16, 24, 4))
    expected = mcnemar(0, 8), mcnemar(16, 24)
    assert (alike, apart) == pytest.approx(expected), (
        "Twice, A was right about 172 of 200 pictures and B about 180. Once, B was right wherever A was, and about 8 "
        f"more: p = {expected[0]:.4f}. Once, 16 pictures were right for A alone and 24 for B alone: p = "
        f"{expected[1]:.4f}. Found {alike:.4g} and {apart:.4g}. "
        + (
            "They are the same: do you look only at how many each had right?"
            if alike == pytest.approx(apart)
            else EARLIER
        )
    )


def test_it_does_not_matter_who_is_ahead() -> None:
    """It does not matter which model is ahead, and a draw has the p-value 1."""
    for only_a, only_b in ((3, 9), (17, 16), (0, 1)):
        right_a, right_b = pair(50, only_a, only_b, 10)
        found, exchanged = p_value(right_a, right_b), p_value(right_b, right_a)
        assert found == pytest.approx(exchanged), (
            f"{only_a} pictures for A alone and {only_b} for B alone gave {found:.4g}; with A and B exchanged, "
            f"{exchanged:.4g}. The test is two-sided: start from the smaller of the two numbers."
        )
    for draw in (1, 5, 30):
        found = p_value(*pair(50, draw, draw, 10))
        assert found == 1, (
            f"Pictures for A alone: {draw}; for B alone: {draw}. Nothing could be more even, so the p-value is 1, and "
            f"{found:.4g} was found. "
            + ("Twice the tail counts the middle twice: cut off what is above 1." if found > 1 else EARLIER)
        )


def test_models_that_never_differ_are_equally_good() -> None:
    """Where the models never differ the p-value is 1."""
    for both, neither in ((20, 5), (20, 0), (0, 5)):
        try:
            found = p_value(*pair(both, 0, 0, neither))
        except (ZeroDivisionError, ValueError) as error:
            raise AssertionError(
                f"Two models are right about the same {both} pictures of {both + neither}, and is_better() raises "
                f"{sentence(error)} No tosses are as even as can be: the p-value is 1."
            ) from error
        assert found == 1, (
            f"Two models are right about the same {both} pictures of {both + neither}, so nothing speaks for either. "
            f"Expected 1, found {found}."
        )


def test_large_validation_sets_are_no_problem() -> None:
    """More than a thousand pictures that only one model was right about are no problem."""
    for only_a, only_b in ((520, 600), (800, 700)):
        try:
            found = p_value(*pair(500, only_a, only_b, 500))
        except (OverflowError, RecursionError) as error:
            raise AssertionError(
                f"With {only_a} and {only_b} pictures, is_better() raises {sentence(error)} Python's "
                "whole numbers have no end, but floats do: add up whole numbers first, and divide one whole number by "
                "another at the very end."
            ) from error
        expected = mcnemar(only_a, only_b)
        assert found == pytest.approx(expected, rel=1e-6), (
            f"{only_a} pictures for A alone and {only_b} for B alone: expected {expected:.4g}, found {found:.4g}. "
            f"{EARLIER} If they are met: half to the power of some thousand is 0 to a computer. Add up whole numbers, "
            "and divide one by another at the very end."
        )


def test_different_pictures_are_refused() -> None:
    """Answers about different numbers of pictures are refused with a UserError."""
    for pictures_a, pictures_b in ((10, 12), (10, 1), (0, 3)):
        case = f"is_better() of {pictures_a} and {pictures_b} pictures"
        try:
            found = is_better(answers(1, pictures_a), answers(1, pictures_b))
        except UserError:
            continue
        except NotImplementedError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{case} raises {sentence(error)} A UserError was expected, with a message that says "
                "that both models must be asked about the same pictures."
            ) from error
        raise AssertionError(
            f"{case} gave {found!r}. A UserError was expected: these cannot be the same pictures. (PyTorch stretches a "
            "tensor of one to any length, and does not complain.)"
        )


def test_the_formulas_are_your_own() -> None:
    """The formulas are your own: how_sure.py does without scipy and its like."""
    right = answers(5, 8)
    for call in (accuracy_interval, bootstrap_interval, lambda right: is_better(right, ~right)):
        call(right)
    used = re.findall(
        r"^\s*(?:import|from)\s+(scipy|statsmodels|sklearn)\b", (HERE / "how_sure.py").read_text(encoding="utf-8"), re.M
    )
    assert not used, (
        f"how_sure.py imports {used[0]}, which knows these formulas, and with which your results are compared. Write "
        "them yourself. Of the normal distribution, Python's own `statistics` knows enough; `math` can count."
    )
