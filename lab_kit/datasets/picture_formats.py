"""What a picture is: told by the content of a file, whatever the file is called. All programs use this definition.

A picture is a file of one of these formats with at most `MAX_PIXELS` pixels, or a NumPy array. It is broken if it
cannot be decoded to its last pixel; that shows when it is read.
"""

import functools
import io
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from lab_kit.atomic_write import UNFINISHED
from lab_kit.errors import UserError

# Pillow's names of the formats of cameras, of the web and of data sets. Pillow knows more, but they are rare, and their
# decoders less safe. AVIF needs Pillow 11.3; HEIF, an iPhone's HEIC, needs `pip install pillow-heif`.
SUFFIXES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif",
    "AVIF": ".avif", "PPM": ".ppm", "HEIF": ".heic", "NPY": ".npy",
}  # fmt: skip
ARRAY, ARRAY_START = "NPY", b"\x93NUMPY"  # NumPy's own format, which Pillow does not know, and how its files begin
MAX_PIXELS = 120_000_000  # enough for a phone with 108 megapixels; decoding takes up to 4 bytes for each
MAX_BYTES = 200_000_000
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
OTHER_KINDS = {
    **{b"ftyp" + brand: "an AVIF picture (to read it: pip install -U pillow)" for brand in (b"avif", b"avis")},
    **{b"ftyp" + brand: "a HEIC picture, as iPhones take them (to read it: pip install pillow-heif)" for brand in
       (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")},
}  # fmt: skip


class TooLarge(UserError):
    """The picture has more bytes or pixels than are accepted (status 413 in HTTP)."""


class NotAPicture(UserError):
    """The file is not a picture, or is broken, or has a format or shape that is not accepted (status 415 in HTTP)."""


class BrokenPicture(NotAPicture):
    """The file is a picture, but it was damaged or cut off."""


def open_image(
    source: bytes | Path, formats: Sequence[str] = tuple(SUFFIXES), max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Open a picture without decoding it; the caller closes it.

    Args:
        source: the content of a file, or its path.
        formats: those that are accepted, keys of `SUFFIXES`.
        max_pixels: the largest number of pixels. WebP's decoder takes twice as much memory as others for each pixel, so
            only half as many are accepted.

    Raises:
        NotAPicture: it has none of the formats; the message says what it is instead, like "text, not a picture".
        BrokenPicture: its header is damaged.
        TooLarge: it has too many pixels; the message says how many are accepted.
    """
    _register_formats()
    known = [name for name in formats if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `max_pixels` takes the place of Pillow's warning
            picture = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=known)
    except Image.UnidentifiedImageError:
        raise NotAPicture(describe_bytes(source if isinstance(source, bytes) else _first_bytes(source))) from None
    except Image.DecompressionBombError:
        raise TooLarge(f"more than {max_pixels / 1e6:,.0f} million pixels") from None
    except Exception as error:  # parsers raise nearly any exception on hostile bytes
        if isinstance(error, OSError) and error.errno:
            raise NotAPicture(_in_words(error)) from error
        raise BrokenPicture("a broken picture") from error
    most = max_pixels // 2 if picture.format == "WEBP" else max_pixels
    if picture.width * picture.height > most:
        picture.close()
        raise TooLarge(f"more than {most / 1e6:,.0f} million pixels")
    return picture


def open_array(path: Path) -> np.ndarray | None:
    """Return the array in a NumPy file without reading its values; None if the file is none.

    Raises:
        NotAPicture: its shape or type is not that of a picture: see `pixels_of_array`.
        TooLarge: it has too many pixels.
    """
    if not _first_bytes(path).startswith(ARRAY_START):
        return None
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BrokenPicture("a NumPy file that cannot be read") from error
    check_array(values)
    return values


def check_array(values: np.ndarray) -> None:
    """Raise NotAPicture or TooLarge if an array is not a picture: (H, W) or (H, W, channels) of numbers."""
    if values.ndim not in (2, 3) or not values.size or values.dtype.kind not in "buif":
        raise NotAPicture(
            f"an array {values.shape} {values.dtype}; a picture is (height, width) or (height, width, channels), "
            "of uint8 or other numbers"
        )
    if values.shape[0] * values.shape[1] > MAX_PIXELS:
        raise TooLarge(f"more than {MAX_PIXELS / 1e6:,.0f} million pixels")


def count_channels(path: Path) -> int:
    """Return how many channels a picture has: 1 if it is grey, 3 if it is of any other kind, or those of an array.

    Only the header is read.

    Raises:
        NotAPicture, TooLarge: it is not a picture; the message says in a few words why.
    """
    if path.name.endswith(UNFINISHED):
        raise NotAPicture("left unfinished by a program that was killed")
    if not path.is_file():
        raise NotAPicture("a link that leads nowhere" if path.is_symlink() else "not a file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TooLarge(f"more than {MAX_BYTES / 1e6:,.0f} MB")
        if (values := open_array(path)) is not None:
            return values.shape[2] if values.ndim == 3 else 1
        with open_image(path) as picture:
            return 1 if picture.mode in GREY_MODES else 3
    except OSError as error:
        raise NotAPicture(_in_words(error)) from error


def detect_format(content: bytes) -> str | None:
    """Return the format of a picture, a key of `SUFFIXES`, from its first bytes; None if it is not a picture."""
    if content.startswith(ARRAY_START):
        return ARRAY
    try:
        with open_image(content) as picture:
            return picture.format
    except TooLarge:
        return "PNG"  # it is a picture, which will be refused later
    except NotAPicture:
        return None


def describe_bytes(content: bytes) -> str:
    """Describe in words a file that is not a picture of a known format."""
    if kind := OTHER_KINDS.get(content[4:12]):
        return kind
    start = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing, which has no pixels"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "a web page, not a picture"
    if start.startswith(b"%pdf"):
        return "a PDF document, not a picture"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the picture itself: run `git lfs pull`"
    if not start:
        return "an empty file"
    try:
        content[:2000].decode("utf-8")
        return "text, not a picture"
    except UnicodeDecodeError:
        return "not a picture of a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, PPM)"


@functools.cache
def _register_formats() -> None:
    """Let Pillow know its formats, and HEIC if the package for it is installed."""
    Image.init()
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2000)


def _in_words(error: OSError) -> str:
    return f"cannot be opened: {error.strerror or error}"
