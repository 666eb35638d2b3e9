"""One definition of a picture for all programs, and one reading of a picture, in whatever way it comes."""

import io
import os
import re
import struct
import threading
import zlib
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import web_server
from PIL import Image, features

from lab_kit.curation.check_picture import check_picture
from lab_kit.curation.collect import collect
from lab_kit.curation.shown_picture import encode_for_browser
from lab_kit.curation.verify import verify
from lab_kit.datasets.picture_files import find_pictures
from lab_kit.datasets.picture_layout import class_names, split_of
from lab_kit.errors import UserError
from lab_kit.program import run as run_program
from text_recognizer import predict
from text_recognizer.data import ImageFolder
from text_recognizer.recognizer import Recognizer
from training import review
from training.interpretation import Scores

# A folder with everything in it, through all programs

GOOD = (
    "leaf/a.jpg", "leaf/b.avif", "leaf/c.jfif", "leaf/d.JPE", "leaf/e.webp", "leaf/f", "bird/G.PNG", "bird/h.tif",
    "bird/i.bmp", "bird/j.gif", "bird/k.pgm", "bird/l.txt", "bird/m.npy", "leaf/deep/er/n.png", "bird/Oh no #1.JPEG",
)  # fmt: skip
FORMATS = {
    ".jpg": "JPEG", ".jfif": "JPEG", ".JPE": "JPEG", ".JPEG": "JPEG", ".avif": "AVIF", ".webp": "WEBP", ".PNG": "PNG",
    ".tif": "TIFF", ".bmp": "BMP", ".gif": "GIF", ".pgm": "PPM",
}  # fmt: skip
BAD = {
    "leaf/cut.png": lambda: content_of(99, "PNG")[:-300],  # what is said to be in it is not
    "leaf/text.jpg": lambda: b"hello",
    "bird/page.jpg": lambda: b"<!doctype html><p>404",
    "bird/phone.heic": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
    "bird/empty.png": lambda: b"",
}
HIDDEN = (
    "leaf/.r.png", "leaf/._a.jpg", "leaf/Thumbs.db", "leaf/.ipynb_checkpoints/a.jpg", "leaf/@eaDir/a.jpg", ".DS_Store",
    "__MACOSX/leaf/a.jpg", "bird/desktop.ini",
)  # fmt: skip


def content_of(seed: int, kind: str) -> bytes:
    """A picture unlike all others."""
    if kind == "AVIF" and not features.check("avif"):
        kind = "PNG"
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((60, 48), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    if kind == "NPY":
        np.save(file, np.asarray(picture))
    else:
        (picture.convert("L") if kind == "PPM" else picture).save(file, kind)
    return file.getvalue()


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    folder = tmp_path / "everything"
    contents = {name: content_of(k, FORMATS.get(Path(name).suffix, "PNG")) for k, name in enumerate(GOOD)}
    contents["bird/m.npy"] = content_of(50, "NPY")
    contents |= {name: make() for name, make in BAD.items()} | {name: content_of(1, "PNG") for name in HIDDEN}
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def picture_model(tmp_path: Path) -> Path:
    return web_server.ship_picture_model(tmp_path / "picture-model")


def total(out: str) -> list[int]:
    """The numbers in the last row of a table."""
    [row] = [line for line in out.splitlines() if line.strip(" │").startswith("all ")]
    return [int(number) for number in re.findall(r"\d+", row)]


def test_all_programs_see_the_same_pictures(everything, picture_model, tmp_path, capsys):
    counts, example = {}, r"\(such as [^)]*\w+\.\w+\)|\([^)]*\w+\.\w+\)"

    def written() -> tuple[str, str]:
        """What was printed, and the one line with examples of what was left out."""
        out, err = capsys.readouterr()
        [line] = [line for line in err.splitlines() if "left out:" in line]
        assert re.search(example, line)
        return out, line

    run_program(predict.predict, [str(picture_model), str(everything)])
    out, warning = written()
    counts["predict"] = int(re.search(r"(\d+) pictures read", out)[1])
    assert f"{len(BAD)} could not be" in out
    assert f"{len(BAD)} files are left out" in warning
    assert "a HEIC picture" in warning
    assert "broken, or cut off" in warning

    data = ImageFolder(everything, image_size=28)
    data.setup()
    counts["train"] = len(data.pictures())
    assert f"{len(BAD)} files are left out: " in written()[1]

    n = len(data.pictures())
    answers = torch.full((n, 2), 0.5)
    scores = Scores(
        torch.arange(n), ("train",) * n, torch.zeros(n, dtype=int), answers, answers[:, 0], ("bird", "leaf")
    )
    queue = review.make_queue(scores, data, tmp_path / "review.csv")
    counts["review"] = len(queue.pictures)
    for picture in queue.pictures:
        content, kind = encode_for_browser(everything / picture.file, 200)
        assert Image.open(io.BytesIO(content)).size == (60, 48), picture.file
        assert kind.startswith("image/")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(everything))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        table = "".join(f'{name.split("/")[0]},"{address}{name.replace("#", "%23")}"\n' for name in (*GOOD, *BAD))
        (tmp_path / "urls.csv").write_text("class,url\n" + table, encoding="utf-8")
        collect(tmp_path / "urls.csv", tmp_path / "collected", patience=1)
        server.shutdown()
    out, warning = written()
    counts["collect"] = total(out)[0]
    assert total(out)[1:] == [1, len(BAD) - 1]  # one is broken, the others never were pictures
    assert "1 file is left out: 1 broken" in warning

    for folder in (everything, tmp_path / "collected"):
        verify(folder, processes=1)
        counts[f"verify {folder.name}"] = total(capsys.readouterr().out)[-1]
    assert counts == dict.fromkeys(counts, len(GOOD))
    hidden = [name for name in HIDDEN if (everything / name).is_file()]
    assert len(hidden) == len(HIDDEN), "what belongs to the system stays where it is"

    again = ImageFolder(everything, image_size=28)
    again.setup()
    assert again._digest() == data._digest(), "verify moves what training has left out, and nothing else"


# What is a data set, and what is not


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"), ("TRAINING", "train"), ("training_set", "train"), ("train-data", "train"), ("Val", "val"),
        ("validation", "val"), ("valid", "val"), ("Test", "test"), ("testing", "test"), ("test set", "test"),
        ("trains", ""), ("testimony", ""), ("train_station", ""), ("star", ""), ("", ""),
    ],
)  # fmt: skip
def test_splits_are_known_by_the_names_that_people_give_them(name, split):
    assert split_of(name) == split


def fill(folder: Path, *names: str) -> Path:
    for k, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content_of(k + 100, "PNG"))
    return folder


@pytest.mark.parametrize(
    ("files", "splits", "classes"),
    [
        (("Train/cat/1.png", "Train/dog/2.png", "Test/cat/3.png"), {"train": 2, "test": 1}, ("cat", "dog")),
        (("training/cat/1.png", "training/dog/2.png", "validation/dog/3.png"), {"train": 2, "val": 1}, ("cat", "dog")),
        (("training_set/a/1.png", "training_set/b/2.png", "test_set/b/3.png"), {"train": 2, "test": 1}, ("a", "b")),
        (("Train/a/1.png", "Train/b/x/2.png", "Test/3.png"), {"train": 2}, ("a", "b")),  # Kaggle's tests have no labels
        (("train/1.png", "bus/2.png", "car/3.png"), {"train": 3}, ("bus", "car", "train")),  # things that drive
        (("test/1.png", "star/2.png"), {"train": 2}, ("star", "test")),
        (("a/1.png", "b/2.png", "_c/3.png", "4.png"), {"train": 2}, ("a", "b")),
    ],
)
def test_folders_are_laid_out_as_people_do(tmp_path, files, splits, classes):
    left_out: dict[Path, str] = {}
    found = find_pictures(fill(tmp_path / "set", *files), left_out)
    assert Counter(picture.split for picture in found) == splits
    assert {picture.label for picture in found} == set(class_names(tmp_path / "set")) == set(classes)
    assert len(found) + len(left_out) == len(files)
    assert set(left_out.values()) <= {"in no class folder"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("a/1.png", "b/2.png"), "one training picture of each class, and none to validate with: add more pictures"),
        (("Train/a/1.png", "Train/b/2.png", "Test/a/3.png"), "none to validate with"),
        (("Train/1.png", "Test/2.png"), "Train has no pictures: put them into one sub-folder per class"),
        (("train/a/1.png", "b/2.png"), "has a folder train, but also b"),
        (("train/Cat/1.png", "train/dog/2.png", "val/cat/3.png"), "no training pictures. Did you mean 'Cat'?"),
        (("all/a/1.png", "all/a/2.png", "all/b/3.png"), "one class only, all: add a folder .*, or give .*all if"),
        (("1.png", "2.png"), "has no pictures: .* 2 files are left out: 2 in no class folder"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_layout_is_said_in_one_line(tmp_path, files, message):
    with pytest.raises(UserError, match=message) as error:
        ImageFolder(fill(tmp_path / "set", *files), image_size=28).pictures()
    assert "\n" not in str(error.value)


def test_links_are_followed_and_what_is_no_file_does_not_stop_anything(tmp_path):
    folder = fill(tmp_path / "set", "a/1.png", "a/2.png", "b/3.png")
    fill(tmp_path / "elsewhere", "more/4.png")
    (folder / "c").symlink_to(tmp_path / "elsewhere")
    (folder / "b" / "all").symlink_to(folder)  # it is in itself
    (folder / "b" / "gone.png").symlink_to(tmp_path / "nothing.png")
    os.mkfifo(folder / "b" / "pipe.png")  # who opens it waits for ever
    (folder / "b" / os.fsdecode(b"caf\xe9.png")).write_bytes(content_of(1, "PNG"))
    (folder / "b" / "5.png.1234.unfinished").write_bytes(content_of(2, "PNG"))
    left_out: dict[Path, str] = {}
    found = {picture.file: picture.label for picture in find_pictures(folder, left_out)}
    assert found == {"a/1.png": "a", "a/2.png": "a", "b/3.png": "b", "c/more/4.png": "c"}
    reasons = {path.name: why for path, why in left_out.items()}
    assert reasons.pop(os.fsdecode(b"caf\xe9.png")) == "a file whose name is not valid text"
    assert reasons == {
        "gone.png": "a link that leads nowhere",
        "pipe.png": "not a file",
        "5.png.1234.unfinished": "left unfinished by a program that was killed",
    }
    verify(folder, processes=1)
    assert len(find_pictures(folder, {})) == 4


def test_a_file_that_is_broken_is_as_if_it_were_not_there(tmp_path):
    folder = fill(tmp_path / "set", *(f"{name}/{k}.png" for name in "ab" for k in range(10)))
    whole = ImageFolder(folder, image_size=28)
    whole.setup()
    for name in "ab":
        (folder / name / "cut.png").write_bytes(content_of(7, "PNG")[:-200])
    data = ImageFolder(folder, image_size=28)
    data.setup()
    assert data._digest() == whole._digest()
    assert [len(part) for part in data.splits.values()] == [16, 4, 4]
    fill(folder, "c/30.png", "c/31.png")
    for name, message in (("c", "All training pictures of a class are broken"), ("b", "one class only, a: .*broken")):
        for path in (folder / name).iterdir():
            path.write_bytes(content_of(7, "PNG")[:-200])
        with pytest.raises(UserError, match=message):
            ImageFolder(folder, image_size=28).setup()


@pytest.mark.parametrize(("megapixels", "accepted"), [(50, True), (108, True), (130, False), (400, False)])
def test_one_limit_of_pixels_for_all_programs(tmp_path, picture_model, megapixels, accepted):
    width = int((megapixels * 1e6) ** 0.5)
    folder = fill(tmp_path / "set", "a/1.png", "a/2.png", "b/3.png", "b/4.png")
    large = folder / "a" / "phone.png"
    large.write_bytes(png_of_one_colour(width, width))
    found = {picture.file for picture in find_pictures(folder, {})}
    assert ("a/phone.png" in found) == accepted
    assert (check_picture(large).reason == "") == accepted
    if accepted:
        assert Recognizer.load(picture_model).predict(large).text in web_server.CLASSES
        assert encode_for_browser(large, 100)[1] == "image/png"
    else:
        with pytest.raises(UserError, match=r"more than 120 million pixels. Make it smaller."):
            Recognizer.load(picture_model).predict(large)
        with pytest.raises(UserError, match="too large"):
            encode_for_browser(large, 100)


def png_of_one_colour(width: int, height: int) -> bytes:
    """A PNG of 1 bit a pixel, written without the memory for its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
