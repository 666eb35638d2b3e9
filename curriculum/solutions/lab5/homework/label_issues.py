"""Exercise 1: find the pictures whose labels are probably wrong, by confident learning."""

from collections.abc import Callable

import torch
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
    means = torch.full(probabilities.shape[1:], torch.inf, dtype=probabilities.dtype)
    for label in labels.unique().tolist():
        means[label] = probabilities[labels == label, label].mean()
    return means


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
    classes = probabilities.shape[1]
    found = _probable_labels(labels, probabilities)
    counted = found != NOWHERE
    places = labels[counted] * classes + found[counted]
    return torch.bincount(places, minlength=classes**2).view(classes, classes)


def label_issues(labels: Tensor, probabilities: Tensor) -> Tensor:
    """Find the pictures that `confident_joint` counts for another class than their label's.

    Args:
        labels: (N,) int64, the given labels: each from 0 to C - 1.
        probabilities: (N, C) of each class.

    Returns:
        (M,) int64, their indices, the most suspicious first: those with the lowest margin, which is the probability of
        the label minus that of the class that the picture counts for. With equal margins, the lower index comes first.
    """
    found = _probable_labels(labels, probabilities)
    issues = ((found != NOWHERE) & (found != labels)).nonzero().flatten()
    margins = probabilities[issues, labels[issues]] - probabilities[issues, found[issues]]
    return issues[margins.argsort(stable=True)]


def _probable_labels(labels: Tensor, probabilities: Tensor) -> Tensor:
    """Return (N,) int64: the class that each picture counts for, or NOWHERE."""
    reached = probabilities >= thresholds(labels, probabilities)
    best = probabilities.masked_fill(~reached, -1.0).argmax(dim=1)
    return best.masked_fill(~reached.any(dim=1), NOWHERE)


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
    fold_of = torch.empty_like(labels)
    generator = torch.Generator().manual_seed(seed)
    for label in labels.unique():
        places = (labels == label).nonzero().flatten()
        shuffled = places[torch.randperm(len(places), generator=generator)]
        fold_of[shuffled] = torch.arange(len(places)) % folds
    judged, answers = [], []
    for fold in range(folds):
        left_out = fold_of == fold
        judged.append(left_out.nonzero().flatten())
        answers.append(fit_predict(features[~left_out], labels[~left_out], features[left_out]))
    return torch.cat(answers)[torch.cat(judged).argsort()]
