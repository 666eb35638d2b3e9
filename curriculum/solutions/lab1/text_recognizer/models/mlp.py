"""The multi-layer perceptron: every pixel to every neuron."""

import math
from itertools import pairwise

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from lab_kit.errors import UserError
from text_recognizer.data_config import DataConfig


class MLP(nn.Module):
    """Flatten the picture, then four linear layers with ReLU and dropout between them.

    Args:
        data_config: shapes and classes of the data.
        fc1: neurons of the first hidden layer.
        fc2: neurons of the second hidden layer.
        fc3: neurons of the third hidden layer.
        dropout: probability with which each output of a hidden layer is set to zero in training.

    Raises:
        UserError: a size below 1, or a dropout outside [0, 1).
    """

    def __init__(
        self, data_config: DataConfig, fc1: int = 1024, fc2: int = 128, fc3: int = 64, dropout: float = 0.2
    ) -> None:
        super().__init__()
        check_sizes(fc1=fc1, fc2=fc2, fc3=fc3)
        if not 0 <= dropout < 1:
            raise UserError(f"dropout must be at least 0 and below 1, not {dropout}.")
        sizes = [math.prod(data_config.input_dims), fc1, fc2, fc3]
        layers = [nn.Flatten()]  # (B, C, H, W) -> (B, C * H * W)
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(fc3, len(data_config.mapping)))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        return self.layers(images)
