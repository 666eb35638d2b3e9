"""Crop one object, such as a shirt, from a photo: bright on black and centred, as in Fashion-MNIST."""

import cv2
import numpy as np
from PIL import Image

from lab_kit.errors import UserError
from lab_kit.photo.background import grey_values

LONGEST = 400  # pixels of the longer side, to which pictures are reduced first
BORDER = 1 / 16  # of the shorter side: how wide the border is that is taken for background
MIN_DIFFERENCE = 24  # grey levels by which the object differs from the background


def crop_object(picture: Image.Image, size: int = 28) -> np.ndarray:
    """Return the object in front of an even background: cropped, centred, grey, on black.

    As in Fashion-MNIST (Xiao, Rasul and Vollgraf, arXiv:1708.07747), the picture is inverted if the background is
    light, and the longer side of the object is as long as the picture.

    Args:
        picture: a photo of one object in front of an even background, light or dark.
        size: pixels of the result's sides.

    Returns:
        (size, size) uint8, with background 0.

    Raises:
        UserError: nothing differs from the background.
    """
    grey = cv2.GaussianBlur(grey_values(picture, LONGEST), (0, 0), 1)
    thick = max(1, int(min(grey.shape) * BORDER))
    edges = (grey[:thick], grey[-thick:], grey[:, :thick], grey[:, -thick:])
    background = float(np.median(np.concatenate([edge.ravel() for edge in edges])))
    values = background - grey.astype(np.float32) if background > 127 else grey - np.float32(background)
    mask = cv2.morphologyEx(
        (np.abs(values) > MIN_DIFFERENCE).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    if not mask.any():
        raise UserError(
            "There is only background in this picture. Put the object in front of an even background, and go closer."
        )
    left, top, width, height = cv2.boundingRect(mask)
    part = values[top : top + height, left : left + width].clip(0, 255)
    scale = size / max(width, height)
    sides = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(part, sides, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((size, size), dtype=np.uint8)
    x, y = (size - sides[0]) // 2, (size - sides[1]) // 2
    canvas[y : y + sides[1], x : x + sides[0]] = small.round()
    return canvas
