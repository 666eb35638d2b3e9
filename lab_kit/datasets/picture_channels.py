"""The channels of picture files: how many there are, transparency, and NumPy files with any number."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lab_kit.errors import UserError
from lab_kit.paths import readable

# What Pillow raises on files that are no pictures, or damaged, or unfold into more than any camera takes.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)


def on_white(picture: Image.Image) -> Image.Image:
    """Put a picture with transparent parts on white paper: what is transparent has no shade of its own."""
    if "transparency" not in picture.info and "A" not in picture.getbands():
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def read_array(path: Path) -> Tensor:
    """Return the picture in a NumPy file, (C, H, W) uint8; raises UserError where it is none."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{readable(path)} is not a NumPy file that can be read.") from error
    if values.dtype != np.uint8 or values.ndim not in (2, 3):
        raise UserError(
            f"{readable(path)} must hold uint8, (height, width, channels), not {values.dtype} {values.shape}."
        )
    return torch.from_numpy(values if values.ndim == 3 else values[..., None]).permute(2, 0, 1)


def channels_of(path: Path) -> int:
    """Return how many channels a picture file has: 1 for grey ones, 3 for all others that Pillow reads."""
    if path.suffix.lower() == ".npy":
        return len(read_array(path))
    try:
        with Image.open(path) as picture:
            return 1 if picture.mode in ("1", "L", "LA", "I", "I;16", "F") else 3
    except UNREADABLE:
        return 3  # `read` says what is wrong with it
