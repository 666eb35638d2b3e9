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
    losses = functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")  # (B, S)
    return losses.mean()


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of characters that are right, of those that are not padding."""
    right = logits.argmax(dim=2) == labels
    return right.float().mean().item()
