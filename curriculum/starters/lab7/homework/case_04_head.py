"""Case 4. A body that knows pictures, and a new last layer: training changes nothing at all."""

import torch
from torch import nn


def prepare(body: nn.Sequential, classes: int, lr: float) -> tuple[nn.Sequential, torch.optim.Optimizer]:
    """Make a network for new classes out of one that has been trained.

    All layers stay as they are, and are not trained. The last one, a linear layer, is replaced by a new one with
    `classes` outputs, which is trained.

    Returns:
        the network, and an optimizer for what is trained.
    """
    features = body[-1].in_features
    optimizer = torch.optim.SGD(body.parameters(), lr)
    body[-1] = nn.Linear(features, classes)
    for parameter in body.parameters():
        parameter.requires_grad = False
    return body, optimizer
