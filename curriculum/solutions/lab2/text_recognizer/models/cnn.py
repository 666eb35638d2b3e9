"""The convolutional network of the lecture, with residual blocks (He, Zhang, Ren and Sun, arXiv:1512.03385)."""

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from text_recognizer.data_config import DataConfig

DROPOUT = 0.25


class ConvBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, and a way around them: relu(x + f(x)).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the first convolution; 2 halves height and width.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            # No bias: the batch norm behind it subtracts the mean anyway.
            nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.around = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.around = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, ceil(H / stride), ceil(W / stride))."""
        return self.relu(self.around(x) + self.convs(x))


class CNN(nn.Module):
    """Residual blocks, the last of which halves height and width, dropout, two linear layers.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of each convolution.
        fc_dim: neurons of the linear layer before the logits.
        num_blocks: residual blocks, one behind the other.
    """

    def __init__(self, data_config: DataConfig, conv_dim: int = 64, fc_dim: int = 128, num_blocks: int = 2) -> None:
        super().__init__()
        check_sizes(conv_dim=conv_dim, fc_dim=fc_dim, num_blocks=num_blocks)
        channels, height, width = data_config.input_dims
        blocks = []
        for block in range(num_blocks):
            is_last = block == num_blocks - 1
            blocks.append(ConvBlock(channels if block == 0 else conv_dim, conv_dim, stride=2 if is_last else 1))
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(DROPOUT)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(conv_dim * -(-height // 2) * -(-width // 2), fc_dim)  # halves, rounded up
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(fc_dim, len(data_config.mapping))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        x = self.dropout(self.blocks(images))  # (B, conv_dim, H/2, W/2)
        x = self.relu(self.fc1(self.flatten(x)))  # (B, fc_dim)
        return self.fc2(x)
