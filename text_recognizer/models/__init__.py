"""Networks: from a batch of pictures to a batch of logits."""

from text_recognizer.models.cnn import CNN
from text_recognizer.models.mlp import MLP
from text_recognizer.models.resnet import ResNet

__all__ = ["CNN", "MLP", "ResNet"]
