"""This project's FastCNN, for the other programs: the same layers with the same sizes."""

from torch import nn


def fast_cnn() -> nn.Sequential:
    """Return the network: pictures (B, 1, 28, 28) -> logits (B, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 3 * 3, 10),
    )  # fmt: skip
