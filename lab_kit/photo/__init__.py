"""Turn a photo or a drawing into an input like the pictures that a network was trained on: bright ink on black."""

from lab_kit.photo.character import prepare_character
from lab_kit.photo.crop_object import crop_object
from lab_kit.photo.line import only_line, prepare_line, written_lines
from lab_kit.photo.line_boxes import box_line
from lab_kit.photo.open_picture import OWN_PICTURE, OWN_WRITING, open_picture
from lab_kit.photo.page import find_lines

__all__ = [
    "OWN_PICTURE",
    "OWN_WRITING",
    "box_line",
    "crop_object",
    "find_lines",
    "only_line",
    "open_picture",
    "prepare_character",
    "prepare_line",
    "written_lines",
]
