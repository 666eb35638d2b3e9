"""Look at one file as at a hostile one: is it a picture, whole, of a sensible size? And what does it look like?"""

import functools
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from text_recognizer.atomic import UNFINISHED

# What cameras and the web have; the other formats that Pillow knows are rarer than the trouble that they make.
SUFFIXES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif",
    "AVIF": ".avif",
}  # fmt: skip
MAY_MOVE = ("GIF", "WEBP", "PNG", "AVIF")  # the other ones' further frames are pages, or previews
MAX_PIXELS = 100_000_000  # a picture of more is refused before it is decoded: unpacked it may fill the memory
MAX_BYTES = 200_000_000
LOOK = 32  # pixels along each side of what a picture looks like from afar


@dataclass(frozen=True)
class Checked:
    """What is known of a file.

    `reason` is "" for a sound picture, or "broken", "not an image", "tiny", "animated", "too large", "unfinished" or
    "unreadable", with a `detail` in words.
    """

    reason: str = ""
    detail: str = ""
    width: int = 0  # pixels, as the picture is to be seen
    height: int = 0
    file_size: int = 0  # bytes
    content: bytes = b""  # hash of the bytes
    shape_hash: int = 0  # 64 bits that are nearly the same for nearly the same picture
    look: bytes = b""  # (LOOK, LOOK, 3) uint8: the picture from afar


def sniff(content: bytes) -> str | None:
    """Return the kind of picture that `content` begins like, a key of `SUFFIXES`, whatever it is called; else None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_known()) as picture:
                return picture.format
    except Image.DecompressionBombError:
        return "PNG"  # a picture, though one to refuse later
    except Exception:  # whatever the parsers of strangers' bytes come up with
        return None


def check_picture(path: Path, min_size: int = 24) -> Checked:
    """Read and decode a file completely; never raises.

    Args:
        path: of any file.
        min_size: pixels that both sides must have.
    """
    if path.name.endswith(UNFINISHED):
        return Checked("unfinished", "a program that was killed has left it")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return Checked("too large", f"{size / 1e6:,.0f} MB", file_size=size)
        content = path.read_bytes()
    except OSError as error:
        return Checked("unreadable", error.strerror or str(error))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; what matters raises
            return _check(content, min_size)
    except MemoryError:
        return Checked("too large", "not enough memory to open it", file_size=len(content))
    except Exception as error:  # decoders raise nearly anything on bytes that are made for it
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        return Checked("broken", detail, file_size=len(content))


@functools.cache
def _known() -> list[str]:
    """The formats that this Pillow can open: MPO comes with JPEG, AVIF only with newer ones."""
    Image.init()
    return [name for name in SUFFIXES if name in Image.OPEN]


def _check(content: bytes, min_size: int) -> Checked:
    size = len(content)
    if not content:
        return Checked("broken", "an empty file")
    try:
        picture = Image.open(io.BytesIO(content), formats=_known())
    except Image.DecompressionBombError:
        return Checked("too large", f"more than {MAX_PIXELS // 1_000_000} million pixels", file_size=size)
    except Image.UnidentifiedImageError:
        return Checked("not an image", kind_of(content), file_size=size)
    with picture:
        pixels = picture.width * picture.height
        if pixels > MAX_PIXELS:
            return Checked("too large", f"{pixels / 1e6:,.0f} million pixels", file_size=size)
        if picture.format in MAY_MOVE and getattr(picture, "n_frames", 1) > 1:
            return Checked("animated", f"{picture.n_frames} frames", *picture.size, file_size=size)
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    if min(upright.size) < min_size:
        return Checked("tiny", f"{upright.width} x {upright.height} pixels", *upright.size, file_size=size)
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return Checked("", "", *upright.size, size, digest, *_seen(upright))


def _seen(picture: Image.Image) -> tuple[int, bytes]:
    """The hash of its shapes, and what it looks like from afar, on white where it is transparent."""
    import imagehash  # takes a while to load: only where pictures are looked at

    small = picture
    if max(picture.size) > 512:  # half the size, and half again, as long as that is cheap
        small = picture.reduce(max(1, max(picture.size) // 512))
    if small.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in small.info:
        small = small.convert("RGBA")
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    elif small.mode.startswith("I"):  # 16 bits
        small = Image.fromarray((np.asarray(small, dtype=float) / 257).clip(0, 255).astype(np.uint8))
    small = small.convert("RGB")
    bits = imagehash.phash(small).hash.ravel()
    look = small.resize((LOOK, LOOK), Image.Resampling.BILINEAR)
    return int.from_bytes(np.packbits(bits).tobytes(), "big"), look.tobytes()


def kind_of(content: bytes) -> str:
    """Say in words what bytes are that are no picture of a known format."""
    start = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing, which has no pixels"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "a web page, not a picture"
    if start.startswith(b"%pdf"):
        return "a PDF document, not a picture"
    if not start:
        return "nothing at all"
    try:
        content[:2000].decode("utf-8")
        return "text, not a picture"
    except UnicodeDecodeError:
        return "not a picture of a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF)"
