"""The LightningModule that trains a classifier: loss, optimizer, accuracy."""

from typing import ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from lab_kit.checks import check_positive
from lab_kit.experiment.losses import MeanLoss, get_loss
from lab_kit.experiment.optimizers import check_optimizer, fused_if_possible, has_momentum
from text_recognizer.data_config import DataConfig


class BaseLitModel(pl.LightningModule):
    """Train a network to tell classes apart.

    Args:
        model: the network: pictures (B, C, H, W) -> logits (B, classes).
        data_config: shapes and classes of the data.
        optimizer: name of a class in torch.optim.
        lr: learning rate.
        loss: name of a loss in torch.nn.functional.
        one_cycle_max_lr: if set, the learning rate rises to this value and falls again over the whole run, batch by
            batch (Smith and Topin, arXiv:1708.07120); `lr` then has no effect.
        label_smoothing: the share of the target's probability that all classes get alike (arXiv:1512.00567): a network
            that is never asked to be certain is seldom wrong with certainty.

    Raises:
        UserError: an optimizer or a loss that does not exist, or a number that is out of range.
    """

    task: ClassVar[str] = "character"  # what the pictures show; the command line chooses the class by it,
    own_loss: ClassVar[str | None] = None  # and by the one loss that only this class knows

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
        super().__init__()
        check_optimizer(optimizer)
        check_positive(lr=lr, one_cycle_max_lr=one_cycle_max_lr)
        self.model = model
        self.optimizer, self.lr, self.one_cycle_max_lr = optimizer, lr, one_cycle_max_lr
        self.label_smoothing = label_smoothing
        self.loss = get_loss(loss, label_smoothing)
        for split in ("train", "val", "test"):  # the mean loss and the accuracy over one epoch
            self.add_module(f"{split}_loss", MeanLoss())
            accuracy = MulticlassAccuracy(len(data_config.mapping), average="micro", validate_args=False)
            self.add_module(f"{split}_acc", accuracy)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        return self.model(images)

    def configure_optimizers(self) -> torch.optim.Optimizer | dict:
        """Return the chosen optimizer, and how its learning rate changes."""
        optimizer_class = getattr(torch.optim, self.optimizer)
        kwargs = {"lr": self.lr if self.one_cycle_max_lr is None else self.one_cycle_max_lr}
        optimizer = optimizer_class(self.parameters(), **kwargs, **fused_if_possible(self.optimizer, self._trainer))
        if self.one_cycle_max_lr is None:
            return optimizer
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.one_cycle_max_lr,
            total_steps=int(self.trainer.estimated_stepping_batches),
            cycle_momentum=has_momentum(optimizer),
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        return self._step(batch, batch_index, "train")[0]

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        self._step(batch, batch_index, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> tuple[Tensor, Tensor]:
        """Return the result of `read`, for callbacks that collect it."""
        return self.read(self._step(batch, batch_index, "test")[1])

    def read(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the most probable classes (B,) int64 of (B, classes) logits, and their probabilities (B,)."""
        confidence, predicted = logits.float().softmax(dim=1).max(dim=1)
        return predicted, confidence

    def _step(self, batch: tuple[Tensor, Tensor], batch_index: int, split: str) -> tuple[Tensor, Tensor]:
        images, labels = batch
        logits = self(images)
        loss = self.loss(logits, labels)
        self._record(f"{split}_loss", batch_index, loss.detach(), len(images))
        self._record(f"{split}_acc", batch_index, logits, labels)
        return loss, logits

    def _record(self, name: str, batch_index: int, *values: object) -> None:
        """Add to the metric of this name.

        It is logged once an epoch, with the first batch: Lightning asks for its value when the epoch ends. Logging with
        every batch would take a tenth of the time of a small network's training step.
        """
        metric = getattr(self, name)
        metric.update(*values)
        if batch_index == 0:
            self.log(name, metric, on_step=False, on_epoch=True, prog_bar=name.startswith("val"))
