"""Encode a picture file for a browser: as an image that is shown, and never as something that is run."""

import io
from pathlib import Path

from PIL import Image

from lab_kit.datasets.picture_formats import BrokenPicture, NotAPicture, TooLarge, open_image
from lab_kit.errors import UserError
from lab_kit.photo.open_picture import OWN_PICTURE, open_picture
from lab_kit.photo.picture_arrays import array_to_look_at, read_array

# Pillow's name of a format -> its type on the web, for the formats that every browser shows.
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
MAX_BYTES = 4_000_000  # a larger file is encoded again


def encode_for_browser(path: Path, longest: int) -> tuple[bytes, str]:
    """Return the picture in `path` as bytes for a browser, and their type, like image/png.

    The format is detected from the content, not from the name. Files that browsers can show are returned as they are.
    Other formats, and pictures that are too large or transparent, are encoded again, as the network sees them: upright,
    and on a ground from which they stand out.

    Args:
        path: the picture's file.
        longest: pixels of the longer side; larger pictures are reduced to it.

    Raises:
        UserError: the file is not a picture, is broken, or cannot be read.
    """
    if not path.is_file():
        raise UserError("This file no longer exists.")
    try:
        if (array := read_array(path)) is not None:
            return _encode(open_picture(array_to_look_at(array), OWN_PICTURE, longest), "PNG")
        with open_image(path) as image:
            fits = max(image.size) <= longest and path.stat().st_size <= MAX_BYTES
            if image.format in SHOWN and fits and not image.has_transparency_data:
                return path.read_bytes(), SHOWN[image.format]
            kind = "JPEG" if image.format in ("JPEG", "MPO") else "PNG"
        return _encode(open_picture(path, OWN_PICTURE, longest), kind)
    except TooLarge:
        raise UserError("This picture is too large to be shown.") from None
    except BrokenPicture as error:
        raise UserError("This picture is broken.") from error
    except NotAPicture as error:
        raise UserError(f"This file is not a picture that can be shown: {error}") from error
    except OSError as error:
        raise UserError(f"This picture cannot be read: {error.strerror or error}.") from error


def _encode(picture: Image.Image, kind: str) -> tuple[bytes, str]:
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue(), SHOWN[kind]
