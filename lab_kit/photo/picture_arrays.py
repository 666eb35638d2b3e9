"""Pictures as arrays: in memory, or in NumPy's files, of bytes or of other numbers."""

from pathlib import Path

import numpy as np
from PIL import Image

from lab_kit.datasets.picture_formats import NotAPicture, TooLarge, check_array, open_array
from lab_kit.paths import readable


def read_array(source: Path | np.ndarray) -> np.ndarray | None:
    """Return an array, or the one in a NumPy file, as bytes (H, W, channels); None if the file is not NumPy's.

    Raises:
        TooLarge, NotAPicture: it is not the array of a picture.
    """
    try:
        values = open_array(source) if isinstance(source, Path) else source
        values = None if values is None else array_to_bytes(values)
    except OSError as error:
        raise NotAPicture(f"{name_of(source)} cannot be opened: {error.strerror or error}.") from error
    except (NotAPicture, TooLarge) as error:
        raise type(error)(f"{name_of(source)} is {error}.") from error
    return values[..., None] if values is not None and values.ndim == 2 else values


def name_of(source: object) -> str:
    """Return the name of a picture for messages."""
    return readable(source) if isinstance(source, Path) else "The picture"


def array_to_bytes(values: np.ndarray) -> np.ndarray:
    """Return an array as bytes.

    Bytes stay as they are. Floats up to 1 are shares of white; numbers up to 255 are bytes, whatever they are stored
    as; all others are of 16 bits, of which the upper 8 are kept.

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
    if values.dtype.kind == "f" and not np.isfinite(values).any():
        raise NotAPicture("an array without a single finite number")
    numbers = np.nan_to_num(np.asarray(values, dtype=np.float32), nan=0, posinf=255, neginf=0)
    highest = float(numbers.max())
    factor = 255 if values.dtype.kind == "f" and highest <= 1 else 1 if highest <= 255 else 1 / 257
    return (numbers * np.float32(factor)).clip(0, 255).round().astype(np.uint8)


def array_to_look_at(values: np.ndarray) -> Image.Image:
    """Return a picture of an array (H, W, channels) uint8: of its first three channels, or else of its first."""
    shown = values[..., :3] if values.shape[2] >= 3 else values[..., 0]
    return Image.fromarray(np.ascontiguousarray(shown))
