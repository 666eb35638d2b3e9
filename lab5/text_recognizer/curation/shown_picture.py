"""A picture file as something that a browser shows and never runs."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from text_recognizer.errors import UserError

# What Pillow calls a format -> what every browser shows under this type.
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
MAX_BYTES = 4_000_000  # of a file that is passed on as it is


def shown_picture(path: Path, longest: int) -> tuple[bytes, str]:
    """Return the picture in `path` for a browser, and its type, like image/png.

    What it is is told by its content, whatever its name says. Files that browsers show are passed on as they are; other
    kinds, and pictures that are too large, are drawn anew, with the orientation that a camera noted.

    Args:
        path: the file.
        longest: pixels of the longer side beyond which the picture is scaled down.

    Raises:
        UserError: the file is no picture, is broken, or cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                fits = max(image.size) <= longest and path.stat().st_size <= MAX_BYTES
                if image.format in SHOWN and fits:
                    return path.read_bytes(), SHOWN[image.format]
                return _drawn(image, longest)
    except FileNotFoundError:
        raise UserError("This file is not there any more.") from None
    except Image.UnidentifiedImageError:
        raise UserError("This file is not a picture.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError("This picture is too large to be shown.") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # what Pillow raises for files that are broken
        raise UserError(f"This picture is broken: {' '.join(str(error).split())[:100]}.") from error


def _drawn(image: Image.Image, longest: int) -> tuple[bytes, str]:
    """Return `image`, no side longer than `longest` pixels, as PNG, or as JPEG where that is how it came."""
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
