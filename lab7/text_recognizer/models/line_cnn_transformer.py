"""A line reader that writes: convolutions turn the line into columns, and a decoder looks at them."""

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from lab_kit.errors import UserError
from text_recognizer.data_config import DataConfig
from text_recognizer.models.encoder_decoder import EncoderDecoder

LOWER = 8  # how many times lower the feature map is than the picture, before its last convolution


class LineCNNTransformer(EncoderDecoder):
    """A line CNN's columns, 4 pixels apart, and a decoder that writes one character after the other.

    A line may be of any width.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of the first convolution; the others have twice and four times as many.
        tf_dim: features of each column, and of each character.
        tf_fc_dim: neurons between the two linear layers of a decoder's layer.
        tf_dropout: share of the decoder's features that is set to zero in training.
        tf_layers: layers of the decoder.
        tf_nhead: heads of attention.

    Raises:
        UserError: the data is not lines, or the sizes do not fit together.
    """

    def __init__(
        self,
        data_config: DataConfig,
        conv_dim: int = 16,
        tf_dim: int = 192,
        tf_fc_dim: int = 512,
        tf_dropout: float = 0.1,
        tf_layers: int = 3,
        tf_nhead: int = 4,
    ) -> None:
        if "\n" in data_config.mapping:
            raise UserError("LineCNNTransformer reads single lines: use --model_class ResNetTransformer for pages.")
        super().__init__(data_config, tf_dim, tf_fc_dim, tf_dropout, tf_layers, tf_nhead)
        check_sizes(conv_dim=conv_dim)
        channels, height, _ = data_config.input_dims
        self.convs = nn.Sequential(
            *_block(channels, conv_dim, 5, stride=2, padding=2),
            *_block(conv_dim, 2 * conv_dim, 3, stride=1, padding=1),
            *_block(2 * conv_dim, 2 * conv_dim, 3, stride=2, padding=1),
            *_block(2 * conv_dim, 4 * conv_dim, 3, stride=1, padding=1),
            *_block(4 * conv_dim, 4 * conv_dim, 3, stride=(2, 1), padding=1),
            *_block(4 * conv_dim, tf_dim, (-(-height // LOWER), 3), stride=1, padding=(0, 1)),
            # Wide ones over columns alone: what a column shows depends on its neighbours.
            *_block(tf_dim, tf_dim, (1, 5), stride=1, padding=(0, 2)),
            nn.Conv2d(tf_dim, tf_dim, (1, 5), stride=1, padding=(0, 2)),
        )

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, tf_dim, 1, W / 4), for any W."""
        return self.convs(images)


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
