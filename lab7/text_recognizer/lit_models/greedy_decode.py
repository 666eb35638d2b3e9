"""Greedy CTC decoding: from the most probable class of each window to a text."""

import torch
from torch import Tensor


def greedy_decode(classes: Tensor, blank: int, padding: int) -> Tensor:
    """Read the best path: of equal neighbours only the first counts, and blanks do not count.

    It works on all lines at once, on their device. A class that counts goes to the place that is the number of such
    classes before it.

    Args:
        classes: (B, S) int64, the most probable class of each window.
        blank: the class that means "no character here".
        padding: the class to fill up with.

    Returns:
        (B, S) int64: the classes read, then padding.
    """
    counts = classes != blank
    counts[:, 1:] &= classes[:, 1:] != classes[:, :-1]
    place = counts.cumsum(dim=1) - 1
    decoded = torch.full((len(classes), classes.shape[1] + 1), padding, dtype=classes.dtype, device=classes.device)
    # What does not count goes to a place behind the line, which is then cut off.
    decoded.scatter_(1, place.masked_fill_(~counts, classes.shape[1]), classes)
    return decoded[:, :-1]
