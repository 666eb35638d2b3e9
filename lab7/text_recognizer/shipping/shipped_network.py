"""Build the PyTorch network of a shipped model from its card and its weights."""

from typing import Any

import torch
from torch import Tensor, nn

import text_recognizer.models
from lab_kit.errors import UserError, nearest
from text_recognizer.data_config import DataConfig
from text_recognizer.shipping.model_card import ModelCard


class Normalized(nn.Module):
    """A network together with the step before it, so that no one can forget it, or take other numbers.

    Args:
        network: normalised pictures (N, C, H, W) float32 -> logits.
        mean, std: of each channel, on the scale 0 to 1.
    """

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, C, H, W) uint8 -> logits (N, classes) or (N, classes, S)."""
        return self.network((pictures.to(torch.float32) / 255 - self.mean) / self.std)


def build(model_class: str, settings: dict[str, Any], config: DataConfig) -> nn.Module:
    """Return a network of this project, with random weights.

    Raises:
        UserError: there is no such class here, or it takes other settings.
    """
    names = text_recognizer.models.__all__
    if model_class not in names:
        raise UserError(
            f"There is no model class {model_class} here.{nearest(model_class, names)} The torch backend needs the "
            "code of the network that was trained; the onnx backend does not."
        )
    try:
        return getattr(text_recognizer.models, model_class)(config, **settings)
    except TypeError as error:
        raise UserError(f"{model_class} is not the class that was trained: {error}.") from error


def load(card: ModelCard, weights: dict[str, Tensor]) -> Normalized:
    """Return the network that a card describes, with these weights, ready to answer.

    Raises:
        UserError: they do not fit.
    """
    network = build(card.model_class, card.model_settings, DataConfig(card.input_dims, card.output_dims, card.classes))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"The weights are not those of {card.model_class}: {' '.join(str(error).split())[:200]}"
        ) from error
    return Normalized(network, card.preprocessing["mean"], card.preprocessing["std"]).eval()
