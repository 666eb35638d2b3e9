"""Open a picture from an untrusted source: refuse files that are not pictures, too large, or broken."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lab_kit.curation.check_picture import describe_bytes
from lab_kit.errors import UserError
from lab_kit.paths import readable

LONGEST = 2048  # pixels of the longer side, to which larger pictures are reduced: enough to read any writing
MIN_SIDE = 8  # pixels
MAX_ASPECT = 100  # longer side per shorter side: a picture that is narrower shows no writing
STRIP = 1 << 20  # pixels that are converted at a time
ORIENTATION = 0x0112  # EXIF's tag for how the camera was held
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
OTHER_FORMATS = {
    b"ftypavif": "an AVIF picture", b"ftypavis": "an AVIF picture",
    **{b"ftyp" + brand: "a HEIC picture, as iPhones take them" for brand in
       (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")},
}  # fmt: skip


class TooLarge(UserError):
    """The picture has more bytes or pixels than are accepted (status 413 in HTTP)."""


class NotAPicture(UserError):
    """The file is not a picture, or is broken, or has a format or shape that is not accepted (status 415 in HTTP)."""


@dataclass(frozen=True)
class ImageLimits:
    """The largest size and the formats of pictures that are accepted.

    Args:
        max_bytes: largest size of the file.
        max_pixels: largest number of pixels. Decoding takes up to 4 bytes for each. WebP takes 8, so only half as many
            are accepted.
        formats: Pillow's names of the formats.
    """

    max_bytes: int = 10_000_000
    max_pixels: int = 40_000_000
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

    def names_of_formats(self) -> str:
        """Return the names of the formats as part of a sentence: "JPEG, PNG or WebP"."""
        *names, last = (name.replace("WEBP", "WebP") for name in self.formats)
        return f"{', '.join(names)} or {last}" if names else last


def open_picture(source: bytes | Path, limits: ImageLimits = ImageLimits()) -> Image.Image:
    """Decode a picture: upright, white where it was transparent, its longer side at most 2048 pixels.

    Sizes are checked before anything is decoded, and a large JPEG is decoded at a fraction of its size. Of an animated
    picture, the first frame is taken. Can be called from several threads at once.

    Args:
        source: the content of a file, or its path.
        limits: the sizes and formats that are accepted.

    Returns:
        a picture in Pillow's mode "L" or "RGB".

    Raises:
        TooLarge: the file has too many bytes or pixels.
        NotAPicture: the file is not a picture, or is broken, or has a format or shape that is not accepted.
    """
    content = _read(source, limits.max_bytes)
    try:
        picture = Image.open(io.BytesIO(content), formats=limits.formats)
    except UnidentifiedImageError:
        raise NotAPicture(f"This is {_describe(content)}. Send the picture as {limits.names_of_formats()}.") from None
    except Image.DecompressionBombError:
        raise TooLarge(_too_many_pixels(limits.max_pixels)) from None
    except Exception as error:  # Pillow's parsers raise nearly any exception on hostile bytes
        raise NotAPicture("The picture is broken: its header cannot be read. Save it again, as PNG.") from error
    with picture:
        _check_size(picture, limits.max_pixels)
        try:
            return _decode(picture)
        except MemoryError:
            raise TooLarge("There is not enough memory to decode the picture. Send a smaller one.") from None
        except Exception as error:  # as above
            raise NotAPicture("The picture is broken or incomplete. Send it again.") from error


def _read(source: bytes | Path, max_bytes: int) -> bytes:
    name = "The picture"
    if isinstance(source, Path):
        name = readable(source)
        try:
            with source.open("rb") as file:
                source = file.read(max_bytes + 1)  # never more, even if the file grows
        except OSError as error:
            raise NotAPicture(f"{name} cannot be opened: {error.strerror or error}.") from error
    if len(source) > max_bytes:
        raise TooLarge(f"{name} has more than {max_bytes / 1e6:,.0f} MB. Send a smaller one, or save it as JPEG.")
    if not source:
        raise NotAPicture(f"{name} is empty: it has 0 bytes. Send it again.")
    return source


def _describe(content: bytes) -> str:
    """Describe in words a file that has none of the accepted formats."""
    if kind := OTHER_FORMATS.get(content[4:12]):
        return kind
    if content[:4] in (b"II*\0", b"MM\0*"):
        return "a TIFF picture"
    return describe_bytes(content).split(" (")[0]  # without the list in brackets, which is not that of `limits`


def _too_many_pixels(max_pixels: int) -> str:
    return f"The picture has more than {max_pixels / 1e6:,.0f} million pixels. Send a smaller one."


def _check_size(picture: Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels // (2 if picture.format == "WEBP" else 1):
        raise TooLarge(_too_many_pixels(max_pixels // (2 if picture.format == "WEBP" else 1)))
    if min(width, height) < MIN_SIDE:
        raise NotAPicture(
            f"The picture has {width} x {height} pixels, which is too small for writing. "
            f"Send one of at least {MIN_SIDE} x {MIN_SIDE}."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise NotAPicture(f"The picture has {width} x {height} pixels, which is too narrow. Crop it to the writing.")


def _decode(picture: Image.Image) -> Image.Image:
    turn = TRANSPOSITIONS.get(_orientation(picture))
    if picture.format in ("JPEG", "MPO"):
        share = LONGEST / max(picture.size)
        if share < 1:  # the decoder takes the smallest of 1/2, 1/4 and 1/8 of the size that is not below this
            picture.draft(None, (math.ceil(picture.width * share), math.ceil(picture.height * share)))
    picture.load()
    small = _reduce(picture, max(1, max(picture.size) // LONGEST))
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.BILINEAR)
    return small.transpose(turn) if turn is not None else small


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # the metadata may be broken although the picture is sound
        return 1


def _reduce(picture: Image.Image, factor: int) -> Image.Image:
    """Return the picture on white in mode "L" or "RGB", its sides divided by the integer `factor`.

    It is converted strip by strip: each conversion of the whole picture would need as much memory again.
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
    if strip.mode.startswith(("I", "F")):  # 16 or 32 bits for each grey value
        values = np.asarray(strip, dtype=np.float32) / (257 if strip.mode != "F" else 1)
        return Image.fromarray(np.nan_to_num(values).clip(0, 255).astype(np.uint8))
    if "transparency" not in strip.info and "A" not in strip.getbands() and "a" not in strip.getbands():
        return strip
    strip = strip.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
