"""One definition of a picture for all programs, and one reading of a picture, in whatever way it comes."""

import io
import os
import re
import shutil
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import web_server
from PIL import Image, ImageDraw

from lab_kit.curation.collect import collect
from lab_kit.curation.shown_picture import encode_for_browser
from lab_kit.curation.verify import verify
from lab_kit.datasets import picture_formats
from lab_kit.datasets.picture_files import find_pictures
from lab_kit.datasets.picture_layout import class_names, list_files, split_folders, split_of
from lab_kit.errors import UserError
from lab_kit.photo.open_picture import ImageLimits, open_picture
from lab_kit.program import run as run_program
from text_recognizer import predict
from text_recognizer.data import ImageFolder
from text_recognizer.preprocessing import Preprocessing
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.model_card import CARD, ModelCard
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
    if kind == "AVIF" and "AVIF" not in picture_formats._readers():
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
    """A shipped model of a data set of one's own, which knows three signs."""
    folder = web_server.ship(tmp_path / "picture-model")
    how = Preprocessing(28, 1, "pad", True, (0.0,), (1.0,))
    card = replace(ModelCard.read(folder), kind="picture", preprocessing={"picture": how.as_dict()})
    (folder / CARD).write_text(card.as_json(), encoding="utf-8")
    return folder


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
