"""From a photo or a drawing to what networks have learned from."""

from text_recognizer.photo.character import character
from text_recognizer.photo.line import line
from text_recognizer.photo.open_picture import open_picture
from text_recognizer.photo.thing import thing

__all__ = ["character", "line", "open_picture", "thing"]
