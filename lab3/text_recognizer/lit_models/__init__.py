"""How a network learns: LightningModules."""

from text_recognizer.lit_models.base import BaseLitModel
from text_recognizer.lit_models.ctc import CTCLitModel
from text_recognizer.lit_models.line import LineLitModel

__all__ = ["BaseLitModel", "CTCLitModel", "LineLitModel"]
