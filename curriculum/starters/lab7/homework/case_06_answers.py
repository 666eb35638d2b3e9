"""Case 6. A network in use: the same picture gets a different answer every time."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Reader(nn.Module):
    """Two linear layers, with dropout between them in training.

    Args:
        inputs: features of a picture.
        hidden: neurons between the layers.
        classes: what a picture may show.
        dropout: the share of neurons that is set to zero in training.
    """

    def __init__(self, inputs: int, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, classes)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) -> logits (B, classes)."""
        x = functional.relu(self.fc1(x))
        return self.fc2(functional.dropout(x, self.dropout))


@torch.no_grad()
def answer(reader: Reader, images: Tensor) -> Tensor:
    """Return the most probable class of each picture, (B,)."""
    reader.eval()
    return reader(images).argmax(dim=1)
