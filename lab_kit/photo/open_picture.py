"""Open a picture: a file, one of Pillow's or an array; all programs read pictures with this.

Files may come from strangers: what is not a picture, too large or broken is refused in one line.
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lab_kit.datasets.picture_formats import (
    ARRAY,
    GREY_MODES,
    MAX_BYTES,
    MAX_PIXELS,
    SUFFIXES,
    BrokenPicture,
    NotAPicture,
    TooLarge,
    open_image,
)
from lab_kit.photo.ground import on_ground
from lab_kit.photo.picture_arrays import array_to_bytes, name_of, read_array

Picture = bytes | Path | Image.Image | np.ndarray  # what can be opened

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


@dataclass(frozen=True)
class ImageLimits:
    """The sizes and the formats of pictures that are accepted. The defaults are for strangers' pictures of writing.

    Args:
        max_bytes: largest size of the file.
        max_pixels: largest number of pixels. Decoding takes up to 4 bytes for each. WebP takes 8, so only half as many
            are accepted.
        formats: Pillow's names of the formats, or `ARRAY` for NumPy's.
        writing: whether pictures show writing, for which some are too small or too narrow, and whose colours do not
            matter.
    """

    max_bytes: int = 10_000_000
    max_pixels: int = 40_000_000
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
    writing: bool = True

    def names_of_formats(self) -> str:
        """Return the names of the formats as part of a sentence: "JPEG, PNG or WebP"."""
        *names, last = (name.replace("WEBP", "WebP") for name in self.formats)
        return f"{', '.join(names)} or {last}" if names else last


# One's own pictures: of writing, and of a data set, where a picture may be of any size.
OWN_WRITING = ImageLimits(MAX_BYTES, MAX_PIXELS, tuple(SUFFIXES))
OWN_PICTURE = ImageLimits(MAX_BYTES, MAX_PIXELS, tuple(SUFFIXES), writing=False)


def open_picture(source: Picture, limits: ImageLimits = ImageLimits(), longest: int = LONGEST) -> Image.Image:
    """Decode a picture: upright, without transparency, 8 bits, its longer side at most `longest` pixels.

    Sizes are checked before anything is decoded, and a large JPEG is decoded at a fraction of its size. Of an animated
    picture, the first frame is taken. What is transparent becomes a ground from which the picture stands out. 16 bits
    are reduced to the upper 8. Can be called from several threads at once.

    Args:
        source: the content of a file, its path, an opened picture, which is not changed, or an array (H, W) or
            (H, W, channels) of grey, grey and alpha, RGB or RGBA: see `array_to_bytes`. (An array of a picture with a
            palette has the numbers of colours, not colours: convert such a picture to RGB or RGBA first.)
        limits: the sizes and formats that are accepted.
        longest: pixels of the longer side of the result.

    Returns:
        a picture in Pillow's mode "L" or "RGB".

    Raises:
        TooLarge: the picture has too many bytes or pixels.
        NotAPicture: it is not a picture, or is broken, or has a format or shape that is not accepted.
    """
    origin, own = source, isinstance(source, Path)
    if isinstance(source, np.ndarray) or (own and ARRAY in limits.formats):
        array = read_array(source)
        source = source if array is None else _from_array(array, origin)
    if isinstance(source, Image.Image):
        _check_format(source, limits)
        _check_size(source, limits)
        return _decode(source, limits, longest, origin)
    content = _read(source, limits.max_bytes)
    try:
        picture = open_image(content, limits.formats, limits.max_pixels)
    except BrokenPicture as error:
        raise BrokenPicture(
            f"{name_of(origin)} is broken: its header cannot be read. Save it again, as PNG."
        ) from error
    except NotAPicture as error:
        if own:
            raise NotAPicture(f"{name_of(origin)} is {error}.") from None
        what = str(error).split(" (")[0]  # without the list in brackets, which is not that of `limits`
        raise NotAPicture(f"This is {what}. Send the picture as {limits.names_of_formats()}.") from None
    except TooLarge as error:
        raise TooLarge(f"{name_of(origin)} has {error}. Make it smaller.") from None
    with picture:
        _check_size(picture, limits)
        if picture.format in ("JPEG", "MPO"):
            share = longest / max(picture.size)
            if share < 1:  # the decoder takes the smallest of 1/2, 1/4 and 1/8 of the size that is not below this
                picture.draft(None, (math.ceil(picture.width * share), math.ceil(picture.height * share)))
        return _decode(picture, limits, longest, origin)


def _read(source: bytes | Path, max_bytes: int) -> bytes:
    content = source
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                content = file.read(max_bytes + 1)  # never more, even if the file grows
        except OSError as error:
            raise NotAPicture(f"{name_of(source)} cannot be opened: {error.strerror or error}.") from error
    if len(content) > max_bytes:
        most = f"{max_bytes / 1e6:,.0f} MB"
        raise TooLarge(f"{name_of(source)} has more than {most}. Make it smaller, or save it as JPEG.")
    if not content:
        raise NotAPicture(f"{name_of(source)} is empty: it has 0 bytes.")
    return content


def _from_array(values: np.ndarray, source: Picture) -> Image.Image:
    channels = values.shape[2]
    if not 1 <= channels <= 4:
        raise NotAPicture(f"{name_of(source)} has {channels} channels: an array is (H, W) or (H, W, 1 to 4).")
    return Image.fromarray(np.ascontiguousarray(values[..., 0] if channels == 1 else values))


def _check_format(picture: Image.Image, limits: ImageLimits) -> None:
    if picture.format is not None and picture.format not in limits.formats:  # None: it was made in memory
        raise NotAPicture(f"This is {picture.format}, not a picture of a known format: save it as PNG.")


def _check_size(picture: Image.Image, limits: ImageLimits) -> None:
    width, height = picture.size
    if width * height > limits.max_pixels:
        raise TooLarge(f"The picture has more than {limits.max_pixels / 1e6:,.0f} million pixels. Make it smaller.")
    if limits.writing and min(width, height) < MIN_SIDE:
        raise NotAPicture(
            f"The picture has {width} x {height} pixels, which is too small for writing. "
            f"Send one of at least {MIN_SIDE} x {MIN_SIDE}."
        )
    if limits.writing and max(width, height) > MAX_ASPECT * min(width, height):
        raise NotAPicture(f"The picture has {width} x {height} pixels, which is too narrow. Crop it to the writing.")


def _decode(picture: Image.Image, limits: ImageLimits, longest: int, source: Picture) -> Image.Image:
    """Return the pixels of an opened picture, which stays as it is but for being decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; real errors are exceptions
            picture.load()
            turn = TRANSPOSITIONS.get(_orientation(picture))
            small = _reduce(picture, max(1, max(picture.size) // longest))
            small.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    except MemoryError:
        raise TooLarge("There is not enough memory to decode the picture. Make it smaller.") from None
    except Exception as error:  # decoders raise nearly any exception on hostile bytes
        again = "Save" if isinstance(source, Path) else "Send"
        raise BrokenPicture(f"{name_of(source)} is broken or incomplete. {again} it again.") from error
    if small.mode.endswith("A"):
        small = on_ground(small, limits.writing)
    return small.transpose(turn) if turn is not None else small


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # the metadata may be broken although the picture is sound
        return 1


def _reduce(picture: Image.Image, factor: int) -> Image.Image:
    """Return a picture of any mode in mode "L", "LA", "RGB" or "RGBA", its sides divided by the integer `factor`.

    A large one is converted strip by strip: each conversion of the whole picture would need as much memory again.
    """
    numbers = None
    if picture.mode.startswith(("I", "F")):  # 16 or 32 bits for each grey value
        numbers = array_to_bytes(np.asarray(picture))
    transparent = picture.has_transparency_data and numbers is None
    mode = ("L" if picture.mode in GREY_MODES else "RGB") + ("A" if transparent else "")
    if factor == 1:
        small = picture.convert(mode) if numbers is None else Image.fromarray(numbers)
        small.info = {}  # or a camera's EXIF data would turn it once more
        return small
    small = Image.new(mode, (math.ceil(picture.width / factor), math.ceil(picture.height / factor)))
    rows = max(1, STRIP // picture.width // factor) * factor
    for top in range(0, picture.height, rows):
        if numbers is not None:
            strip = Image.fromarray(numbers[top : top + rows])
        else:
            strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
            strip.info = picture.info  # which colour is transparent
        small.paste(strip.convert(mode).reduce(factor), (0, top // factor))
    return small
