"""The losses of torch.nn.functional for classification, by name, and the mean of a loss over an epoch."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric

from lab_kit.checks import check_fraction
from lab_kit.errors import UserError, nearest

LOSSES = ("cross_entropy", "multi_margin_loss", "nll_loss")  # those of torch.nn.functional that every PyTorch has


def get_loss(name: str, label_smoothing: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
    """Return loss(logits (B, C), labels (B,) int64) -> scalar: a function of torch.nn.functional.

    Raises:
        UserError: there is none of this name that takes logits and classes, or it cannot smooth labels.
    """
    check_fraction(label_smoothing=label_smoothing)
    function = getattr(functional, name, None)
    if not _takes_logits_and_classes(function):
        raise UserError(
            f"There is no loss '{name}'.{nearest(name, LOSSES)} Choose from: {', '.join(LOSSES)}, or another of "
            "torch.nn.functional that takes logits and classes."
        )
    if label_smoothing and name != "cross_entropy":
        raise UserError(f"label_smoothing is for the loss 'cross_entropy' alone, and not for '{name}'.")
    if label_smoothing:
        return partial(function, label_smoothing=label_smoothing)
    if name == "nll_loss":  # the only one that wants logarithms of probabilities
        return lambda logits, labels: function(functional.log_softmax(logits, dim=1), labels)
    return function


def _takes_logits_and_classes(function: object) -> bool:
    try:
        value = function(torch.zeros(2, 3), torch.tensor([0, 2]))
    except Exception:  # what is not meant for them raises anything
        return False
    return isinstance(value, Tensor) and value.shape == () and value.is_floating_point()


class MeanLoss(Metric):
    """The mean over samples of a loss that is known batch by batch: the last batch, which is smaller, counts for less.

    torchmetrics' MeanMetric drops what is not a number, or leaves out the weights: a loss of NaN must be seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, loss: Tensor, samples: int) -> None:
        """Add the mean loss () of a batch of so many samples."""
        self.total += loss * samples
        self.samples += samples

    def compute(self) -> Tensor:
        return self.total / self.samples
