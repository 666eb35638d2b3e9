"""Photographed and drawn characters look as in the data that networks have learned from; hostile files do not pass."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from photographed import SEVERITIES, enlarge, photograph
from PIL import Image

from benchmarks.drawing import STROKES, curve
from lab_kit.errors import UserError
from lab_kit.handwriting.pen_strokes import draw_set
from lab_kit.photo import box_line, crop_object, only_line, open_picture, prepare_character, prepare_line
from lab_kit.photo.background import dark_on_light, grey_values
from lab_kit.photo.ink import NoWriting, extract_ink
from lab_kit.photo.open_picture import LONGEST, ImageLimits, NotAPicture, TooLarge
from lab_kit.photo.simulation import LOOKS
from lab_kit.photo.simulation import photograph as photograph_as
from lab_kit.photo.strokes import stroke_width
from text_recognizer.data.character_mapping import ALPHANUMERIC

WRITERS = range(2_000_000, 2_001_000)


@pytest.fixture(scope="module", params=["box", "mass"])
def trained(request) -> tuple[str, np.ndarray]:
    """A layout, and training pictures in it."""
    return request.param, draw_set(ALPHANUMERIC, 10, WRITERS, seed=5, layout=request.param)[0].numpy()


def test_the_thickest_pen_is_no_grain_of_the_paper():
    drawn, _ = draw_set(ALPHANUMERIC, 300, WRITERS, seed=1)
    refused = 0
    for picture in drawn.numpy():
        large = cv2.GaussianBlur(cv2.resize(255 - picture, (140, 140), interpolation=cv2.INTER_CUBIC), (0, 0), 4)
        thick = Image.fromarray(np.where(large < 190, 0, 255).astype(np.uint8))
        try:
            extract_ink(thick)
        except NoWriting:
            refused += 1
    assert refused <= 3


@pytest.mark.parametrize("seed", range(4))
def test_a_rough_table_beside_blank_paper_is_no_writing(seed):
    random = np.random.default_rng(seed)
    picture = 225 + random.normal(0, 2, (300, 400))
    rough = cv2.GaussianBlur(random.normal(size=(300, 160)), (0, 0), 1)
    picture[:, 240:] = 120 * (rough - rough.min()) / np.ptp(rough) + random.normal(0, 12, rough.shape)
    with pytest.raises(NoWriting):
        prepare_character(Image.fromarray(picture.clip(0, 255).astype(np.uint8)), "box")


def box_of(picture: np.ndarray) -> np.ndarray:
    """Left, top, width and height of the ink."""
    return np.array(cv2.boundingRect((picture > 100).astype(np.uint8)))


def middle(picture: np.ndarray, layout: str) -> np.ndarray:
    """What the layout puts into the middle: column and row."""
    if layout == "box":
        left, top, width, height = box_of(picture)
        return np.array([left + width / 2, top + height / 2])
    weights = picture / picture.sum()
    places = np.arange(len(picture)) + 0.5
    return np.array([weights.sum(axis=0) @ places, weights.sum(axis=1) @ places])


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two characters that are made equally large, each direction by itself, and a bit blurred."""
    same = []
    for picture in (one, other):
        left, top, width, height = box_of(picture)
        part = cv2.resize(picture[top : top + height, left : left + width], (24, 24), interpolation=cv2.INTER_AREA)
        same.append(cv2.GaussianBlur(part.astype(np.float32), (0, 0), 2).ravel())
    return float(np.corrcoef(*same)[0, 1])


def page(
    name: str, pen: int = 8, side: int = 280, size: float = 0.7, at: tuple[float, float] = (0.5, 0.5)
) -> np.ndarray:
    """A character of the benchmarks' hand on a canvas: (side, side) uint8, ink 0 on 255."""
    canvas = np.full((side, side), 255, np.uint8)
    for stroke in STROKES[name]:
        path = ((curve(stroke, 12) / 100 - 0.5) * size + at) * side
        cv2.polylines(canvas, [np.round(path * 16).astype(np.int32)], False, 0, pen, cv2.LINE_AA, 4)
    return canvas


def png(pixels: np.ndarray, mode: str | None = None, **how) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, "PNG", **how)
    return file.getvalue()


def saved(picture: Image.Image, form: str, **how) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **how)
    return file.getvalue()


# Characters


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_photographed_character_looks_as_in_the_training_data(trained, severity):
    layout, pictures = trained
    found = []
    for k, picture in enumerate(pictures):
        photo = photograph(enlarge(picture, 8), np.random.default_rng(k), severity)
        seen = prepare_character(open_picture(photo), layout)
        assert (seen.shape, seen.dtype) == ((28, 28), np.uint8)
        assert np.abs(middle(seen, layout) - 14).max() < 1.5
        found.append((likeness(picture, seen), box_of(seen)[2:].max(), stroke_width((seen > 127).astype(np.uint8))))
    alike, longer, width = np.array(found).T
    assert np.median(alike) > (0.9 if severity == "clean" else 0.75)
    assert abs(np.median(longer) - np.median([box_of(picture)[2:].max() for picture in pictures])) < 3
    assert width.min() > 0.9
    assert width.max() < 6


@given(
    pen=st.integers(6, 26),
    size=st.floats(0.48, 0.85),  # below, the thickest pen fills the loop of an e
    across=st.floats(0.45, 0.55),
    light=st.booleans(),
    name=st.sampled_from(sorted(STROKES)),
)
@example(pen=25, size=0.7, across=0.5, light=True, name="e")  # ink all around many a pixel of ink
@settings(max_examples=25)
def test_size_place_pen_and_colours_of_a_drawing_do_not_matter(pen, size, across, light, name):
    as_usual = prepare_character(Image.fromarray(page(name)), "box")
    drawing = page(name, pen, size=size, at=(across, 1 - across))
    other = prepare_character(Image.fromarray(255 - drawing if light else drawing), "box")
    assert likeness(as_usual, other) > 0.6
    assert np.abs(middle(other, "box") - middle(as_usual, "box")).max() < 1.5


@pytest.mark.parametrize("marked", [{"board": True}, {"rules": 60}, {"rules": 40, "squared": True}, {"rim": True}])
def test_what_it_is_written_on_does_not_matter(marked):
    names = "3RGe"
    for k, name in enumerate(names):
        ink = 255 - page(name, pen=14)
        plain, special = (
            prepare_character(open_picture(photograph(ink, np.random.default_rng(k), "clean", **how)), "box")
            for how in ({}, marked)
        )
        assert likeness(plain, special) > 0.7, name


def test_a_blank_page_is_told_from_a_faint_one():
    random = np.random.default_rng(0)
    for level, grain in ((255, 0), (255, 6), (0, 0), (128, 12)):
        noise = (level + grain * random.standard_normal((200, 300))).clip(0, 255).astype(np.uint8)
        with pytest.raises(NoWriting, match="no writing in this picture"):
            prepare_character(Image.fromarray(noise), "box")
    faint = (255 - (255 - page("7")) * 0.3).astype(np.uint8)
    assert (
        likeness(prepare_character(Image.fromarray(faint), "box"), prepare_character(Image.fromarray(page("7")), "box"))
        > 0.9
    )


def test_a_dot_stays_small():
    dot = np.full((280, 280), 255, np.uint8)
    cv2.circle(dot, (140, 200), 9, 0, -1)
    assert box_of(prepare_character(Image.fromarray(dot), "box"))[2:].max() < 8


# Lines


def written_line(names: str = "ABDEGHNRT", side: int = 120) -> np.ndarray:
    return np.concatenate([255 - page(name, side=side, pen=9, size=0.9) for name in names], axis=1)


@pytest.mark.parametrize("look", ["scan", "ballpoint", "hard shadow, 45%", "dark table", "pencil on rules, 1"])
def test_a_photographed_line_is_level_and_fills_its_height(look):
    clean = prepare_line(Image.fromarray(255 - np.pad(written_line(), 60)), 48)
    for seed in range(3):
        seen = prepare_line(photograph_as(written_line(), LOOKS[look], np.random.default_rng(seed)), 48)
        assert (len(seen), seen.dtype) == (48, np.uint8)
        assert seen.shape[1] == pytest.approx(clean.shape[1], rel=0.12)
        assert likeness(clean, seen) > 0.6, seed


def test_the_edge_of_a_shadow_on_a_long_picture_is_no_board():
    letters = np.concatenate([255 - page(name, side=84, pen=7, size=0.8) for name in "ABDEGHNRTe3745AB"], axis=1)
    for seed in range(20):
        grey = grey_values(open_picture(photograph(letters, np.random.default_rng(seed), "middle")), 1400)
        assert dark_on_light(grey) is grey, seed


def test_in_boxes_small_letters_become_as_large_as_the_others():
    drawing = np.full((200, 700), 255, np.uint8)
    for k, (name, side) in enumerate((("A", 120), ("e", 70), ("e", 70), ("e", 70), ("e", 70), ("D", 120))):
        part = page(name, pen=9, side=side, size=0.9)
        drawing[150 - side : 150, 20 + 110 * k : 20 + 110 * k + side] = part
    seen = box_line(only_line(Image.fromarray(drawing)).ink, 28, 896)
    assert (seen.shape, seen.dtype) == ((28, 896), np.uint8)
    inked = (seen > 100).any(axis=0).astype(np.int8)
    starts, ends = np.flatnonzero(np.diff(inked) == 1) + 1, np.flatnonzero(np.diff(inked) == -1) + 1
    heights = [np.ptp(np.flatnonzero((seen[:, a:b] > 100).any(axis=1))) + 1 for a, b in zip(starts, ends, strict=True)]
    assert len(heights) == 6
    assert min(heights) > 0.7 * max(heights)


def test_what_is_no_line_is_said_so():
    two = np.concatenate([np.concatenate([page(name, side=160) for name in "ABDE"], axis=1) for _ in range(2)])
    long = np.concatenate([page("H", side=100) for _ in range(60)], axis=1)
    with pytest.raises(UserError, match="There are 2 lines"):
        prepare_line(Image.fromarray(two), 48)
    with pytest.raises(UserError, match="too long: about"):
        box_line(only_line(Image.fromarray(long)).ink, 28, 896)
    with pytest.raises(NoWriting):
        prepare_line(Image.fromarray(np.full((100, 900), 255, np.uint8)), 48)


# Things


@pytest.mark.parametrize("light", [True, False])
def test_an_object_is_cut_out_and_stands_in_the_middle(light):
    scene = np.full((300, 400), 20, np.uint8)
    scene[60:260, 40:140] = 200
    seen = crop_object(Image.fromarray(255 - scene if light else scene))
    assert box_of(seen).tolist() == [7, 0, 14, 28]
    assert abs(int(seen[14, 14]) - 180) < 10
    with pytest.raises(UserError, match="only background"):
        crop_object(Image.fromarray(np.full((50, 50), 200, np.uint8)))


# Files


def test_pictures_of_every_kind_are_opened_upright_on_white():
    grey = page("R", side=100)
    rgba = np.dstack([np.zeros((100, 100, 3), np.uint8), 255 - grey])
    turned = Image.fromarray(np.rot90(grey).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: 90 degrees clockwise makes it right
    moving = io.BytesIO()
    Image.fromarray(grey).save(moving, "GIF", save_all=True, append_images=[Image.fromarray(255 - grey)])
    files = {
        "grey": png(grey),
        "colour": png(np.dstack([grey] * 3)),
        "transparent": png(rgba),
        "16 bits": png(grey.astype(np.uint16) * 257),
        "CMYK": saved(Image.fromarray(grey).convert("CMYK"), "JPEG", quality=95),
        "turned": saved(turned, "JPEG", quality=95, exif=exif),
        "WebP": saved(Image.fromarray(grey), "WEBP", lossless=True),
        "BMP": saved(Image.fromarray(grey), "BMP"),
        "moving": moving.getvalue(),
    }
    for name, content in files.items():
        values = np.asarray(open_picture(content).convert("L")).astype(int)
        assert values.shape == (100, 100), name
        assert np.abs(values - grey).mean() < 12, name


def test_a_large_photo_is_made_smaller():
    assert max(open_picture(saved(Image.new("L", (5000, 3000), 200), "JPEG")).size) <= LONGEST


HEADER = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    about = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return HEADER + chunk(b"IHDR", about) + chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", NotAPicture, "empty"),
        (b"hello", NotAPicture, "Send the picture as"),
        (b"<!DOCTYPE html><html><body>404</body></html>", NotAPicture, "a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", NotAPicture, "SVG"),
        (b"%PDF-1.7 ...", NotAPicture, "PDF"),
        (bytes(1000), NotAPicture, "Send the picture as"),
        (HEADER, NotAPicture, "."),
        (png(page("3"))[:-200], NotAPicture, "broken"),
        (saved(Image.fromarray(page("3")), "JPEG")[:1500], NotAPicture, "broken"),
        (bomb(100_000, 100_000), TooLarge, "pixels"),
        (bomb(9_000, 7_000), TooLarge, "pixels"),
        (png(np.zeros((1, 1), np.uint8)), NotAPicture, "pixel"),
        (bomb(100_000, 2), NotAPicture, "."),
        (png(page("3")) + bytes(10_000_001), TooLarge, "10 MB"),
    ],
    ids=lambda value: repr(value)[:24] if isinstance(value, bytes) else None,
)
def test_a_hostile_file_is_refused_in_one_line(content, error, message):
    with pytest.raises(error, match=message) as refused:
        open_picture(content)
    assert "\n" not in str(refused.value)


def test_limits_are_those_that_are_given(tmp_path: Path):
    file = tmp_path / "three.png"
    file.write_bytes(png(page("3")))
    with pytest.raises(TooLarge):
        open_picture(file, ImageLimits(max_pixels=280 * 279))
    with pytest.raises(TooLarge):
        open_picture(file, ImageLimits(max_bytes=100))
    with pytest.raises(NotAPicture, match="cannot be opened"):
        open_picture(tmp_path / "none.png")
    assert open_picture(file).size == (280, 280)
