"""The LightningModule for transfer learning: train a new head first, then the body as well."""

import math
from typing import ClassVar

import torch
from torch import nn

from lab_kit.checks import check_at_least
from lab_kit.errors import UserError
from lab_kit.experiment.optimizers import fused_if_possible
from text_recognizer.data_config import DataConfig
from text_recognizer.lit_models.base import BaseLitModel

WARM_UP = 0.25  # of a cycle: the learning rate rises for so long
START, END = 1 / 25, 1e-4  # where it starts and ends, as a share of the highest


class TransferLitModel(BaseLitModel):
    """Train a network to tell pictures apart: any network, or, in two phases, one with a pretrained body.

    In the first phase the body is frozen. Its weights are good and the head's are random: the gradients through such a
    head would make the body worse. In the second phase all layers learn, the first ones with the lowest rate.

    Args:
        model: the network: pictures (B, C, H, W) -> logits (B, classes). To freeze it, it needs `layer_groups()`.
        data_config: shapes and classes of the data.
        optimizer: name of a class in torch.optim.
        lr: learning rate.
        loss: name of a loss in torch.nn.functional.
        one_cycle_max_lr: if set, the learning rate rises to this value and falls again in each phase, batch by batch
            (Smith and Topin, arXiv:1708.07120); `lr` then has no effect.
        frozen_epochs: the number of epochs in the first phase.
        lr_slice: two learning rates for the second phase, such as 3e-5,3e-4: of the first layers and of the head, with
            equal factors from group to group between them. Without it, all layers learn at the same rate.

    Raises:
        UserError: there is nothing to freeze, or the rates make no sense.
    """

    task: ClassVar[str] = "picture"

    def __init__(
        self,
        model: nn.Module,
        data_config: DataConfig,
        optimizer: str = "AdamW",
        lr: float = 1e-3,
        loss: str = "cross_entropy",
        one_cycle_max_lr: float | None = None,
        frozen_epochs: int = 0,
        lr_slice: str | None = None,
    ) -> None:
        super().__init__(model, data_config, optimizer, lr, loss, one_cycle_max_lr)
        check_at_least(0, frozen_epochs=frozen_epochs)
        if (frozen_epochs or lr_slice) and not hasattr(model, "layer_groups"):
            raise UserError(
                f"{type(model).__name__} learns as a whole: --frozen_epochs and --lr_slice are for TransferNet."
            )
        self.frozen_epochs = frozen_epochs
        self.lr_slice = None if lr_slice is None else parse_slice(lr_slice)

    def configure_optimizers(self) -> torch.optim.Optimizer | dict:
        if not hasattr(self.model, "layer_groups"):
            return super().configure_optimizers()
        groups = [[weight for layer in layers for weight in layer.parameters()] for layers in self.model.layer_groups()]
        rate = self.lr if self.one_cycle_max_lr is None else self.one_cycle_max_lr
        kwargs = {"lr": rate} | fused_if_possible(self.optimizer, self._trainer)
        optimizer = getattr(torch.optim, self.optimizer)([{"params": weights} for weights in groups], **kwargs)
        if not self.frozen_epochs and self.lr_slice is None and self.one_cycle_max_lr is None:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        frozen = round(steps * min(1.0, self.frozen_epochs / self.trainer.max_epochs))
        factors = [
            lambda step, group=group: self.rate(step, frozen, steps, group, len(groups)) / rate
            for group in range(len(groups))
        ]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def rate(self, step: int, frozen: int, steps: int, group: int, groups: int) -> float:
        """Return the learning rate of a layer group.

        Args:
            step: which step of the run, from 0.
            frozen: steps of the first phase.
            steps: of the whole run.
            group: which layer group, from 0, the layers that the picture meets first.
            groups: how many there are; the last is the head.
        """
        highest = self.lr if self.one_cycle_max_lr is None else self.one_cycle_max_lr
        if step < frozen:
            if group < groups - 1:
                return 0.0
            progress = step / frozen
        else:
            progress = (step - frozen) / max(1, steps - frozen)
            if self.lr_slice is not None:
                low, high = self.lr_slice
                highest = low * (high / low) ** (group / (groups - 1))
        return highest if self.one_cycle_max_lr is None else highest * one_cycle(progress)

    def on_train_epoch_start(self) -> None:
        learns = self.current_epoch >= self.frozen_epochs
        for layer in self._body():
            layer.train(learns)  # in a frozen body, batch norm keeps its statistics, too
            # Several processes agree on all gradients, needed or not; there, a learning rate of zero freezes.
            layer.requires_grad_(learns or self.trainer.world_size > 1)

    def on_fit_end(self) -> None:
        for layer in self._body():  # the network may be trained further: no layer stays frozen
            layer.requires_grad_(True)

    def _body(self) -> list[nn.Module]:
        """Return all layers below the head; none for a network that learns as a whole."""
        groups = self.model.layer_groups() if hasattr(self.model, "layer_groups") else [[]]
        return [layer for layers in groups[:-1] for layer in layers]


def parse_slice(text: str) -> tuple[float, float]:
    """Return the two learning rates of `3e-5,3e-4`.

    Raises:
        UserError: it is not two positive numbers, the lower one first.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"lr_slice must be two learning rates, such as 3e-5,3e-4, not '{text}'.") from None
    if not 0 < low <= high < math.inf:
        raise UserError(f"lr_slice must be a lower and a higher learning rate, such as 3e-5,3e-4, not '{text}'.")
    return low, high


def one_cycle(progress: float) -> float:
    """Return the learning rate as a share of the highest: it rises, and falls for longer, along half cosines.

    Args:
        progress: from 0 to 1.
    """
    if progress < WARM_UP:
        low, part = START, progress / WARM_UP
    else:
        low, part = END, (1 - min(progress, 1.0)) / (1 - WARM_UP)
    return low + (1 - low) * (1 - math.cos(math.pi * part)) / 2
