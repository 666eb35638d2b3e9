"""A page reader: a residual network turns the page into a grid of features, and a decoder writes line after line.

Singh and Karayev, Full page handwriting recognition via image to sequence extraction, arXiv:2103.06450.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab_kit.checks import check_sizes
from text_recognizer.data_config import DataConfig
from text_recognizer.models.encoder_decoder import EncoderDecoder
from text_recognizer.models.resnet import ResidualBlock

LOWER, NARROWER = 32, 8  # how many times lower and narrower the grid of features is than the page
INK = 0.2  # of full ink: what is darker is writing
MARGIN = 16  # pixels of paper that stay around it


class ResNetTransformer(EncoderDecoder):
    """Residual blocks, down to a place for each 32 x 8 pixels, and a decoder that looks at all of them.

    Lines stand farther apart than letters do, so there are fewer rows than columns (as in Coquenet and others, SPAN,
    arXiv:2102.08742). Nobody cuts the page into lines: where the next one begins, the decoder learns.

    Args:
        data_config: shapes and classes of the data.
        conv_dim: channels of the first convolution; the residual blocks have twice, four and eight times as many.
        tf_dim: features of each place of the page, and of each character.
        tf_fc_dim: neurons between the two linear layers of a decoder's layer.
        tf_dropout: share of the decoder's features that is set to zero in training.
        tf_layers: layers of the decoder.
        tf_nhead: heads of attention.

    Raises:
        UserError: the data is not lines or pages, or the sizes do not fit together.
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
        super().__init__(data_config, tf_dim, tf_fc_dim, tf_dropout, tf_layers, tf_nhead)
        check_sizes(conv_dim=conv_dim)
        # What halves the page is a convolution: PyTorch 2.15 writes beyond its memory in a residual block's way around
        # with a stride, for some numbers of channels side by side (`channels_last`).
        self.blocks = nn.Sequential(
            *_shrink(data_config.input_dims[0], conv_dim, 5, stride=2),  # H / 2, W / 2
            *_shrink(conv_dim, 2 * conv_dim, 3, stride=2),  # H / 4, W / 4
            *_shrink(2 * conv_dim, 4 * conv_dim, 3, stride=2),  # H / 8, W / 8
            ResidualBlock(4 * conv_dim, 4 * conv_dim),
            *_shrink(4 * conv_dim, 8 * conv_dim, 3, stride=(2, 1)),  # H / 16, W / 8
            *_shrink(8 * conv_dim, 8 * conv_dim, 3, stride=(2, 1)),  # H / 32, W / 8
            ResidualBlock(8 * conv_dim, 8 * conv_dim),
            nn.Conv2d(8 * conv_dim, tf_dim, (1, 5), padding=(0, 2)),
        )

    def trim(self, images: Tensor) -> Tensor:
        """Cut off the paper around the writing, but on the left: it costs time, and the first line is then at the top.

        Returns:
            (B, C, h, w): multiples of 32 and 8, enough for the highest and for the widest text among these pages.
        """
        inked = images.amax(dim=1) > INK  # (B, H, W)
        rows, columns = inked.any(dim=2), inked.any(dim=1)
        places = torch.arange(rows.shape[1], device=images.device)
        first = torch.where(rows, places, len(places)).amin(dim=1)
        last = torch.where(rows, places, 0).amax(dim=1)
        height = _up_to(LOWER, int((last - first).clamp(min=0).max()) + 1 + 2 * MARGIN)
        across = columns.any(dim=0).nonzero()
        width = min(_up_to(NARROWER, int(across.max()) + 1 + MARGIN if len(across) else 1), images.shape[3])
        first = first.where(rows.any(dim=1), 0)
        kept = first[:, None] + torch.arange(height, device=images.device)  # (B, h), of the padded pages
        padded = functional.pad(images[..., :width], (0, 0, MARGIN, height))
        return padded.gather(2, kept[:, None, :, None].expand(-1, images.shape[1], -1, width))

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, tf_dim, H / 32, W / 8) of trimmed pages."""
        return self.blocks(images)


def _up_to(multiple: int, size: int) -> int:
    return -(-size // multiple) * multiple


def _shrink(in_channels: int, out_channels: int, kernel_size: int, stride: int | tuple[int, int]) -> list[nn.Module]:
    # No bias: the batch norm behind it subtracts the mean anyway.
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
