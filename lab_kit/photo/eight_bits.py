"""Bring pictures of other numbers than bytes (16 bits, floats, True and False) to bytes, the same way everywhere."""

import numpy as np
from PIL import Image

from lab_kit.datasets.picture_formats import check_array


def array_to_bytes(values: np.ndarray) -> np.ndarray:
    """Return an array as bytes: as they are, or scaled by `byte_factor`.

    Args:
        values: (H, W) or (H, W, channels), numbers or True and False.

    Returns:
        uint8 of the same shape.

    Raises:
        NotAPicture, TooLarge: it is not the array of a picture.
    """
    check_array(values)
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    numbers = np.nan_to_num(np.asarray(values, dtype=np.float32), nan=0, posinf=255, neginf=0)
    factor = byte_factor(float(numbers.max()), values.dtype.kind == "f")
    return (numbers * factor).clip(0, 255).round().astype(np.uint8)


def byte_factor(highest: float, floats: bool) -> float:
    """Return by what the numbers of a picture are multiplied to become 0 to 255.

    Args:
        highest: the highest number in the picture. Floats up to 1 are shares of white; numbers up to 255 are bytes,
            whatever they are stored as; all others are of 16 bits.
        floats: whether they are floats.
    """
    if floats and highest <= 1:
        return 255.0
    return 1.0 if highest <= 255 else 1 / 257


def array_to_look_at(values: np.ndarray) -> Image.Image:
    """Return a picture of an array (H, W, channels) uint8: of its first three channels, or else of its first."""
    shown = values[..., :3] if values.shape[2] >= 3 else values[..., 0]
    return Image.fromarray(np.ascontiguousarray(shown))
