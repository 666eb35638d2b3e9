"""Case 12. Validation: the figures are better with large batches than with small ones, and differ from run to run."""

from collections.abc import Iterable

from torch import Tensor, nn


def validate(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the share of pictures that are read correctly.

    It only looks: the network is the same afterwards, and is in training mode again if it was before. A picture's
    answer depends on no other picture.

    Args:
        network: images -> logits (B, classes); it may have batch norm and dropout.
        batches: pictures and labels.
    """
    right = count = 0
    for images, labels in batches:
        logits = network(images)
        right += int((logits.argmax(dim=1) == labels).sum())
        count += len(labels)
    return right / count
