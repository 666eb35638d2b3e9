"""A convolutional network, much like LeNet (LeCun et al., 1998)."""

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from text_recognizer.data_config import DataConfig

DROPOUT = 0.25


class ConvBlock(nn.Module):
    """A 3x3 convolution that keeps height and width, then ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        return self.relu(self.conv(x))


class CNN(nn.Module):
    """Two convolution blocks, max-pooling, dropout, two linear layers.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of each convolution.
        fc_dim: neurons of the linear layer before the logits.
    """

    def __init__(self, data_config: DataConfig, conv_dim: int = 64, fc_dim: int = 128) -> None:
        super().__init__()
        check_sizes(conv_dim=conv_dim, fc_dim=fc_dim)
        channels, height, width = data_config.input_dims
        self.conv1 = ConvBlock(channels, conv_dim)
        self.conv2 = ConvBlock(conv_dim, conv_dim)
        self.max_pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(DROPOUT)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(conv_dim * (height // 2) * (width // 2), fc_dim)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(fc_dim, len(data_config.mapping))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        x = self.conv2(self.conv1(images))  # (B, conv_dim, H, W)
        x = self.dropout(self.max_pool(x))  # (B, conv_dim, H/2, W/2)
        x = self.relu(self.fc1(self.flatten(x)))  # (B, fc_dim)
        return self.fc2(x)
