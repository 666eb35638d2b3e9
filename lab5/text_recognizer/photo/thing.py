"""One thing, such as a piece of clothing, as it looks in Fashion-MNIST: bright on black, as large as the picture."""

import cv2
import numpy as np
from PIL import Image

from text_recognizer.errors import UserError
from text_recognizer.photo.paper import grey_values

LONGEST = 400  # pixels of the longer side at which a picture is looked at
BORDER = 16  # the border of a picture is a sixteenth of its side
DIFFERS = 24  # grey levels from the background at which the thing begins


def thing(picture: Image.Image, size: int = 28) -> np.ndarray:
    """Return what stands before an even background, cut out and centred.

    Fashion-MNIST's pictures were made so: grey, negative where the background was light, the longer side as long as the
    picture (Xiao, Rasul and Vollgraf, arXiv:1708.07747).

    Args:
        picture: a photo of one thing before an even background, light or dark.
        size: pixels of the sides.

    Returns:
        (size, size) uint8: background 0.

    Raises:
        UserError: there is nothing but background.
    """
    grey = cv2.GaussianBlur(grey_values(picture, LONGEST), (0, 0), 1)
    thick = max(1, min(grey.shape) // BORDER)
    edges = (grey[:thick], grey[-thick:], grey[:, :thick], grey[:, -thick:])
    background = float(np.median(np.concatenate([edge.ravel() for edge in edges])))
    values = background - grey.astype(np.float32) if background > 127 else grey - np.float32(background)
    mask = cv2.morphologyEx((np.abs(values) > DIFFERS).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    if not mask.any():
        raise UserError("There is only background in this picture. Put the thing before an even background, near by.")
    left, top, width, height = cv2.boundingRect(mask)
    part = values[top : top + height, left : left + width].clip(0, 255)
    scale = size / max(width, height)
    sides = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(part, sides, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    thing = np.zeros((size, size), dtype=np.uint8)
    x, y = (size - sides[0]) // 2, (size - sides[1]) // 2
    thing[y : y + sides[1], x : x + sides[0]] = small.round()
    return thing
