"""A line reader that slides a character CNN along the line."""

from dataclasses import replace

from torch import Tensor, nn

from text_recognizer.data_config import DataConfig
from text_recognizer.models.cnn import CNN
from text_recognizer.models.sliding_windows import count_windows


class LineCNNSimple(nn.Module):
    """Cut the line into windows, and let the character CNN read each by itself.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of each convolution.
        fc_dim: neurons of the linear layer before the logits.
        window_width: pixels that a window is wide.
        window_stride: pixels from one window to the next.
        limit_output_length: read only as many windows as a line has labels, from the left.
    """

    def __init__(
        self,
        data_config: DataConfig,
        conv_dim: int = 16,
        fc_dim: int = 128,
        window_width: int = 28,
        window_stride: int = 28,
        limit_output_length: bool = False,
    ) -> None:
        super().__init__()
        self.num_windows = count_windows(data_config, window_width, window_stride, limit_output_length)
        self.window_width, self.window_stride = window_width, window_stride
        channels, height, _ = data_config.input_dims
        self.cnn = CNN(replace(data_config, input_dims=(channels, height, window_width)), conv_dim, fc_dim)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes, S)."""
        windows = images.unfold(3, self.window_width, self.window_stride)  # (B, C, H, S, window_width)
        windows = windows[:, :, :, : self.num_windows].permute(0, 3, 1, 2, 4)  # (B, S, C, H, window_width)
        logits = self.cnn(windows.flatten(0, 1))  # (B * S, classes)
        return logits.unflatten(0, (len(images), self.num_windows)).transpose(1, 2)
