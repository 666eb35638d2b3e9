"""From the store to a data set on disk, and again."""

import csv
import io
import logging
import shlex
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.corrections_export import export, write
from lab_kit import program
from lab_kit.errors import UserError
from lab_kit.feedback.class_folders import folder_from_label, label_from_folder
from lab_kit.feedback.store import Store
from text_recognizer.data.character_mapping import MAPPING
from text_recognizer.data.image_folder import ImageFolder
from text_recognizer.shipping.read_logits import Reading

LABELS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15)
WORDS = st.sampled_from(
    [*MAPPING, "con", "CON", "nul", "com1", "aux.txt", "train", "Val", "test", "_a", ".git", "a.", "a "]
)


@given(LABELS | WORDS, LABELS | WORDS)
def test_every_class_has_a_folder_of_its_own_on_every_system(one, other):
    folder = folder_from_label(one)
    assert label_from_folder(folder) == one
    assert folder.isascii()
    assert not set(folder) & set('<>:"/\\|?*. ')
    assert folder.split(".")[0] not in ("con", "nul", "aux", "com1", "train", "val", "test")
    assert folder[0] not in "._-"
    assert unicodedata.normalize("NFD", folder) == folder
    assert (folder.lower() == folder_from_label(other).lower()) == (one == other)


def test_readable_names_stay_readable_and_others_are_refused():
    names = {"a": "a", "A": "+a", "/": "%2f", "Les Paul": "+les%20+paul", "gibson_les_paul": "gibson_les_paul"}
    assert {label: folder_from_label(label) for label in names} == names
    for folder in ("A", "+", "%2F", "%zz", "%ff", "train", "a b", "%61", "+A", ""):
        with pytest.raises(UserError, match="not the folder of a class"):
            label_from_folder(folder)
    for label in ("", "\ud800", "ä" * 100):
        with pytest.raises(UserError):
            folder_from_label(label)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "kept.sqlite")
    yield opened
    opened.close()


def picture(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape or (1, 28, 28), dtype=np.uint8)


def corrected(store: Store, label: str, read: str = "7", seed: int = 0, shape: tuple[int, ...] = ()) -> str:
    id = store.keep(b"", picture(seed, *shape), Reading(read, 0.75, ((read, 0.75),)), "0123456789ab", "pen")
    store.correct(id, label)
    return id


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_image_folder_takes_what_was_exported_pixel_by_pixel(store, tmp_path):
    labels = ["a", "A", "/", "."] * 3
    for seed, label in enumerate(labels):
        corrected(store, label, seed=seed)
    done = write(store, tmp_path / "out")
    assert (done.new, done.existing, done.removed, done.classes, done.lines) == (12, 0, 0, 4, 0)
    data = ImageFolder(tmp_path / "out", image_size=28)
    data.setup()
    mapping = data.config().mapping
    assert {label_from_folder(name) for name in mapping} == set(labels)
    found = {(label_from_folder(mapping[k]), image.numpy().tobytes()) for image, k in zip(*parts(data), strict=True)}
    assert found == {(label, picture(seed).tobytes()) for seed, label in enumerate(labels)}
    manifest = rows(tmp_path / "out" / "manifest.csv")
    assert {(tmp_path / "out" / row["file"]).is_file() for row in manifest} == {True}
    assert {row["label"] for row in manifest} == set(labels)
    assert {(row["read_as"], row["confidence"], row["model"]) for row in manifest} == {("7", "0.7500", "0123456789ab")}


def parts(data: ImageFolder):
    one = data.splits["train"]  # all splits share the pictures
    return one.images, one.labels


def test_a_second_export_adds_what_is_new_and_changes_nothing_else(store, tmp_path):
    out = tmp_path / "out"
    first, second = corrected(store, "a"), corrected(store, "7", seed=1)
    write(store, out)
    (out / "a" / "mine.png").write_bytes(b"put here by a student")
    before = content(out)
    assert len(before) == 3  # the confirmed one is not there
    assert write(store, out).new == 0
    assert content(out) == before
    third = corrected(store, "b", seed=2)
    assert write(store, out).new == 1
    after = content(out)
    assert {name: after[name] for name in before if name != "manifest.csv"} == {
        name: before[name] for name in before if name != "manifest.csv"
    }
    assert write(store, out, confirmed=True).new == 1
    assert (write(store, out).new, write(store, out).existing) == (0, 3)  # what was confirmed stays
    for id in (first, second, third):  # nobody who has the folder can act in the visitor's name
        assert not any(id in name or id.encode() in data for name, (data, _) in content(out).items())
    store.forget(first)
    store.correct(third, "c")
    done = write(store, out)
    assert (done.new, done.existing, done.removed) == (1, 1, 2)
    assert sorted(name.split("/")[0] for name in content(out)) == ["7", "a", "c", "manifest.csv"]
    assert content(out)["a/mine.png"] == before["a/mine.png"]


def test_two_stores_can_go_into_one_folder(store, tmp_path):
    other = Store.open(tmp_path / "other.sqlite")
    corrected(store, "a")
    corrected(other, "a")
    for one in (store, other, store):
        write(one, tmp_path / "out")
    assert len(list((tmp_path / "out" / "a").iterdir())) == 2
    assert len(rows(tmp_path / "out" / "manifest.csv")) == 2


def test_lines_and_coloured_pictures(store, tmp_path):
    corrected(store, "Hello, world?", seed=1, shape=(1, 28, 280))
    corrected(store, "sun", seed=2, shape=(3, 16, 16))
    corrected(store, "moon", seed=3, shape=(4, 16, 16))
    done = write(store, tmp_path / "out")
    assert (done.classes, done.lines) == (2, 1)
    (line,) = rows(tmp_path / "out" / "_lines" / "labels.csv")
    assert line["label"] == "Hello, world?"
    assert np.array_equal(Image.open(tmp_path / "out" / "_lines" / line["file"]), picture(1, 1, 28, 280)[0])
    (sun,) = (tmp_path / "out" / "sun").iterdir()
    assert np.array_equal(np.array(Image.open(sun)).transpose(2, 0, 1), picture(2, 3, 16, 16))
    (moon,) = (tmp_path / "out" / "moon").iterdir()
    assert np.array_equal(np.load(moon).transpose(2, 0, 1), picture(3, 4, 16, 16))


def test_the_program_says_what_it_did_and_what_comes_next(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger("text_recognizer"), "handlers", [])  # which write to where stderr was

    def run(*arguments: object) -> tuple[int, str]:
        code = 0
        try:
            program.run(export, list(map(str, arguments)))
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().err

    out = tmp_path / "out [b] 😀"  # to be copied with the command, whatever it is called
    assert "There is no file" in run(tmp_path / "none.sqlite", out)[1]
    code, text = run(store.path, out)
    assert code == 2
    assert "has no corrections yet" in text
    assert not out.exists()
    corrected(store, "a")
    corrected(store, "7")
    code, text = run(store.path, out, "--confirmed", "True")
    assert code == 0
    assert "2 new pictures, 0 were there already" in text
    assert shlex.join(["python", "-m", "training.fine_tune", "RUN", str(out)]) in text
    (out / "manifest.csv").write_text("something,else\n1,2\n")
    assert "is not a manifest of this program" in run(store.path, out)[1]
    header = "file,label,read_as,confidence,model,how,when\n"
    (out / "manifest.csv").write_text(f"{header}../{store.name}-1.png,a,b,1,m,pen,t\n")
    assert "is not a picture of this folder" in run(store.path, out)[1]
