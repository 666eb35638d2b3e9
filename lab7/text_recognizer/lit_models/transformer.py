"""The LightningModules that train networks to write what they see, by teacher forcing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab_kit.checks import check_at_least, check_fraction
from lab_kit.errors import UserError
from lab_kit.plots.attention_plots import Glances, plot_attention
from text_recognizer.data.character_mapping import BLANK, SPECIAL_TOKENS
from text_recognizer.data_config import DataConfig
from text_recognizer.lit_models.ctc import ctc_loss
from text_recognizer.lit_models.line import LineLitModel
from text_recognizer.models.encoder_decoder import EncoderDecoder


class TransformerLitModel(LineLitModel):
    """Train a network that writes lines: given the true text up to a character, it has to say which one comes next.

    To give it the truth, whatever it would have written (teacher forcing), lets all characters of a text be learned at
    once. In validation and test it gets no help, and reads by greedy decoding.

    Args:
        model: the network: an `EncoderDecoder`.
        data_config: shapes and classes of the data.
        optimizer: name of a class in torch.optim.
        lr: learning rate.
        loss: `transformer`.
        one_cycle_max_lr: if set, the learning rate rises to this value and falls again over the whole run, batch by
            batch (Smith and Topin, arXiv:1708.07120); `lr` then has no effect.
        label_smoothing: the share of the target's probability that all classes get alike (arXiv:1512.00567).
        ctc_weight: of the CTC loss that is added, 0 for none. It asks each place of the picture what it shows, so the
            encoder learns letters before the decoder knows where to look (Kim, Hori and Watanabe, arXiv:1609.06773).
        wrong_tokens: the share of characters given in training that are replaced by others: a decoder that cannot
            trust what is written looks at the picture, and one mistake does not lead to the next.

    Raises:
        UserError: the network does not write, or not as much as a line may have; or a number is out of range.
    """

    own_loss: ClassVar[str | None] = "transformer"

    def __init__(
        self,
        model: nn.Module,
        data_config: DataConfig,
        optimizer: str = "Adam",
        lr: float = 1e-3,
        loss: str = "transformer",
        one_cycle_max_lr: float | None = None,
        label_smoothing: float = 0.0,
        ctc_weight: float = 0.5,
        wrong_tokens: float = 0.1,
    ) -> None:
        super().__init__(model, data_config, optimizer, lr, "cross_entropy", one_cycle_max_lr, label_smoothing)
        check_at_least(0, ctc_weight=ctc_weight)
        check_fraction(wrong_tokens=wrong_tokens)
        self.ctc_weight, self.wrong_tokens = ctc_weight, wrong_tokens
        if not ctc_weight:
            model.spell.requires_grad_(False)  # several processes wait for the gradient of all weights that have one
        self.blank = data_config.mapping.index(BLANK)
        special = torch.tensor([data_config.mapping.index(token) for token in SPECIAL_TOKENS])
        self.register_buffer("special", special, persistent=False)

    def check_windows(self, model: nn.Module, places: int) -> None:
        """Raise UserError if the network does not write, or less than a line has labels."""
        if not isinstance(model, EncoderDecoder):
            name = type(model).__name__
            raise UserError(f"{name} does not write: --loss transformer needs a model with a decoder.")
        if model.num_windows <= places:
            raise UserError(
                f"The decoder writes at most {model.num_windows - 1} characters, and the labels have up to {places}."
            )

    def with_teacher(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the decoder is given and what it has to say, shifted by one place.

        Args:
            labels: (B, L) classes; special tokens among them do not count.

        Returns:
            `<B> t e x t` and `t e x t <E>`, filled up with padding, (B, longest text + 1) each.
        """
        decoder, is_text = self.model.decoder, ~torch.isin(labels, self.special)
        lengths = is_text.sum(dim=1)
        order = (~is_text).long().argsort(dim=1, stable=True)  # the text first
        text = labels.gather(1, order)[:, : int(lengths.max())]
        behind = torch.arange(text.shape[1], device=labels.device) >= lengths[:, None]
        text = functional.pad(text.masked_fill(behind, decoder.padding), (1, 1), value=decoder.padding)
        given, wanted = text[:, :-1].clone(), text[:, 1:].clone()
        given[:, 0] = decoder.start
        wanted[torch.arange(len(labels)), lengths] = decoder.end
        return given, wanted

    def text_loss(self, memory: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss per character, given what the encoder says (B, rows, columns, dim) and labels (B, L)."""
        given, wanted = self.with_teacher(labels)
        if self.training and self.wrong_tokens:
            others = torch.randint_like(given, len(SPECIAL_TOKENS), len(self.mapping))
            wrong = torch.rand(given.shape, device=given.device) < self.wrong_tokens
            wrong[:, 0] = False
            given = torch.where(wrong, others, given)
        places = memory.flatten(1, 2)
        logits = self.model.decoder(given, places).float()
        loss = functional.cross_entropy(
            logits, wanted, ignore_index=self.model.decoder.padding, label_smoothing=self.label_smoothing
        )
        if self.ctc_weight:  # of the places in the order of reading: row after row
            spelled = self.model.spell(places).transpose(1, 2)
            loss = loss + self.ctc_weight * ctc_loss(spelled, labels, self.special, self.blank)
        return loss

    def plots(self) -> dict[str, Callable[[Path], None]]:
        """Return what to draw into the run's folder, by file name: where the decoder looked in a test picture."""
        return {"attention.png": partial(plot_attention, self.glances(self.trainer.datamodule.splits["test"]))}

    def glances(self, dataset: torch.utils.data.Dataset, index: int | None = None) -> Glances:
        """Return where the decoder looked in a picture of a dataset; in one from its middle, unless told which."""
        images, _ = dataset.__getitems__([len(dataset) // 2 if index is None else index])
        images = self.model.trim(images.to(self.device, self.dtype))
        written, weights = self.model.eval().look(images)
        names = [self.mapping[k] for k in written[0].tolist()]
        count = names.index(end) + 1 if (end := self.mapping[self.model.decoder.end]) in names else len(names)
        return Glances(images[0, 0].cpu().numpy(), names[:count], weights[0, :count].float().cpu().numpy())

    def _step(self, batch: tuple[Tensor, Tensor], batch_index: int, split: str) -> tuple[Tensor, Tensor | None]:
        """Return the loss and, but in training, the logits (B, classes, S) of what was read without help."""
        images, labels = batch
        memory = self.model.encode(images)
        loss = self.text_loss(memory, labels)
        self._record(f"{split}_loss", batch_index, loss.detach(), len(images))
        if split == "train":
            return loss, None
        logits = self.model.decoder.write(memory.flatten(1, 2))
        self._record_texts(split, batch_index, logits, labels)
        return loss, logits


class ParagraphLitModel(TransformerLitModel):
    """Train a network that writes whole pages, the new-line token included, as `TransformerLitModel` trains on lines.

    The arguments are those of that class.
    """

    task: ClassVar[str] = "paragraph"
