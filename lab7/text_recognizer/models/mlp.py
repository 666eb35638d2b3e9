"""A multi-layer perceptron: three fully connected layers."""

import math

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from text_recognizer.data_config import DataConfig

DROPOUT = 0.2


class MLP(nn.Module):
    """Flatten the picture, then three linear layers with ReLU and dropout between them.

    Args:
        data_config: shapes and classes of the data.
        fc1: neurons of the first hidden layer.
        fc2: neurons of the second hidden layer.
    """

    def __init__(self, data_config: DataConfig, fc1: int = 1024, fc2: int = 128) -> None:
        super().__init__()
        check_sizes(fc1=fc1, fc2=fc2)
        self.layers = nn.Sequential(
            nn.Flatten(),  # (B, C, H, W) -> (B, C * H * W)
            nn.Linear(math.prod(data_config.input_dims), fc1),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(fc1, fc2),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(fc2, len(data_config.mapping)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        return self.layers(images)
