"""Encode a picture file for a browser: as an image that is shown, and never as something that is run."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lab_kit.errors import UserError

# Pillow's name of a format -> its type on the web, for the formats that every browser shows.
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
MAX_BYTES = 4_000_000  # a larger file is encoded again


def encode_for_browser(path: Path, longest: int) -> tuple[bytes, str]:
    """Return the picture in `path` as bytes for a browser, and their type, like image/png.

    The format is detected from the content, not from the name. Files that browsers can show are returned as they are.
    Other formats, and pictures that are too large, are encoded again, upright according to the camera's EXIF data.

    Args:
        path: the picture's file.
        longest: pixels of the longer side; larger pictures are reduced to it.

    Raises:
        UserError: the file is not a picture, is broken, or cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                fits = max(image.size) <= longest and path.stat().st_size <= MAX_BYTES
                if image.format in SHOWN and fits:
                    return path.read_bytes(), SHOWN[image.format]
                return _encode_again(image, longest)
    except FileNotFoundError:
        raise UserError("This file no longer exists.") from None
    except Image.UnidentifiedImageError:
        raise UserError("This file is not a picture.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError("This picture is too large to be shown.") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # Pillow raises these for broken files
        raise UserError(f"This picture is broken: {' '.join(str(error).split())[:100]}.") from error


def _encode_again(image: Image.Image, longest: int) -> tuple[bytes, str]:
    """Reduce `image` to at most `longest` pixels; encode it as JPEG if it was a JPEG, else as PNG."""
    kind = "JPEG" if image.format == "JPEG" else "PNG"
    image.draft("RGB", (longest, longest))  # a JPEG is decoded at a fraction of its size
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):  # 16 bits a pixel or more: the darkest becomes black, the lightest white
        values = np.asarray(upright, dtype=np.float64)
        values = (values - values.min()) * (255 / max(np.ptp(values), 1e-9))
        upright = Image.fromarray(values.astype(np.uint8))
    upright = upright.convert("RGBA" if kind == "PNG" and upright.has_transparency_data else "RGB")
    upright.thumbnail((longest, longest))
    content = io.BytesIO()
    upright.save(content, kind)
    return content.getvalue(), SHOWN[kind]
