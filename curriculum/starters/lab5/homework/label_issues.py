"""Exercise 1: find the pictures whose labels are probably wrong, by confident learning."""

from collections.abc import Callable

from torch import Tensor

NOWHERE = -1  # in place of a class, for a picture that reaches no threshold


def thresholds(labels: Tensor, probabilities: Tensor) -> Tensor:
    """Return how sure the model is of each class, on average, where the label says that class.

    Args:
        labels: (N,) int64, the given labels: each from 0 to C - 1.
        probabilities: (N, C) of each class.

    Returns:
        (C,): the mean of the class's own probability over the pictures labelled with it; infinity for a class without
        pictures, which nothing can reach.
    """
    raise NotImplementedError("thresholds() in homework/label_issues.py is still a stub: write its body.")


def confident_joint(labels: Tensor, probabilities: Tensor) -> Tensor:
    """Count pictures by given label and probable true label (Northcutt, Jiang and Chuang, arXiv:1911.00068, part 3.1).

    A picture may count for a class where its probability of that class reaches the class's threshold (is not below
    it). It counts once: for the most probable class of those, the first one if two are equally probable. A picture that
    reaches no threshold counts nowhere.

    Args:
        labels: (N,) int64, the given labels: each from 0 to C - 1.
        probabilities: (N, C) of each class.

    Returns:
        (C, C) int64: rows are given labels, columns are probable true labels.
    """
    raise NotImplementedError("confident_joint() in homework/label_issues.py is still a stub: write its body.")


def label_issues(labels: Tensor, probabilities: Tensor) -> Tensor:
    """Find the pictures that `confident_joint` counts for another class than their label's.

    Args:
        labels: (N,) int64, the given labels: each from 0 to C - 1.
        probabilities: (N, C) of each class.

    Returns:
        (M,) int64, their indices, the most suspicious first: those with the lowest margin, which is the probability of
        the label minus that of the class that the picture counts for. With equal margins, the lower index comes first.
    """
    raise NotImplementedError("label_issues() in homework/label_issues.py is still a stub: write its body.")


def out_of_fold(
    features: Tensor,
    labels: Tensor,
    fit_predict: Callable[[Tensor, Tensor, Tensor], Tensor],
    folds: int = 5,
    seed: int = 0,
) -> Tensor:
    """Let each picture be judged by a model that has not seen it.

    The pictures are dealt into folds at random, class by class: of each class, no fold has over one picture more than
    another. For each fold, a model learns from all the other folds, and judges this one.

    Args:
        features: (N, F), what is known of each picture.
        labels: (N,) int64, the given labels.
        fit_predict: trains a new model and asks it: (features (K, F) to learn from, their labels (K,), features (M, F)
            to judge) -> probabilities (M, C).
        folds: how many, at least 2.
        seed: of the dealing. The same seed deals in the same way, and PyTorch's own random numbers stay as they were.

    Returns:
        (N, C): of each picture, in the order of `features`.
    """
    raise NotImplementedError("out_of_fold() in homework/label_issues.py is still a stub: write its body.")
