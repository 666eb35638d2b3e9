"""Make a picture smaller, in place: whole or not at all."""

import warnings
from pathlib import Path

from PIL import Image, ImageOps

from text_recognizer.atomic import replaced

SETTINGS = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90}, "AVIF": {"quality": 80}, "PNG": {"optimize": True}}


def shrink(path: Path, max_size: int) -> str:
    """Overwrite a picture by one whose longer side has `max_size` pixels, upright, in the same format.

    What a camera says of the picture (EXIF: place, time, orientation) is left out; its colour profile stays.

    Returns:
        "" or, if the picture had to be left as it was, why.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")
            kind = "JPEG" if picture.format == "MPO" else picture.format
            profile = picture.info.get("icc_profile")
            upright = ImageOps.exif_transpose(picture)
            if upright.mode == "P":  # colours of a table cannot be mixed
                upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
        factor = max_size / max(upright.size)
        if factor >= 1:
            return ""
        size = tuple(max(1, round(side * factor)) for side in upright.size)
        small = upright.resize(size, Image.Resampling.LANCZOS)
        small.info = {}
        with replaced(path) as unfinished:
            small.save(unfinished, kind, icc_profile=profile, **SETTINGS.get(kind, {}))
    except (OSError, ValueError, MemoryError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""
