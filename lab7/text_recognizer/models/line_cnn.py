"""A convolutional line reader that computes all windows at once."""

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from lab_kit.errors import UserError
from text_recognizer.data_config import DataConfig
from text_recognizer.models.sliding_windows import count_windows

SHRINK = 4  # pixels from one column of the last feature map to the next
NARROWEST = 19  # pixels of a window from which the four convolutions leave one column
DROPOUT = 0.2


class LineCNN(nn.Module):
    """Four convolutions over the whole line, then one as high as the line and as wide as a window.

    The network's answer for a window depends on the pixels of that window only, as if it read each window alone: the
    convolutions have no padding at the left and right. But where windows overlap, their features are calculated once.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of the first convolution; the others have twice and four times as many.
        fc_dim: channels after the convolution over the whole window.
        window_width: pixels that a window is wide, at least 19.
        window_stride: pixels from one window to the next, a multiple of 4.
        limit_output_length: read only as many windows as a line has labels, from the left.
    """

    def __init__(
        self,
        data_config: DataConfig,
        conv_dim: int = 16,
        fc_dim: int = 256,
        window_width: int = 28,
        window_stride: int = 28,
        limit_output_length: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(conv_dim=conv_dim, fc_dim=fc_dim)
        self.num_windows = count_windows(data_config, window_width, window_stride, limit_output_length)
        if window_stride % SHRINK:
            raise UserError(f"window_stride must be a multiple of {SHRINK} for this model, not {window_stride}.")
        if window_width < NARROWEST:
            raise UserError(f"window_width must be at least {NARROWEST} for this model, not {window_width}.")
        channels, height, _ = data_config.input_dims
        self.convs = nn.Sequential(
            *_block(channels, conv_dim, (3, 3), stride=(2, 2), padding=(1, 0)),
            *_block(conv_dim, 2 * conv_dim, (3, 3), stride=(1, 1), padding=(1, 0)),
            *_block(2 * conv_dim, 4 * conv_dim, (3, 3), stride=(2, 2), padding=(1, 0)),
            *_block(4 * conv_dim, 4 * conv_dim, (3, 3), stride=(1, 1), padding=(1, 0)),
        )  # (B, C, H, W) -> (B, 4 conv_dim, H / 4, about W / 4)
        columns = (((window_width - 3) // 2 - 1) - 3) // 2 - 1  # of the feature map, for one window
        self.window = nn.Sequential(
            *_block(4 * conv_dim, fc_dim, (-(-height // SHRINK), columns), stride=(1, window_stride // SHRINK)),
            nn.Flatten(2),  # (B, fc_dim, 1, S) -> (B, fc_dim, S)
            nn.Dropout1d(DROPOUT),  # it drops whole channels of a line, which needs a hundredth of the random numbers
        )
        self.fc = nn.Conv1d(fc_dim, len(data_config.mapping), kernel_size=1)  # a linear layer at each window

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, fc_dim, S)."""
        return self.window(self.convs(images))[:, :, : self.num_windows]

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes, S)."""
        return self.fc(self.features(images))


def _block(
    in_channels: int,
    out_channels: int,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int] = (0, 0),
) -> list[nn.Module]:
    # No bias: the batch norm behind it subtracts the mean anyway.
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]
