"""The LightningModule that trains a line reader with one class for each place of the line."""

from typing import ClassVar

from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor, nn
from torchmetrics.text import CharErrorRate

from lab_kit.errors import UserError
from text_recognizer.data.character_mapping import MAPPING, decode
from text_recognizer.data_config import DataConfig
from text_recognizer.lit_models.base import BaseLitModel

SHOWN = 8  # validation lines written to TensorBoard after each epoch


class LineLitModel(BaseLitModel):
    """Train a network to read lines whose labels stand at known places: window k shows character k.

    Beside the accuracy over all places, padding included, it reports the character error rate: edits needed to turn
    what was read into the true text, per true character.

    Args:
        model: the network: pictures (B, C, H, W) -> logits (B, classes, S); S is its `num_windows`.
        data_config: shapes and classes of the data.
        optimizer: name of a class in torch.optim.
        lr: learning rate.
        loss: name of a loss in torch.nn.functional; or `ctc`, which needs no known places.
        one_cycle_max_lr: if set, the learning rate rises to this value and falls again over the whole run, batch by
            batch (Smith and Topin, arXiv:1708.07120); `lr` then has no effect.
        label_smoothing: the share of the target's probability that all classes get alike (arXiv:1512.00567).

    Raises:
        UserError: the network's outputs do not fit the labels.
    """

    task: ClassVar[str] = "line"

    def __init__(
        self,
        model: nn.Module,
        data_config: DataConfig,
        optimizer: str = "Adam",
        lr: float = 1e-3,
        loss: str = "cross_entropy",
        one_cycle_max_lr: float | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(model, data_config, optimizer, lr, loss, one_cycle_max_lr, label_smoothing)
        self.mapping = data_config.mapping
        needed = getattr(model, "needs_loss", None)  # of a network that learns in a way of its own
        if needed not in (None, self.own_loss):
            raise UserError(f"{type(model).__name__} learns with --loss {needed} alone.")
        self.check_windows(model, data_config.output_dims[0])
        self.val_cer, self.test_cer = CharErrorRate(), CharErrorRate()
        self._shown: list[tuple[str, str]] = []

    def check_windows(self, model: nn.Module, places: int) -> None:
        """Raise UserError unless the network gives as many answers as a line has labels."""
        windows = num_windows(model)
        if windows != places:
            if windows < places:
                advice = "a smaller --window_stride makes more of them."
            else:
                advice = (
                    "a larger --window_stride makes fewer of them, and --limit_output_length reads only the first "
                    f"{places}, and nothing to the right of them."
                )
            raise UserError(
                f"The model reads {windows} windows, but a line has {places} labels. --loss ctc needs no match. "
                f"Without it, {advice}"
            )

    def read(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return what was read of (B, classes, S) logits.

        Returns:
            classes (B, S) int64, and the geometric mean (B,) over the windows of the winning class's probability.
        """
        log_probability, predicted = logits.float().log_softmax(dim=1).max(dim=1)
        return predicted, log_probability.mean(dim=1).exp()

    def line_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over all places, given logits (B, classes, S) and labels (B, S)."""
        return self.loss(logits.transpose(1, 2).flatten(0, 1), labels.flatten())

    def on_validation_epoch_end(self) -> None:
        """Write what was read of the first validation lines, beside the truth, to TensorBoard."""
        rows = [f"| `{true}` | `{read}` |" for true, read in self._shown]
        text = "\n".join(["| true | read |", "| --- | --- |", *rows])
        for logger in self.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_text("validation lines", text, self.global_step)

    def _step(self, batch: tuple[Tensor, Tensor], batch_index: int, split: str) -> tuple[Tensor, Tensor]:
        images, labels = batch
        logits = self(images)
        loss = self.line_loss(logits, labels)
        self._record(f"{split}_loss", batch_index, loss.detach(), len(images))
        self._record_accuracy(f"{split}_acc", batch_index, logits, labels)
        if split != "train":  # comparing texts takes longer than a training step
            self._record_texts(split, batch_index, logits, labels)
        return loss, logits

    def on_validation_epoch_start(self) -> None:
        self._shown = []

    def _record_texts(self, split: str, batch_index: int, logits: Tensor, labels: Tensor) -> None:
        true, read = (to_texts(classes, self.mapping) for classes in (labels, self.read(logits)[0]))
        self._record(f"{split}_cer", batch_index, read, true)
        if split == "val" and len(self._shown) < SHOWN:
            self._shown += list(zip(true, read, strict=True))[: SHOWN - len(self._shown)]

    def _record_accuracy(self, name: str, batch_index: int, logits: Tensor, labels: Tensor) -> None:
        self._record(name, batch_index, logits, labels)


def to_texts(classes: Tensor, mapping: tuple[str, ...] = MAPPING) -> list[str]:
    """Return the text of each row of classes (B, L); special tokens are left out."""
    return [decode(row, mapping=mapping) for row in classes.tolist()]


def num_windows(model: nn.Module) -> int:
    windows = getattr(model, "num_windows", None)
    if windows is None:
        name = type(model).__name__
        raise UserError(f"{name} gives one answer a picture, and a line needs many: choose a line model, like LineCNN.")
    return windows
