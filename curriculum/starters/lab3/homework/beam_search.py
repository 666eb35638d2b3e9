"""Exercise 1: decode what a CTC network says by prefix beam search."""

import torch
from torch import Tensor
from torch.nn import functional


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
    raise NotImplementedError("beam_search() in homework/beam_search.py is still a stub: write its body.")
