"""Case 2. A small network: it learns, but slowly, and the loss of ten classes never falls below 1.46."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Network(nn.Module):
    """Two linear layers.

    Args:
        inputs: features of a picture.
        hidden: neurons between the layers.
        classes: what a picture may show.
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) -> logits (B, classes): cross-entropy makes probabilities of them by itself."""
        x = functional.relu(self.fc1(x))
        return self.fc2(x)


def training_loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of a batch."""
    return functional.cross_entropy(network(images), labels)


def probabilities(network: nn.Module, images: Tensor) -> Tensor:
    """Return how probable each class is, (B, classes): each row adds up to 1."""
    with torch.no_grad():
        return network(images).softmax(dim=1)
