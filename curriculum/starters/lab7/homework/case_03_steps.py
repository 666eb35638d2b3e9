"""Case 3. A training loop: the first steps look good, then the loss jumps up and down, whatever the learning rate."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional


def train(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], lr: float) -> list[float]:
    """Train with plain gradient descent: at each step, each weight goes down its gradient for this batch, times `lr`.

    Returns:
        the loss of each batch, before its step.
    """
    optimizer = torch.optim.SGD(network.parameters(), lr)
    losses = []
    for images, labels in batches:
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
