"""The losses of torch.nn.functional for classification, by name, and the mean of a loss over an epoch."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric

from lab_kit.errors import UserError, nearest

Change = Callable[[Tensor], Tensor]


def _as_they_are(logits: Tensor) -> Tensor:
    return logits


def _log_probabilities(logits: Tensor) -> Tensor:
    return functional.log_softmax(logits, dim=1)


def _signs(one_hot: Tensor) -> Tensor:
    return 2 * one_hot - 1


# These take the index of the right class. The value says what they expect in place of logits.
CLASS_INDEX: dict[str, Change] = {
    "cross_entropy": _as_they_are,
    "multi_margin_loss": _as_they_are,
    "nll_loss": _log_probabilities,
}

# These compare two tensors of one shape: the target is 1 at the right class, else 0. The values say what they expect
# in place of logits, and in place of such a target.
ONE_HOT: dict[str, tuple[Change, Change]] = {
    "binary_cross_entropy": (lambda logits: logits.float().sigmoid(), _as_they_are),
    "binary_cross_entropy_with_logits": (_as_they_are, _as_they_are),
    "huber_loss": (_as_they_are, _as_they_are),
    "kl_div": (_log_probabilities, _as_they_are),
    "l1_loss": (_as_they_are, _as_they_are),
    "mse_loss": (_as_they_are, _as_they_are),
    "multilabel_soft_margin_loss": (_as_they_are, _as_they_are),
    "smooth_l1_loss": (_as_they_are, _as_they_are),
    "soft_margin_loss": (_as_they_are, _signs),
}

# What is left of torch.nn.functional's losses compares pairs or triplets of embeddings, counts, or measurements with a
# variance, or needs lengths: none of them takes logits and a class.


def get_loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Return loss(logits (B, C), labels (B,) int64) -> scalar.

    Raises:
        UserError: no such loss compares logits with classes.
    """
    if name not in CLASS_INDEX | ONE_HOT:
        names = sorted(CLASS_INDEX | ONE_HOT)
        raise UserError(f"There is no loss '{name}'.{nearest(name, names)} Choose from: {', '.join(names)}.")
    function = getattr(functional, name)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        if name in CLASS_INDEX:
            return function(CLASS_INDEX[name](logits), labels)
        expected_input, expected_target = ONE_HOT[name]
        prediction = expected_input(logits)
        target = expected_target(functional.one_hot(labels, logits.shape[1]).to(prediction.dtype))
        more = {"reduction": "batchmean"} if name == "kl_div" else {}  # what the mathematics means by the mean
        return function(prediction, target, **more)

    return loss


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
