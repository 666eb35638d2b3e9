"""A small convolutional network that trains fast: its large layers see small pictures only."""

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from text_recognizer.data_config import DataConfig


class FastCNN(nn.Module):
    """Three convolutions, each twice as wide as the one before, on pictures of half the height and width.

    In `CNN` the second convolution takes most of the time, with all its channels on 28x28 pixels. Here the first one
    has a stride of 2, and max-pooling comes before batch norm and ReLU, which then have a quarter of the work.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of the first convolution.
    """

    def __init__(self, data_config: DataConfig, conv_dim: int = 16) -> None:
        super().__init__()
        check_sizes(conv_dim=conv_dim)
        channels, height, width = data_config.input_dims
        self.conv1 = nn.Conv2d(channels, conv_dim, kernel_size=5, stride=2, padding=2, bias=False)
        self.norm1 = nn.BatchNorm2d(conv_dim)
        self.conv2 = nn.Conv2d(conv_dim, 2 * conv_dim, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(2 * conv_dim)
        self.conv3 = nn.Conv2d(2 * conv_dim, 4 * conv_dim, kernel_size=3, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(4 * conv_dim)
        self.max_pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        half_height, half_width = -(-height // 2), -(-width // 2)
        self.fc = nn.Linear(4 * conv_dim * (half_height // 4) * (half_width // 4), len(data_config.mapping))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        x = self.relu(self.norm1(self.conv1(images)))  # (B, conv_dim, H/2, W/2)
        x = self.relu(self.norm2(self.max_pool(self.conv2(x))))  # (B, 2 * conv_dim, H/4, W/4)
        x = self.relu(self.norm3(self.max_pool(self.conv3(x))))  # (B, 4 * conv_dim, H/8, W/8)
        return self.fc(self.flatten(x))
