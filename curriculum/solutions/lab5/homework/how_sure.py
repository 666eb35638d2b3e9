"""Exercise 2: how sure is "86%", and is the new model better than the old one?"""

import math
from statistics import NormalDist

import torch
from torch import Tensor

from lab_kit.errors import UserError


def accuracy_interval(right: Tensor, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for the accuracy on all the pictures there might have been (Wilson, 1927).

    Args:
        right: (N,) bool: whether the model was right about each picture.
        level: how often such an interval should hold the truth, as a fraction.

    Returns:
        its lower and upper end, fractions from 0 to 1.

    Raises:
        UserError: there are no pictures, or the level is not between 0 and 1.
    """
    _check(right, level)
    count, share = len(right), right.double().mean().item()
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = share + z**2 / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    shrunk = 1 + z**2 / count
    return max(0.0, (middle - reach) / shrunk), min(1.0, (middle + reach) / shrunk)


def bootstrap_interval(right: Tensor, level: float = 0.95, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the percentile bootstrap interval for the accuracy (Efron, 1979).

    Args:
        right: (N,) bool: whether the model was right about each picture.
        level: how much of the drawn accuracies the interval holds, as a fraction: the same share is cut off on both
            sides.
        draws: how many validation sets of N pictures to draw, with replacement, from the N that there are.
        seed: of the draws. The same seed gives the same interval, and PyTorch's own random numbers stay as they were.

    Returns:
        its lower and upper end, fractions from 0 to 1.

    Raises:
        UserError: there are no pictures, or the level is not between 0 and 1.
    """
    _check(right, level)
    generator = torch.Generator().manual_seed(seed)
    values = right.double()
    accuracies = torch.stack(
        [values[torch.randint(len(right), (len(right),), generator=generator)].mean() for _ in range(draws)]
    )
    tail = (1 - level) / 2
    low, high = accuracies.quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


def is_better(right_a: Tensor, right_b: Tensor) -> float:
    """Return the p-value of McNemar's exact test: how often two equally good models differ as much as these, by chance.

    Only the pictures count that one model was right about and the other was not. If neither model is better, each of
    these is a toss of a coin. The test is two-sided: it does not matter which of the two is ahead.

    Args:
        right_a: (N,) bool: whether one model was right about each picture.
        right_b: (N,) bool: whether the other was, about the same pictures in the same order.

    Returns:
        from 0 to 1: the probability that so many tosses fall at least as unevenly; 1 where there is no such picture.

    Raises:
        UserError: the models were asked about different numbers of pictures.
    """
    if len(right_a) != len(right_b):
        raise UserError(f"Both models must judge the same pictures, not {len(right_a)} and {len(right_b)}.")
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    tosses = only_a + only_b
    tail = sum(math.comb(tosses, heads) for heads in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * tail / 2**tosses)  # of whole numbers, however large: floats would overflow


def _check(right: Tensor, level: float) -> None:
    if len(right) == 0:
        raise UserError("An accuracy needs at least one picture.")
    if not 0 < level < 1:
        raise UserError(f"level must be between 0 and 1, not {level}.")
