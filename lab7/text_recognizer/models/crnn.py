"""A line reader for pictures of any width: convolutions, and LSTMs that read their columns in both directions."""

from torch import Tensor, nn

from lab_kit.checks import check_fraction, check_sizes
from text_recognizer.data_config import DataConfig

SHRINK = 4  # pixels from one column of the feature map to the next
LOWER = 8  # how many times lower the feature map is than the picture


class CRNN(nn.Module):
    """Convolutions shrink the line to columns, and LSTMs read them (Shi, Bai and Yao, arXiv:1507.05717).

    It has no windows: its answer for a column depends on all columns around it. So a line can have any width, and there
    are as many answers as columns.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of the first convolution; the others have twice and four times as many.
        fc_dim: features of a column.
        lstm_dim: neurons of the LSTMs in each direction.
        lstm_layers: how many LSTMs follow each other.
        lstm_dropout: the probability with which dropout sets each output between two LSTMs to zero. It helps little
            where lines are new in every epoch.
    """

    def __init__(
        self,
        data_config: DataConfig,
        conv_dim: int = 16,
        fc_dim: int = 192,
        lstm_dim: int = 160,
        lstm_layers: int = 2,
        lstm_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(conv_dim=conv_dim, fc_dim=fc_dim, lstm_dim=lstm_dim, lstm_layers=lstm_layers)
        check_fraction(lstm_dropout=lstm_dropout)
        channels, height, width = data_config.input_dims
        self.num_windows = width // SHRINK  # of the widest line
        self.convs = nn.Sequential(
            *_block(channels, conv_dim, 5, stride=2, padding=2),
            *_block(conv_dim, 2 * conv_dim, 3, stride=1, padding=1),
            *_block(2 * conv_dim, 2 * conv_dim, 3, stride=2, padding=1),
            *_block(2 * conv_dim, 4 * conv_dim, 3, stride=1, padding=1),
            *_block(4 * conv_dim, 4 * conv_dim, 3, stride=(2, 1), padding=1),
            *_block(4 * conv_dim, fc_dim, (-(-height // LOWER), 3), stride=1, padding=(0, 1)),
        )  # (B, C, H, W) -> (B, fc_dim, 1, W / 4)
        between = lstm_dropout if lstm_layers > 1 else 0.0
        self.lstm = nn.LSTM(fc_dim, lstm_dim, lstm_layers, batch_first=True, dropout=between, bidirectional=True)
        self.fc = nn.Linear(2 * lstm_dim, len(data_config.mapping))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes, W / 4), for any W."""
        x = self.convs(images).squeeze(2).transpose(1, 2)  # (B, W / 4, fc_dim)
        x, _ = self.lstm(x)  # (B, W / 4, 2 * lstm_dim)
        return self.fc(x).transpose(1, 2)


def _block(
    in_channels: int,
    out_channels: int,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int],
    padding: int | tuple[int, int],
) -> list[nn.Module]:
    # No bias: the batch norm behind it subtracts the mean anyway.
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
