"""The LightningModule that trains a line reader with CTC, which does not need the places of characters.

Connectionist temporal classification: Graves, Fernandez, Gomez and Schmidhuber, ICML 2006.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab_kit.errors import UserError
from text_recognizer.data.character_mapping import BLANK, PADDING, SPECIAL_TOKENS
from text_recognizer.data_config import DataConfig
from text_recognizer.lit_models.greedy_decode import greedy_decode
from text_recognizer.lit_models.line import LineLitModel, num_windows


class CTCLitModel(LineLitModel):
    """Train a network to read lines with CTC: each window gives a character or nothing; all ways to the text are right.

    Args:
        model: the network: pictures (B, C, H, W) -> logits (B, classes, S), with S at least the longest text.
        data_config: shapes and classes of the data.
        optimizer: name of a class in torch.optim.
        lr: learning rate.
        loss: `ctc`.
        one_cycle_max_lr: if set, the learning rate rises to this value and falls again over the whole run, batch by
            batch (Smith and Topin, arXiv:1708.07120); `lr` then has no effect.

    Raises:
        UserError: the network has fewer windows than a line has places.
    """

    own_loss: ClassVar[str | None] = "ctc"

    def __init__(
        self,
        model: nn.Module,
        data_config: DataConfig,
        optimizer: str = "Adam",
        lr: float = 1e-3,
        loss: str = "ctc",
        one_cycle_max_lr: float | None = None,
    ) -> None:
        super().__init__(model, data_config, optimizer, lr, "cross_entropy", one_cycle_max_lr)
        mapping, self.windows = data_config.mapping, num_windows(model)
        self.blank, self.padding = mapping.index(BLANK), mapping.index(PADDING)
        special = torch.tensor([mapping.index(token) for token in SPECIAL_TOKENS])
        self.register_buffer("special", special, persistent=False)

    def check_windows(self, model: nn.Module, places: int) -> None:
        """Raise UserError if the network gives fewer answers than a line has labels."""
        windows = num_windows(model)
        if windows < places:
            raise UserError(
                f"The model reads {windows} windows: too few to spell the {places} characters that a line may have. "
                "A network with windows has more of them with a smaller --window_stride."
            )

    def read(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return what was read, by greedy decoding, of (B, classes, S) logits.

        Returns:
            classes (B, S) int64, filled up with padding, where S is the network's `num_windows`, and the geometric
            mean (B,) over the windows of the winning class's probability.
        """
        classes, confidence = super().read(logits)
        text = greedy_decode(classes, self.blank, self.padding)
        missing = self.windows - text.shape[1]  # where lines are of any width
        return functional.pad(text, (0, missing), value=self.padding), confidence

    def line_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean of the CTC loss per character, given logits (B, classes, S) and labels (B, L)."""
        return ctc_loss(logits, labels, self.special, self.blank)

    def _record_accuracy(self, name: str, batch_index: int, logits: Tensor, labels: Tensor) -> None:
        """There is none: windows and labels do not correspond."""


def ctc_loss(logits: Tensor, labels: Tensor, special: Tensor, blank: int) -> Tensor:
    """Return the mean of the CTC loss per character.

    Args:
        logits: (B, classes, S) of S windows.
        labels: (B, L) classes.
        special: (K,) those that are no characters of a text.
        blank: the one that means "no character here".

    Raises:
        UserError: there are too few windows for most lines.
    """
    # In float32, also where the network uses 16 bits: the sum over paths multiplies many small numbers.
    log_probabilities = logits.float().log_softmax(dim=1).permute(2, 0, 1)  # (S, B, classes)
    is_text = ~torch.isin(labels, special)
    lengths = is_text.sum(dim=1).cpu()
    if (lengths > logits.shape[2]).float().mean() > 0.5:
        raise UserError(
            f"The model reads {logits.shape[2]} windows of these lines: too few to spell most of them. It needs "
            "windows that are closer together."
        )
    # The paper to the right of the text is part of the picture, so every window counts, and gives a blank.
    windows = torch.full((len(labels),), logits.shape[2])
    # If a text has so many doubled letters that no path gives it, the loss would be infinite: it becomes zero.
    return functional.ctc_loss(log_probabilities, labels[is_text], windows, lengths, blank, zero_infinity=True)
