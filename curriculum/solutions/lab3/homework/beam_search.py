"""Exercise 1: decode what a CTC network says by prefix beam search."""

import math
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

# Of each prefix, the log-probabilities of its paths that end with a blank, and of those that end with its last class:
# only behind a blank does the same class once more mean a second character.
Beam = dict[tuple[int, ...], tuple[float, float]]


def log_probability(text: list[int], log_probabilities: Tensor, blank: int) -> float:
    """Return the log of the probability that CTC gives a text: the sum over all paths that read as it.

    This one is done for you: it is the CTC loss, with its sign changed.

    Args:
        text: classes, without blanks.
        log_probabilities: (S, C): of each class at each window.
        blank: the class that means "no character here".

    Returns:
        at most 0; minus infinity where no path of S windows reads as the text.
    """
    windows, length = torch.tensor([len(log_probabilities)]), torch.tensor([len(text)])
    targets = torch.tensor([text], dtype=torch.long)
    loss = functional.ctc_loss(log_probabilities[:, None].double(), targets, windows, length, blank, reduction="sum")
    return -loss.item()


def beam_search(log_probabilities: Tensor, blank: int, beam_width: int) -> tuple[list[int], float]:
    """Find a probable text by prefix beam search (Hannun et al., arXiv:1408.2873, algorithm 1, without its words).

    Args:
        log_probabilities: (S, C): of each class at each window.
        blank: the class that means "no character here".
        beam_width: prefixes to keep after each window, at least 1.

    Returns:
        the text, without blanks, and its `log_probability`. It is the most probable one of those left in the beam
        and of the greedy reading: never worse than greedy decoding.
    """
    beam: Beam = {(): (0.0, -math.inf)}
    for window in log_probabilities.tolist():
        longer = advance(beam, window, blank)
        best = sorted(longer, key=lambda prefix, found=longer: add_logs(*found[prefix]), reverse=True)
        beam = {prefix: longer[prefix] for prefix in best[:beam_width]}

    # What the beam knows of a prefix leaves out the paths that were pruned on the way: compare the whole sums.
    greedy = tuple(label for label, _ in groupby(log_probabilities.argmax(dim=1).tolist()) if label != blank)
    scores = {text: log_probability(list(text), log_probabilities, blank) for text in {*beam, greedy}}
    winner = max(scores, key=scores.__getitem__)
    return list(winner), scores[winner]


def advance(beam: Beam, window: list[float], blank: int) -> Beam:
    """Return the prefixes that one more window makes of those in the beam; window: log-probability of each class."""
    found: Beam = {}

    def add(prefix: tuple[int, ...], with_blank: float, with_class: float) -> None:
        old_blank, old_class = found.get(prefix, (-math.inf, -math.inf))
        found[prefix] = add_logs(old_blank, with_blank), add_logs(old_class, with_class)

    for prefix, (with_blank, with_class) in beam.items():
        both = add_logs(with_blank, with_class)
        for label, score in enumerate(window):
            if label == blank:
                add(prefix, both + score, -math.inf)
            elif prefix and label == prefix[-1]:
                add(prefix, -math.inf, with_class + score)  # still the same character
                add((*prefix, label), -math.inf, with_blank + score)  # behind a blank: a second one
            else:
                add((*prefix, label), -math.inf, both + score)
    return found


def add_logs(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b)) without leaving the logs, where nothing is too small to be told from zero."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
