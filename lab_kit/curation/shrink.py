"""Reduce the size of a picture file, in place and atomically."""

import warnings
from pathlib import Path

from PIL import Image, ImageOps

from lab_kit.atomic_write import replaced

SETTINGS = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90}, "AVIF": {"quality": 80}, "PNG": {"optimize": True}}


def shrink(path: Path, max_size: int) -> str:
    """Reduce a picture so that its longer side has at most `max_size` pixels; it becomes upright, in the same format.

    The camera's EXIF data (place, time, orientation) are removed; the colour profile stays.

    Returns:
        "", or the reason why the picture could not be reduced and was left as it was.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")
            kind = "JPEG" if picture.format == "MPO" else picture.format
            profile = picture.info.get("icc_profile")
            upright = ImageOps.exif_transpose(picture)
            if upright.mode == "P":  # colours of a palette cannot be averaged
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
