"""Networks: from a batch of pictures to a batch of logits."""

from text_recognizer.models.cnn import CNN
from text_recognizer.models.mlp import MLP

__all__ = ["CNN", "MLP"]
