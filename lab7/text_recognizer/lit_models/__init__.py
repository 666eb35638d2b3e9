"""How a network learns: LightningModules."""

from text_recognizer.lit_models.base import BaseLitModel
from text_recognizer.lit_models.ctc import CTCLitModel
from text_recognizer.lit_models.line import LineLitModel
from text_recognizer.lit_models.transfer_learning import TransferLitModel
from text_recognizer.lit_models.transformer import ParagraphLitModel, TransformerLitModel

__all__ = [
    "BaseLitModel",
    "CTCLitModel",
    "LineLitModel",
    "ParagraphLitModel",
    "TransferLitModel",
    "TransformerLitModel",
]
