"""A network of two parts: an encoder, which turns the picture into features, and a decoder, which writes the text."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from lab_kit.errors import UserError
from text_recognizer.data_config import DataConfig
from text_recognizer.models.positions import positions_2d
from text_recognizer.models.text_decoder import TextDecoder


class EncoderDecoder(nn.Module):
    """What line and page readers with attention have in common; they define `features`.

    Args:
        data_config: shapes and classes of the data.
        tf_dim: features of each place of the picture, and of each character.
        tf_fc_dim: neurons between the two linear layers of a decoder's layer.
        tf_dropout: share of the decoder's features that is set to zero in training.
        tf_layers: layers of the decoder.
        tf_nhead: heads of attention.

    Raises:
        UserError: the data is no text, or the sizes do not fit together.
    """

    needs_loss: ClassVar[str] = "transformer"  # a loss for one class a window cannot train it
    one_pass: ClassVar[bool] = False  # it calculates as often as there are characters: no ONNX file holds that

    def __init__(
        self, data_config: DataConfig, tf_dim: int, tf_fc_dim: int, tf_dropout: float, tf_layers: int, tf_nhead: int
    ) -> None:
        super().__init__()
        if len(data_config.output_dims) < 2:
            raise UserError("This model writes text: use it with --data_class EMNISTLines or IAMLines.")
        self.num_windows = data_config.output_dims[0] + 1  # characters, and the end token
        sizes = (tf_dim, tf_nhead, tf_fc_dim, tf_layers, tf_dropout)
        self.norm = nn.LayerNorm(tf_dim)
        self.decoder = TextDecoder(data_config.mapping, self.num_windows, *sizes)
        self.spell = nn.Linear(tf_dim, len(data_config.mapping))  # what a place shows by itself: see `ctc_weight`

    def trim(self, images: Tensor) -> Tensor:
        """Return what is encoded of the pictures (B, C, H, W); once trimmed, they stay as they are."""
        return images

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, tf_dim, rows, columns) of trimmed pictures."""
        raise NotImplementedError

    def encode(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> memory (B, rows, columns, tf_dim): features, which know where they are."""
        x = self.norm(self.features(self.trim(images)).permute(0, 2, 3, 1))
        return x + positions_2d(*x.shape[1:], x.device)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes, num_windows) of the text that is written, as `TextDecoder.write` says."""
        return self.decoder.write(self.encode(images).flatten(1, 2))

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Read pictures, and say where the decoder looked for each character.

        Returns:
            classes (B, num_windows) int64 that were written, and the weights (B, num_windows, rows, columns) of the
            last layer's attention, as a mean over heads.
        """
        memory = self.encode(images)
        places = memory.flatten(1, 2)
        written = self.decoder.write(places).argmax(dim=1)
        tokens = written.roll(1, dims=1)
        tokens[:, 0] = self.decoder.start
        return written, self.decoder.look(tokens, places).unflatten(2, memory.shape[1:3])
