"""Case 11. Texts of different lengths: the loss is wonderfully low, and the network has learned to write nothing."""

from torch import Tensor
from torch.nn import functional

PADDING = 0  # the class of a place behind the end of a text


def text_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss over all characters of a batch. Padding is no character.

    Args:
        logits: (B, S, classes).
        labels: (B, S), texts that are filled up with PADDING.
    """
    return functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=PADDING)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of characters that are right, of those that are not padding."""
    counts = labels != PADDING
    right = (logits.argmax(dim=2) == labels) & counts
    return (right.sum() / counts.sum()).item()
