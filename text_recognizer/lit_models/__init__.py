"""How a network learns: LightningModules."""

from text_recognizer.lit_models.base import BaseLitModel
from text_recognizer.lit_models.ctc import CTCLitModel
from text_recognizer.lit_models.line import LineLitModel
from text_recognizer.lit_models.transfer_learning import TransferLitModel

__all__ = ["BaseLitModel", "CTCLitModel", "LineLitModel", "TransferLitModel"]
