"""Open a picture that a stranger has sent: bytes of any kind, of which only pictures of sensible size are decoded."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from text_recognizer.curation.check_picture import kind_of
from text_recognizer.errors import UserError
from text_recognizer.paths import readable

LONGEST = 2048  # pixels of the longer side that are kept: writing that needs more is too small to be meant
SMALLEST = 8  # pixels that both sides must have
NARROWEST = 100  # times as long as wide: more is no picture of writing
STRIP = 1 << 20  # pixels that are converted at a time
ORIENTATION = 0x0112  # EXIF's number for how the camera was held
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
OTHERS = {
    b"ftypavif": "an AVIF picture", b"ftypavis": "an AVIF picture",
    **{b"ftyp" + brand: "a HEIC picture, as iPhones take them" for brand in
       (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")},
}  # fmt: skip


class TooLarge(UserError):
    """More bytes, or more pixels, than are accepted (413 in HTTP)."""


class NotAPicture(UserError):
    """Bytes that are no picture, or a broken one, or one of a kind that is not accepted (415 in HTTP)."""


@dataclass(frozen=True)
class Limits:
    """What is accepted from strangers.

    Args:
        max_bytes: of the file.
        max_pixels: of the picture. Decoding takes up to 4 bytes for each; WebP takes 8, so half as many are accepted.
        formats: Pillow's names.
    """

    max_bytes: int = 10_000_000
    max_pixels: int = 40_000_000
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

    def in_words(self) -> str:
        """Return the formats as part of a sentence."""
        *names, last = (name.replace("WEBP", "WebP") for name in self.formats)
        return f"{', '.join(names)} or {last}" if names else last


def open_picture(source: bytes | Path, limits: Limits = Limits()) -> Image.Image:
    """Return a picture upright, on white paper where it was transparent, its longer side at most 2048 pixels.

    Sizes are checked before anything is decoded, and a large JPEG is decoded at a fraction of its size. Of a picture
    that moves, the first frame is taken. Safe to call from several threads.

    Args:
        source: a file's content, or where the file is.
        limits: what is accepted.

    Returns:
        a picture in Pillow's mode "L" or "RGB".

    Raises:
        TooLarge: too many bytes or pixels.
        NotAPicture: no picture, or a broken one, or one of a format or shape that is not accepted.
    """
    content = _content(source, limits.max_bytes)
    try:
        picture = Image.open(io.BytesIO(content), formats=limits.formats)
    except UnidentifiedImageError:
        raise NotAPicture(f"This is {_kind(content)}. Send the picture as {limits.in_words()}.") from None
    except Image.DecompressionBombError:
        raise TooLarge(_too_many(limits.max_pixels)) from None
    except Exception as error:  # Pillow's parsers raise nearly anything on bytes that are made for it
        raise NotAPicture("The picture is broken: its beginning makes no sense. Save it anew, as PNG.") from error
    with picture:
        _check_size(picture, limits.max_pixels)
        try:
            return _decoded(picture)
        except MemoryError:
            raise TooLarge("The picture is too large to be unpacked here. Send a smaller one.") from None
        except Exception as error:  # as above
            raise NotAPicture("The picture is broken, or was cut short on its way. Send it again.") from error


def _content(source: bytes | Path, max_bytes: int) -> bytes:
    name = "The picture"
    if isinstance(source, Path):
        name = readable(source)
        try:
            with source.open("rb") as file:
                source = file.read(max_bytes + 1)  # no more, however long the file is, or grows to be
        except OSError as error:
            raise NotAPicture(f"{name} cannot be opened: {error.strerror or error}.") from error
    if len(source) > max_bytes:
        raise TooLarge(f"{name} has more than {max_bytes / 1e6:,.0f} MB. Send a smaller one, or save it as JPEG.")
    if not source:
        raise NotAPicture(f"{name} is empty: it has no bytes at all. Send it again.")
    return source


def _kind(content: bytes) -> str:
    """Say in words what bytes are that are in none of the accepted formats."""
    if kind := OTHERS.get(content[4:12]):
        return kind
    if content[:4] in (b"II*\0", b"MM\0*"):
        return "a TIFF picture"
    return kind_of(content).split(" (")[0]  # without its list of formats: which ones are accepted is said anyway


def _too_many(max_pixels: int) -> str:
    return f"The picture has more than {max_pixels / 1e6:,.0f} million pixels. Send a smaller one."


def _check_size(picture: Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels // (2 if picture.format == "WEBP" else 1):
        raise TooLarge(_too_many(max_pixels // (2 if picture.format == "WEBP" else 1)))
    if min(width, height) < SMALLEST:
        raise NotAPicture(
            f"The picture has {width} x {height} pixels: too few to show writing. "
            f"Send one of at least {SMALLEST} x {SMALLEST}."
        )
    if max(width, height) > NARROWEST * min(width, height):
        raise NotAPicture(
            f"The picture has {width} x {height} pixels: too narrow. Cut it to the part with the writing."
        )


def _decoded(picture: Image.Image) -> Image.Image:
    turn = TURNS.get(_orientation(picture))
    if picture.format in ("JPEG", "MPO"):
        share = LONGEST / max(picture.size)
        if share < 1:  # the decoder takes the smallest of 1/2, 1/4 and 1/8 of the size that is not below this
            picture.draft(None, (math.ceil(picture.width * share), math.ceil(picture.height * share)))
    picture.load()
    small = _reduced(picture, max(1, max(picture.size) // LONGEST))
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.BILINEAR)
    return small.transpose(turn) if turn is not None else small


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # the notes of a camera may be nonsense where its picture is sound
        return 1


def _reduced(picture: Image.Image, factor: int) -> Image.Image:
    """Return the picture on white paper in mode "L" or "RGB", its sides divided by a whole number.

    It goes strip by strip, since each conversion of the whole picture would take its memory once more.
    """
    grey = picture.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "F") and "transparency" not in picture.info
    small = Image.new(
        "L" if grey else "RGB", (math.ceil(picture.width / factor), math.ceil(picture.height / factor)), "white"
    )
    rows = max(1, STRIP // picture.width // factor) * factor
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        strip.info = picture.info  # which colour is transparent
        small.paste(_on_white(strip).convert(small.mode).reduce(factor), (0, top // factor))
    return small


def _on_white(strip: Image.Image) -> Image.Image:
    if strip.mode.startswith(("I", "F")):  # 16 bits for each grey value
        values = np.asarray(strip, dtype=np.float32) / (257 if strip.mode != "F" else 1)
        return Image.fromarray(np.nan_to_num(values).clip(0, 255).astype(np.uint8))
    if "transparency" not in strip.info and "A" not in strip.getbands() and "a" not in strip.getbands():
        return strip
    strip = strip.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
