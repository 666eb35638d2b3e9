"""Exercise 2: how sure is "86%", and is the new model better than the old one?"""

from torch import Tensor


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
    raise NotImplementedError("accuracy_interval() in homework/how_sure.py is still a stub: write its body.")


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
    raise NotImplementedError("bootstrap_interval() in homework/how_sure.py is still a stub: write its body.")


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
    raise NotImplementedError("is_better() in homework/how_sure.py is still a stub: write its body.")
