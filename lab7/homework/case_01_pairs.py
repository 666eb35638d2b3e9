"""Case 1. Shuffled batches: the loss stays where it began, at the logarithm of the number of classes."""

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(images: Tensor, labels: Tensor, batch_size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Go through a dataset once, in random order.

    Args:
        images: (N, ...).
        labels: (N,), the class of each picture.
        batch_size: pictures in a batch; the last batch may have fewer.
        seed: of the order.

    Yields:
        pictures and their labels.
    """
    random = torch.Generator().manual_seed(seed)
    images = images[torch.randperm(len(images), generator=random)]
    labels = labels[torch.randperm(len(labels), generator=random)]
    yield from zip(images.split(batch_size), labels.split(batch_size), strict=True)
