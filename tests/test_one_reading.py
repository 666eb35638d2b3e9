"""One picture, one reading: in whatever way it comes, and in whatever colour it is written."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import web_server
from PIL import Image, ImageDraw, ImageOps

from app.picture_reader import PictureReader
from lab_kit.errors import UserError
from lab_kit.photo.open_picture import ImageLimits, open_picture
from lab_kit.serving.limits import RequestLimits
from lab_kit.serving.metrics import Metrics
from text_recognizer.recognizer import Recognizer

# One picture, one reading

SIGNS = ("1", "-", "0")
WAYS = {  # how a picture gets to the recognizer, from its file
    "path": lambda path: path,
    "text": str,
    "opened": Image.open,
    "decoded": lambda path: opened_and_decoded(path),
    "copied": lambda path: Image.open(path).copy(),
    "content": lambda path: path.read_bytes(),
    "in a list": lambda path: [path],
}


def opened_and_decoded(path: Path) -> Image.Image:
    picture = Image.open(path)
    picture.load()
    return picture


def turned(picture: Image.Image, orientation: int) -> dict:
    """The picture as a camera saves it that was held in this way."""
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270,
            5: Image.Transpose.TRANSPOSE, 7: Image.Transpose.TRANSVERSE}[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"picture": picture.transpose(undo), "exif": exif}


def with_alpha(sign: str, ink: tuple[int, ...], opacity: float = 1.0) -> Image.Image:
    drawn = web_server.drawing(sign)
    picture = Image.new("RGBA", drawn.size, (*ink, 0))
    picture.putalpha(Image.eval(drawn, lambda value: round((255 - value) * opacity)))
    return picture


def palette(sign: str, transparent: bool) -> Image.Image:
    picture = web_server.drawing(sign).convert("RGB").quantize(8)
    if transparent:
        picture.info["transparency"] = max(picture.getcolors())[1]  # the paper
    return picture


FORMS = {  # name -> (suffix, how the sign is saved)
    "grey": (".png", lambda sign: {"picture": web_server.drawing(sign)}),
    "colour": (".jpg", lambda sign: {"picture": web_server.drawing(sign).convert("RGB"), "quality": 95}),
    "CMYK": (".jpg", lambda sign: {"picture": web_server.drawing(sign).convert("CMYK"), "quality": 95}),
    "one bit": (".png", lambda sign: {"picture": web_server.drawing(sign).convert("1")}),
    "16 bits": (".png", lambda sign: {"picture": deep(sign)}),
    "16 bits in TIFF": (".tif", lambda sign: {"picture": deep(sign)}),
    "float": (".tif", lambda sign: {"picture": Image.fromarray(values(sign) / np.float32(255))}),
    "16 bits the other way round": (".tif", lambda sign: {"picture": big_endian(sign)}),
    "32 bits": (".tif", lambda sign: {"picture": Image.fromarray(values(sign).astype(np.int32) * 257)}),
    "four channels": (".png", lambda sign: {"picture": web_server.drawing(sign).convert("RGBA")}),
    "transparent": (".png", lambda sign: {"picture": with_alpha(sign, (0, 0, 0))}),
    "transparent white": (".webp", lambda sign: {"picture": with_alpha(sign, (255, 255, 255)), "lossless": True}),
    "grey and alpha": (".png", lambda sign: {"picture": with_alpha(sign, (0, 0, 0)).convert("LA")}),
    "white and alpha": (".png", lambda sign: {"picture": with_alpha(sign, (255, 255, 255)).convert("LA")}),
    "palette": (".png", lambda sign: {"picture": palette(sign, False)}),
    "transparent palette": (".png", lambda sign: {"picture": palette(sign, True)}),
    "transparent GIF": (".gif", lambda sign: {"picture": palette(sign, True)}),
    "transparent grey": (".png", lambda sign: {"picture": web_server.drawing(sign), "transparency": 255}),
    "a board": (".png", lambda sign: {"picture": ImageOps.invert(web_server.drawing(sign))}),
    "held upright": (".jpg", lambda sign: {**turned(web_server.drawing(sign), 6), "quality": 95}),
    "held on its head": (".png", lambda sign: turned(web_server.drawing(sign), 3)),
    "held the other way": (".webp", lambda sign: turned(web_server.drawing(sign), 8)),
    "mirrored": (".tif", lambda sign: turned(web_server.drawing(sign), 5)),
    "turned, transparent": (".png", lambda sign: turned(with_alpha(sign, (0, 0, 90)), 7)),
}  # fmt: skip


def values(sign: str) -> np.ndarray:
    return np.asarray(web_server.drawing(sign))


def deep(sign: str) -> Image.Image:
    return Image.fromarray(values(sign).astype(np.uint16) * 257)


def big_endian(sign: str) -> Image.Image:
    return Image.frombytes("I;16B", (280, 280), (values(sign).astype(">u2") * 257).tobytes())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recognizer]:
    folder = tmp_path_factory.mktemp("models")
    own = web_server.ship_picture_model(folder / "own")
    return {"writing": Recognizer.load(web_server.ship(folder / "writing")), "own pictures": Recognizer.load(own)}


@pytest.mark.parametrize("model", ["writing", "own pictures"])
@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_read_the_same_in_whatever_way_it_comes(models, tmp_path, form, model):
    suffix, save = FORMS[form]
    for sign in SIGNS:
        how = save(sign)
        path = tmp_path / f"{SIGNS.index(sign)}{suffix}"
        how.pop("picture").save(path, **how)
        before = path.read_bytes()
        readings = {}
        for way, make in WAYS.items():
            given = make(path)
            size, mode = (given.size, given.mode) if isinstance(given, Image.Image) else (None, None)
            reading = models[model].predict(given)
            readings[way] = reading[0] if isinstance(reading, list) else reading
            assert not isinstance(given, Image.Image) or (given.size, given.mode) == (size, mode)
        assert {way: reading.text for way, reading in readings.items()} == dict.fromkeys(WAYS, sign)
        assert len({round(reading.confidence, 3) for reading in readings.values()}) == 1
        assert path.read_bytes() == before


ARRAYS = {
    "grey": lambda sign: values(sign),
    "one channel": lambda sign: values(sign)[..., None],
    "colour": lambda sign: np.asarray(web_server.drawing(sign).convert("RGB")),
    "four channels": lambda sign: np.asarray(web_server.drawing(sign).convert("RGBA")),
    "transparent": lambda sign: np.asarray(with_alpha(sign, (0, 0, 0))),
    "transparent white": lambda sign: np.asarray(with_alpha(sign, (255, 255, 255))),
    "grey and alpha": lambda sign: np.asarray(with_alpha(sign, (250, 250, 250)).convert("LA")),
    "16 bits": lambda sign: np.asarray(deep(sign)),
    "16 bits, colour": lambda sign: np.asarray(web_server.drawing(sign).convert("RGB"), np.uint16) * 257,
    "floats to 1": lambda sign: values(sign) / 255,
    "floats to 255": lambda sign: values(sign).astype(np.float32),
    "integers": lambda sign: values(sign).astype(np.int64),
    "true and false": lambda sign: values(sign) > 127,
    "every other pixel": lambda sign: np.asarray(web_server.drawing(sign, 560))[::2, ::2],
    "from behind": lambda sign: values(sign)[::-1, ::-1],
}


@pytest.mark.parametrize("model", ["writing", "own pictures"])
@pytest.mark.parametrize("form", ARRAYS)
def test_an_array_is_read_as_the_picture_that_it_holds(models, tmp_path, form, model):
    for sign in SIGNS:
        array = ARRAYS[form](sign)
        np.save(tmp_path / "array.npy", array)
        readings = [models[model].predict(given) for given in (array, tmp_path / "array.npy")]
        assert [reading.text for reading in readings] == [sign, sign]
        assert readings[0] == readings[1]


def saved_as(kind: str) -> Image.Image:
    file = io.BytesIO()
    web_server.drawing("0").save(file, kind)
    return Image.open(file)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((3, 4, 5, 6)), r"an array \(3, 4, 5, 6\) float64; a picture is"),
        (np.zeros((40, 40, 5), np.uint8), "5 channels"),
        (np.array([["a"]]), "an array"),
        (np.zeros((0, 4)), "an array"),
        (np.zeros((40, 40), complex), "an array"),
        (3.5, "A picture is a file, one of Pillow's, or an array, not float"),
        (None, "not NoneType"),
        ("nowhere.png", "nowhere.png cannot be opened: No such file"),
        (".", "cannot be opened: Is a directory"),
        (__file__, "test_one_reading.py is text, not a picture"),
        (np.full((40, 40), np.nan), "without a single finite number"),
        (np.zeros((2, 2), np.uint8), "too small"),
        (b"hello", "text, not a picture"),
        (web_server.encoded(web_server.drawing("0"))[:500], "broken or incomplete"),
        *((saved_as(kind), f"This is {kind}, not a picture of a known format") for kind in ("ICO", "TGA", "DDS")),
        (Image.open(io.BytesIO(web_server.encoded(web_server.drawing("0"))[:500])), "broken or incomplete"),
    ],
)
def test_what_is_no_picture_is_said_in_one_line(models, tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        models["writing"].predict(given)
    assert "\n" not in str(error.value)


# Digital ink

INKS = {
    "white": (255, 255, 255), "ivory": (255, 255, 240), "light grey": (211, 211, 211), "yellow": (255, 255, 0),
    "pink": (255, 192, 203), "sky": (135, 206, 235), "mint": (189, 252, 201), "orange": (255, 165, 0),
    "grey": (128, 128, 128), "green": (0, 128, 0), "red": (255, 0, 0), "blue": (0, 0, 255), "black": (0, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("opacity", [1.0, 0.5, 0.2])
@pytest.mark.parametrize("ink", INKS)
def test_ink_of_every_colour_on_transparent_ground_is_read(models, ink, opacity):
    for sign in SIGNS:
        content = web_server.encoded(with_alpha(sign, INKS[ink], opacity))
        for model in models.values():
            opened = open_picture(content, ImageLimits())  # as the server does
            assert model.read(model.prepare(opened)[None])[0].text == sign
            assert model.predict(with_alpha(sign, INKS[ink], opacity)).text == sign


def two_inks(one: tuple[int, ...], other: tuple[int, ...]) -> Image.Image:
    """A ring, half of it in each ink."""
    picture = np.asarray(with_alpha("0", one)).copy()
    picture[:, 140:, :3] = other
    return Image.fromarray(picture)


@pytest.mark.parametrize("other", ["white", "yellow", "red", "blue", "black"])
@pytest.mark.parametrize("one", ["white", "light grey", "red", "black"])
def test_ink_of_two_colours_is_read(models, one, other):
    assert models["writing"].predict(two_inks(INKS[one], INKS[other])).text == "0"


def sheet(sign: str, paper: int, ink: int, board: int = 0) -> Image.Image:
    """A sheet of paper that somebody has cut out: its corners are transparent, and so is what is around it."""
    page = Image.new("RGBA", (400, 400), (board, board, board, 0))
    drawn = values(sign) / 255
    content = Image.fromarray((ink + (paper - ink) * drawn).astype(np.uint8)).convert("RGBA")
    mask = Image.new("L", content.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 279, 279), 40, fill=255)
    page.paste(content, (60, 60), mask)
    return page


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (235, 60), (20, 240), (0, 255)])
@pytest.mark.parametrize("board", [0, 255])
def test_a_sheet_with_a_transparent_rim_is_paper_and_no_ink(models, paper, ink, board):
    for sign in SIGNS:
        assert models["writing"].predict(sheet(sign, paper, ink, board)).text == sign
    blank = Image.new("RGBA", (300, 200), (paper, paper, paper, 255))
    with pytest.raises(UserError, match="no writing"):
        models["writing"].predict(blank)


def test_the_preview_shows_what_the_server_reads(models):
    reader = PictureReader(models["writing"], 1, 4, RequestLimits(), Metrics())
    prediction = reader._read(web_server.encoded(with_alpha("1", INKS["white"])))
    assert prediction.reading.text == "1"
    shown = Image.open(io.BytesIO(base64.b64decode(prediction.preview(100).partition(",")[2])))
    assert shown.size == (100, 100)
    assert shown.convert("L").getextrema() == (0, 255)  # white ink on black
    assert shown.convert("L").getpixel((5, 5)) == 0


# Pages


def test_a_page_is_read_line_by_line_and_says_where_each_is(tmp_path):
    recognizer = Recognizer.load(web_server.ship(tmp_path / "lines", "line"))
    rows = []
    for signs in ("10", "0101", "1"):
        row = Image.new("L", (900, 220), 255)
        for place, sign in enumerate(signs):
            row.paste(web_server.drawing(sign, 200), (20 + 210 * place, 10))
        rows.append(row)
    page = Image.fromarray(np.concatenate([np.asarray(row) for row in rows]))
    reading = recognizer.read_page(page)
    assert [line.text for line in reading.lines] == [recognizer.predict(row).text for row in rows]
    assert reading.text == "\n".join(line.text for line in reading.lines)
    for k, line in enumerate(reading.lines):
        assert all(0 <= x <= 900 and 220 * k <= y <= 220 * (k + 1) for x, y in line.corners)
    with pytest.raises(UserError, match="not the lines of a page"):
        Recognizer.load(web_server.ship(tmp_path / "characters")).read_page(page)
