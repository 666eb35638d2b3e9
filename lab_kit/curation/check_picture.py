"""Check one untrusted file: is it a complete picture of a sensible size? Compute hashes to find copies of it."""

import functools
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lab_kit.atomic_write import UNFINISHED

# The formats of cameras and of the web. Pillow knows more, but they are rare, and their decoders less safe.
SUFFIXES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif",
    "AVIF": ".avif",
}  # fmt: skip
ANIMATED_FORMATS = ("GIF", "WEBP", "PNG", "AVIF")  # in other formats, further frames are pages or previews
MAX_PIXELS = 100_000_000  # a larger picture is refused before it is decoded, because it might fill the memory
MAX_BYTES = 200_000_000
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


def detect_format(content: bytes) -> str | None:
    """Return the format of a picture, a key of `SUFFIXES`, from its first bytes; None if it is not a picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_known_formats()) as picture:
                return picture.format
    except Image.DecompressionBombError:
        return "PNG"  # it is a picture, which will be refused later
    except Exception:  # parsers raise nearly any exception on hostile bytes
        return None


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
        if size > MAX_BYTES:
            return PictureCheck("too large", f"{size / 1e6:,.0f} MB", file_size=size)
        content = path.read_bytes()
    except OSError as error:
        return PictureCheck("unreadable", error.strerror or str(error))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; real errors are exceptions
            return _check(content, min_size)
    except MemoryError:
        return PictureCheck("too large", "not enough memory to open it", file_size=len(content))
    except Exception as error:  # decoders raise nearly any exception on hostile bytes
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        return PictureCheck("broken", detail, file_size=len(content))


@functools.cache
def _known_formats() -> list[str]:
    """Return the formats of `SUFFIXES` that this Pillow can open: older versions lack AVIF."""
    Image.init()
    return [name for name in SUFFIXES if name in Image.OPEN]


def _check(content: bytes, min_size: int) -> PictureCheck:
    size = len(content)
    if not content:
        return PictureCheck("broken", "an empty file")
    try:
        picture = Image.open(io.BytesIO(content), formats=_known_formats())
    except Image.DecompressionBombError:
        return PictureCheck("too large", f"more than {MAX_PIXELS // 1_000_000} million pixels", file_size=size)
    except Image.UnidentifiedImageError:
        return PictureCheck("not an image", describe_bytes(content), file_size=size)
    with picture:
        pixels = picture.width * picture.height
        if pixels > MAX_PIXELS:
            return PictureCheck("too large", f"{pixels / 1e6:,.0f} million pixels", file_size=size)
        if picture.format in ANIMATED_FORMATS and getattr(picture, "n_frames", 1) > 1:
            return PictureCheck("animated", f"{picture.n_frames} frames", *picture.size, file_size=size)
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    if min(upright.size) < min_size:
        return PictureCheck("tiny", f"{upright.width} x {upright.height} pixels", *upright.size, file_size=size)
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return PictureCheck("", "", *upright.size, size, digest, *_hash_and_thumbnail(upright))


def _hash_and_thumbnail(picture: Image.Image) -> tuple[int, bytes]:
    """Return the perceptual hash and the thumbnail of a picture, with white where it is transparent."""
    import imagehash  # slow to import, so only where it is needed

    small = picture
    if max(picture.size) > 512:  # a cheap reduction first
        small = picture.reduce(max(1, max(picture.size) // 512))
    if small.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in small.info:
        small = small.convert("RGBA")
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    elif small.mode.startswith("I"):  # 16 bits
        small = Image.fromarray((np.asarray(small, dtype=float) / 257).clip(0, 255).astype(np.uint8))
    small = small.convert("RGB")
    bits = imagehash.phash(small).hash.ravel()
    thumbnail = small.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BILINEAR)
    return int.from_bytes(np.packbits(bits).tobytes(), "big"), thumbnail.tobytes()


def describe_bytes(content: bytes) -> str:
    """Describe in words a file that is not a picture of a known format."""
    start = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing, which has no pixels"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "a web page, not a picture"
    if start.startswith(b"%pdf"):
        return "a PDF document, not a picture"
    if not start:
        return "an empty file"
    try:
        content[:2000].decode("utf-8")
        return "text, not a picture"
    except UnicodeDecodeError:
        return "not a picture of a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF)"
