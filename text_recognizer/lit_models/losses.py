"""Any loss of `torch.nn.functional`, by name."""

import inspect
from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from text_recognizer.errors import UserError, nearest

# These take the index of the right class; all others compare two tensors of one shape, so they get a one-hot target.
TAKES_CLASS_INDEX = {"cross_entropy", "nll_loss", "multi_margin_loss"}

# What turns logits into what these expect of their input; the others take logits as they are.
EXPECTS = {
    "nll_loss": lambda logits: functional.log_softmax(logits, dim=1),
    "gaussian_nll_loss": None,  # needs a variance as well: not a loss of one prediction and one target
    "kl_div": lambda logits: functional.log_softmax(logits, dim=1),
    "binary_cross_entropy": lambda logits: logits.float().sigmoid(),
    "poisson_nll_loss": lambda logits: logits,
}


def loss_names() -> list[str]:
    """Return the names of all losses of one prediction and one target that PyTorch has."""
    names = []
    for name, function in vars(functional).items():
        if name.startswith("_") or not callable(function) or EXPECTS.get(name, True) is None:
            continue
        if not (name.endswith("_loss") or "cross_entropy" in name or name == "kl_div"):
            continue
        parameters = list(inspect.signature(function).parameters.values())
        required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
        if required == ["input", "target"]:
            names.append(name)
    return sorted(names)


def get_loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Return loss(logits (B, C), labels (B,) int64) -> scalar.

    Raises:
        UserError: `torch.nn.functional` has no such loss.
    """
    if name not in loss_names():
        raise UserError(f"loss '{name}' is not one of torch.nn.functional's losses.{nearest(name, loss_names())}")
    function, prepare = getattr(functional, name), EXPECTS.get(name)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        prediction = prepare(logits) if prepare else logits
        if name in TAKES_CLASS_INDEX:
            return function(prediction, labels)
        return function(prediction, functional.one_hot(labels, logits.shape[1]).to(prediction.dtype))

    return loss
