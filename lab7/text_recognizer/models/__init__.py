"""Networks: from a batch of pictures to a batch of logits."""

from text_recognizer.models.cnn import CNN
from text_recognizer.models.crnn import CRNN
from text_recognizer.models.fast_cnn import FastCNN
from text_recognizer.models.line_cnn import LineCNN
from text_recognizer.models.line_cnn_lstm import LineCNNLSTM
from text_recognizer.models.line_cnn_simple import LineCNNSimple
from text_recognizer.models.line_cnn_transformer import LineCNNTransformer
from text_recognizer.models.mlp import MLP
from text_recognizer.models.resnet import ResNet
from text_recognizer.models.resnet_transformer import ResNetTransformer
from text_recognizer.models.transfer_net import TransferNet

__all__ = [
    "CNN",
    "CRNN",
    "MLP",
    "FastCNN",
    "LineCNN",
    "LineCNNLSTM",
    "LineCNNSimple",
    "LineCNNTransformer",
    "ResNet",
    "ResNetTransformer",
    "TransferNet",
]
