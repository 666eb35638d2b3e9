"""Exercise 2: how sure is 86%, and is the new model better? (checks that were not handed out)"""

import pytest
import torch
from how_sure import accuracy_interval, bootstrap_interval, is_better
from scipy import stats
from torch import Tensor

from lab_kit.errors import UserError, sentence


def answers(right: int, pictures: int) -> Tensor:
    """Return which pictures a model was right about: so many, anywhere among them."""
    return torch.randperm(pictures) < right


def pair(both: int, only_a: int, only_b: int, neither: int) -> tuple[Tensor, Tensor]:
    """Return which pictures two models were right about, (N,) each."""
    rows = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b + [(False, False)] * neither
    right_a, right_b = torch.tensor(rows)[torch.randperm(len(rows))].T
    return right_a, right_b


def percent(interval: tuple[float, float]) -> str:
    return " to ".join(f"{end:.2%}" for end in interval)


def test_sure_at_any_level() -> None:
    """accuracy_interval() is Wilson's interval at any level, and for any number of pictures."""
    for right, pictures, level in ((61, 90, 0.68), (2, 3, 0.8), (999, 1000, 0.999), (17, 41, 0.95), (5, 5, 0.3)):
        found = accuracy_interval(answers(right, pictures), level)
        expected = tuple(stats.binomtest(right, pictures).proportion_ci(level, "wilson"))
        assert tuple(found) == pytest.approx(expected, abs=1e-6), (
            f"{right} of {pictures} right, level {level}: expected {percent(expected)}, found {percent(found)}. Let z "
            "depend on the level: statistics.NormalDist knows it for each."
        )


def test_sure_by_drawing_at_any_level() -> None:
    """bootstrap_interval() holds the share of the drawn accuracies that the level says, on both sides alike."""
    for right, pictures, level in ((11, 37, 0.9), (200, 250, 0.5), (940, 1000, 0.68)):
        found = bootstrap_interval(answers(right, pictures), level, draws=3000, seed=8)
        drawn = stats.binom(pictures, right / pictures)  # so often is a picture right in a drawn set
        expected = tuple(drawn.ppf([(1 - level) / 2, (1 + level) / 2]) / pictures)
        slack = max(1.01 / pictures, 0.2 * drawn.std() / pictures)
        assert tuple(found) == pytest.approx(expected, abs=slack), (
            f"{right} of {pictures} right, level {level}: expected about {percent(expected)}, found {percent(found)}. "
            "Draw sets of as many pictures as there are, with replacement, and cut off the same share on both sides."
        )
    for right, end in ((25, 1.0), (0, 0.0)):
        found = tuple(bootstrap_interval(answers(right, 25), 0.9, draws=50))
        assert found == pytest.approx((end, end)), f"{right} of 25 right: expected {end} to {end}, found {found}."


def test_sure_that_one_is_better_with_other_numbers() -> None:
    """is_better() is McNemar's exact test for few and for many pictures, in both directions."""
    for both, only_a, only_b, neither in (
        (7, 0, 1, 2),
        (30, 7, 0, 3),
        (90, 33, 12, 65),
        (5, 1, 2, 0),
        (9, 900, 1000, 9),
    ):
        right_a, right_b = pair(both, only_a, only_b, neither)
        expected = stats.binomtest(only_a, only_a + only_b).pvalue
        for name, found in (("A, B", is_better(right_a, right_b)), ("B, A", is_better(right_b, right_a))):
            assert found == pytest.approx(expected, rel=1e-6), (
                f"A alone was right about {only_a} pictures, and B alone about {only_b}, of {len(right_a)}. Expected "
                f"p = {expected:.4g}; is_better({name}) gave {found:.4g}. Only these pictures count: how often do as "
                "many coins fall at least as unevenly, to one side or the other?"
            )


def test_sure_of_nothing_is_refused() -> None:
    """No pictures, levels that are none, and answers about different pictures end with a UserError; others do not."""
    some, none = answers(3, 6), answers(0, 0)
    for case, call in (
        ("accuracy_interval() of no pictures", lambda: accuracy_interval(none, 0.5)),
        ("accuracy_interval() with level=1.0001", lambda: accuracy_interval(some, 1.0001)),
        ("bootstrap_interval() of no pictures", lambda: bootstrap_interval(none, 0.5, 10)),
        ("bootstrap_interval() with level=-3", lambda: bootstrap_interval(some, -3.0)),
        ("bootstrap_interval() with level=2", lambda: bootstrap_interval(some, 2.0)),
        ("is_better() of 6 and 7 pictures", lambda: is_better(some, answers(3, 7))),
        ("is_better() of 6 pictures and none", lambda: is_better(some, none)),
    ):
        try:
            found = call()
        except UserError:
            continue
        except NotImplementedError:
            raise
        except Exception as error:
            raise AssertionError(f"{case} raises {sentence(error)} A UserError was expected.") from error
        raise AssertionError(f"{case} gave {found!r}. A UserError was expected, for there is no right answer.")
    for level in (0.001, 0.9999):
        for function in (accuracy_interval, bootstrap_interval):
            try:
                low, high = function(some, level)
            except UserError as error:
                raise AssertionError(f"{function.__name__}() refuses level={level}, which is one: {error}") from error
            assert 0 <= low <= high <= 1, f"{function.__name__}() with level={level} gave {low} to {high}."
