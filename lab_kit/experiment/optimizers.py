"""The optimizers of torch.optim that can be chosen by name."""

from typing import Any

import pytorch_lightning as pl
import torch

from lab_kit.errors import UserError, nearest

FUSED = ("Adam", "AdamW", "SGD")  # optimizers that can change all weights in one operation on every device


def check_optimizer(name: str) -> None:
    """Raise UserError for an optimizer that torch.optim does not have."""
    if name not in (names := optimizer_names()):
        raise UserError(f"optimizer '{name}' is not in torch.optim.{nearest(name, names)}")


def fused_if_possible(name: str, trainer: pl.Trainer | None) -> dict[str, Any]:
    """Return `{"fused": True}` where the optimizer can change all weights in one operation."""
    # Lightning does not clip gradients for a fused optimizer.
    clips = trainer is not None and trainer.gradient_clip_val
    return {"fused": True} if name in FUSED and not clips else {}


def has_momentum(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether there is a momentum that can fall while the learning rate rises."""
    return bool({"momentum", "betas"} & optimizer.defaults.keys())


def optimizer_names() -> list[str]:
    """Return the names of the optimizers in torch.optim that can train any network, given a learning rate."""
    # Abstract; needs a closure; for sparse gradients only; for matrices only.
    not_usable = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}
    return sorted(
        name
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and name not in not_usable
    )
