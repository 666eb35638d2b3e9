"""Check one untrusted file: is it a complete picture of a sensible size? Compute hashes to find copies of it."""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lab_kit.atomic_write import UNFINISHED
from lab_kit.datasets.picture_formats import MAX_BYTES, BrokenPicture, NotAPicture, TooLarge, open_image
from lab_kit.photo.open_picture import OWN_PICTURE, open_picture
from lab_kit.photo.picture_arrays import array_to_look_at, read_array

ANIMATED_FORMATS = ("GIF", "WEBP", "PNG", "AVIF")  # in other formats, further frames are pages or previews
THUMBNAIL_SIZE = 32  # pixels of both sides


@dataclass(frozen=True)
class PictureCheck:
    """The result of checking a file.

    `reason` is "" for a sound picture, or "broken", "not an image", "tiny", "animated", "too large", "unfinished" or
    "unreadable"; then `detail` explains it in words. The hashes are those of sound pictures.
    """

    reason: str = ""
    detail: str = ""
    width: int = 0  # pixels, of the upright picture
    height: int = 0
    file_size: int = 0  # bytes
    content_hash: bytes = b""  # hash of the bytes
    perceptual_hash: int = 0  # 64 bits; similar pictures differ in few of them
    thumbnail: bytes = b""  # (THUMBNAIL_SIZE, THUMBNAIL_SIZE, 3) uint8


def check_picture(path: Path, min_size: int = 24) -> PictureCheck:
    """Read and decode a file completely, and return what is wrong with it, if anything. Raises no exceptions.

    Args:
        path: any file.
        min_size: pixels that both sides must have.
    """
    if path.name.endswith(UNFINISHED):
        return PictureCheck("unfinished", "it was left by a program that was killed")
    try:
        size = path.stat().st_size
        if not path.is_file():  # to read from a pipe, for instance, could take for ever
            return PictureCheck("unreadable", "not a file")
        if size > MAX_BYTES:
            return PictureCheck("too large", f"{size / 1e6:,.0f} MB", file_size=size)
        content = path.read_bytes()
    except OSError as error:
        return PictureCheck("unreadable", error.strerror or str(error))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; real errors are exceptions
            return _check(path, content, min_size)
    except MemoryError:
        return PictureCheck("too large", "not enough memory to open it", file_size=len(content))
    except Exception as error:  # decoders raise nearly any exception on hostile bytes
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        return PictureCheck("broken", detail, file_size=len(content))


def _check(path: Path, content: bytes, min_size: int) -> PictureCheck:
    size = len(content)
    if not content:
        return PictureCheck("broken", "an empty file")
    try:
        array = read_array(path)
        picture = open_image(content) if array is None else array_to_look_at(array)
    except TooLarge as error:
        return PictureCheck("too large", str(error), file_size=size)
    except BrokenPicture as error:
        return PictureCheck("broken", str(error), file_size=size)
    except NotAPicture as error:
        return PictureCheck("not an image", str(error), file_size=size)
    with picture:
        if picture.format in ANIMATED_FORMATS and getattr(picture, "n_frames", 1) > 1:
            return PictureCheck("animated", f"{picture.n_frames} frames", *picture.size, file_size=size)
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    if min(upright.size) < min_size:
        return PictureCheck("tiny", f"{upright.width} x {upright.height} pixels", *upright.size, file_size=size)
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return PictureCheck("", "", *upright.size, size, digest, *_hash_and_thumbnail(upright))


def _hash_and_thumbnail(picture: Image.Image) -> tuple[int, bytes]:
    """Return the perceptual hash and the thumbnail of an upright picture."""
    import imagehash  # slow to import, so only where it is needed

    small = open_picture(picture, OWN_PICTURE, 512).convert("RGB")
    bits = imagehash.phash(small).hash.ravel()
    thumbnail = small.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BILINEAR)
    return int.from_bytes(np.packbits(bits).tobytes(), "big"), thumbnail.tobytes()
