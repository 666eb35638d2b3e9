"""A line reader with a bidirectional LSTM on top of the line CNN."""

from torch import Tensor, nn

from lab_kit.checks import check_fraction, check_sizes
from text_recognizer.data_config import DataConfig
from text_recognizer.models.line_cnn import LineCNN


class LineCNNLSTM(nn.Module):
    """The line CNN's features of each window, read from left to right and from right to left.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of the first convolution; the others have twice and four times as many.
        fc_dim: channels after the convolution over the whole window.
        window_width: pixels that a window is wide, at least 19.
        window_stride: pixels from one window to the next, a multiple of 4.
        limit_output_length: read only as many windows as a line has labels, from the left.
        lstm_dim: neurons of the LSTM in each direction.
        lstm_layers: how many LSTMs follow each other.
        lstm_dropout: the probability with which dropout sets each output of the LSTM to zero.
    """

    def __init__(
        self,
        data_config: DataConfig,
        conv_dim: int = 16,
        fc_dim: int = 256,
        window_width: int = 28,
        window_stride: int = 28,
        limit_output_length: bool = False,
        lstm_dim: int = 128,
        lstm_layers: int = 1,
        lstm_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_sizes(lstm_dim=lstm_dim, lstm_layers=lstm_layers)
        check_fraction(lstm_dropout=lstm_dropout)
        self.line_cnn = LineCNN(data_config, conv_dim, fc_dim, window_width, window_stride, limit_output_length)
        self.line_cnn.fc = nn.Identity()  # the LSTM takes features, not logits
        self.num_windows = self.line_cnn.num_windows
        between = lstm_dropout if lstm_layers > 1 else 0.0
        self.lstm = nn.LSTM(fc_dim, lstm_dim, lstm_layers, batch_first=True, dropout=between, bidirectional=True)
        self.dropout = nn.Dropout(lstm_dropout)
        self.fc = nn.Linear(2 * lstm_dim, len(data_config.mapping))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes, S)."""
        x = self.line_cnn.features(images).transpose(1, 2)  # (B, fc_dim, S) -> (B, S, fc_dim)
        x, _ = self.lstm(x)  # (B, S, 2 * lstm_dim)
        return self.fc(self.dropout(x)).transpose(1, 2)
