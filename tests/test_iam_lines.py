"""Lines by IAM's writers and by imaginary ones: cut where the words are, of any width, no writer in two splits."""

import io
import json
import logging
import re

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from lab_kit.datasets import iam
from lab_kit.errors import UserError
from lab_kit.handwriting import pen_set
from lab_kit.photo.fit_line import fit_line
from tests import iam_archive
from text_recognizer.data import IAMLines, IAMParagraphs, iam_lines
from text_recognizer.data.character_mapping import MAPPING, decode
from text_recognizer.data.iam_lines import HEIGHT
from text_recognizer.data.line_augmentation import augment_lines
from text_recognizer.data.line_pictures import squeeze_widest
from text_recognizer.data.line_texts import LineTexts
from text_recognizer.data.sentence_generator import SentenceGenerator
from text_recognizer.lit_models import CTCLitModel
from text_recognizer.models import CRNN, LineCNN

SMALL = {"max_length": 16, "num_train": 64, "num_val": 24, "num_test": 24, "batch_size": 8}


def ready(**settings):
    data = IAMLines(**{**SMALL, **settings})
    data.prepare_data()
    data.setup()
    return data


def similarity(one, other):
    """Return the correlation of two pictures, brought to the same size."""
    other = cv2.resize(other, one.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


# IAM's own lines


def test_every_line_is_cut_where_its_words_are(iam_made, put_iam):
    forms = {form.id: form for form in iam.read_forms(put_iam())}
    assert {id: [line.text for line in form.lines] for id, form in forms.items()} == iam_archive.TEXTS
    for id, form in forms.items():
        for line, words in zip(form.lines, iam_made.words[id], strict=True):
            assert line.boxes == tuple(box for box, _ in words)
            left, top = words[0][0][:2]
            expected = np.zeros((iam_archive.WORD, words[-1][0][2] - left), np.uint8)
            for box, picture in words:
                expected[box[1] - top : box[3] - top, box[0] - left : box[2] - left] = picture
            cut = form.picture(line)
            assert abs(cut.shape[1] - expected.shape[1] / 2) <= 1
            assert abs(cut.shape[0] - iam_archive.WORD / 2) <= 1
            assert similarity(cut, expected) > 0.9 > 0.8 > similarity(np.roll(cut, 2, axis=1), expected)
            between = cut[:, (words[0][0][2] - left) // 2 + 3 : (words[0][0][2] - left) // 2 + 12]
            assert len(words) == 1 or between.max() == 0  # nothing of the lines above and below


def test_no_writer_is_in_two_splits_and_the_task_says_which(put_iam):
    split_of = {form.id: form.split for form in iam.read_forms(put_iam())}
    assert split_of == {"a01-000": "train", "a01-007": "train", "b02-001": "val", "c03-002": "test"}


def test_a_form_is_whole_where_all_of_its_lines_are_asked_for(iam_made, put_iam):
    form = next(iam.read_forms(put_iam()))
    page = form.picture(*form.lines)
    assert page.shape[0] == pytest.approx((3 * iam_archive.WORD + 2 * iam_archive.MARGIN) / 2, abs=2)
    assert all(similarity(form.picture(line), form.picture(line)) > 0.99 for line in form.lines)


XML = "iamdb/xml/a01-007.xml"


def picture(mode, size):
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


def cut_off(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({XML: cut_off}, r"iamdb/xml/a01-007\.xml in .*iamdb\.zip is damaged: .*line 2"),
        ({XML: lambda xml: xml.replace(b' width="1200"', b"")}, "a01-007.xml .* is damaged: 'width'"),
        ({XML: lambda xml: xml.replace(b'x="40"', b'x="far"')}, "a01-007.xml .* is damaged: .*'far'"),
        ({XML: lambda xml: xml.replace(b"word", b"wort")}, "a01-007.xml .* is damaged: line a01-007-00 has no words"),
        ({XML: lambda xml: xml.replace(b'x="40"', b'x="1190"')},
         "line 1 has a box outside the page, or without an inside: 102, 80 to 1252, 144 on 1200 x 1000 pixels"),
        ({"iamdb/forms/a01-007.jpg": None}, r"is not complete: iamdb/forms/a01-007\.jpg is missing"),
        ({"iamdb/forms/a01-007.jpg": cut_off}, r"iamdb/forms/a01-007\.jpg in .* is damaged"),
        ({"iamdb/forms/a01-007.jpg": lambda _: b"<html>"}, r"iamdb/forms/a01-007\.jpg in .* is damaged"),
        ({"iamdb/task/testset.txt": None}, r"is not complete: iamdb/task/testset\.txt is missing"),
        (dict.fromkeys(f"iamdb/xml/{form}.xml" for form in iam_archive.TEXTS), "is not the IAM database"),
        ({XML: lambda xml: b'<?xml version="1.0" encoding="klingon"?>' + xml[xml.index(b"?>") + 2 :]}, "is damaged"),
        ({XML: lambda xml: xml.replace(b'width="1200"', b'width="0"')}, "is damaged: a page of 0 x 1000 pixels"),
        ({XML: lambda xml: re.sub(rb'(<cmp[^>]* width=")', rb"\1-", xml)}, "has a box outside the page, or without"),
        ({XML: lambda xml: re.sub(rb' text="[^"]*"', b' text=" "', xml)}, "line a01-007-00 has no words"),
        ({"iamdb/forms/a01-007.jpg": lambda _: picture("L", (600, 10))}, "600 x 10 pixels are not of the shape of"),
        ({"iamdb/forms/a01-007.jpg": lambda _: picture("I;16", (600, 500))}, "damaged: it is I;16, not grey"),
        ({"iamdb/forms/a01-007.jpg": lambda _: picture("RGBA", (600, 500))}, "damaged: it is RGBA, not grey"),
        ({"iamdb/task/testset.txt": lambda _: b"\r\n"}, "its iamdb/task/ names no form for test"),
        ({"iamdb/task/testset.txt": lambda text: text + b"\nb02-001-00"}, "b02-001 is both for val and for test"),
    ],
)  # fmt: skip
def test_a_damaged_archive_is_one_clear_line(put_iam, files, message):
    put_iam(files=files)
    with pytest.raises(UserError, match=message) as error:
        ready()
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_archive_is_one_clear_line(put_iam):
    path = put_iam()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="is not the IAM database, or is damaged: File is not a zip file"):
        list(iam.read_forms(path))


def test_iams_lines_become_batches(put_iam):
    put_iam()
    data = ready(max_length=24)
    assert data.source_used.startswith("small iam (")
    texts = {split: sorted(decode(row) for row in data.splits[split].labels) for split in ("train", "val", "test")}
    assert texts["train"] == sorted(iam_archive.TEXTS["a01-000"] + iam_archive.TEXTS["a01-007"])
    assert texts["val"] == iam_archive.TEXTS["b02-001"]
    assert texts["test"] == sorted(iam_archive.TEXTS["c03-002"])
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape[:3] == (5, 1, HEIGHT)
    assert labels.shape == (5, 24)
    assert len(ready(max_length=19).splits["train"]) == 4  # those that are short enough
    with pytest.raises(UserError, match="no val lines of at most 16 characters: choose a larger --max_length"):
        ready(max_length=16)


# Who may have them


def test_a_damaged_archive_is_no_reason_to_download_it_unasked(put_iam, monkeypatch):
    path = put_iam()
    path.write_bytes(b"something else")
    monkeypatch.setattr("lab_kit.datasets.download.RawFile.ensure", pytest.fail)
    with pytest.raises(UserError, match=r"iamdb\.zip is (cut|damaged).*Replace it with the real file, or remove it"):
        ready()


def test_iam_is_not_downloaded_unless_it_is_asked_for(put_iam, data_root, caplog, monkeypatch):
    put_iam().unlink()
    caplog.set_level(logging.INFO)
    data = ready()
    assert data.source_used.startswith("imaginary writers (drawn by a program, not real); sentences: Python's")
    assert "THIS IS NOT SMALL IAM" in caplog.text
    assert "Its owners ask everyone to register." in caplog.text
    assert "--source download downloads it" in caplog.text
    assert "Downloading iamdb.zip" not in caplog.text
    caplog.clear()
    with pytest.raises(UserError, match=r"Could not download iamdb.zip"):
        IAMLines(**SMALL, source="download").prepare_data()
    assert "Its owners ask everyone to register." in caplog.text


# Imaginary writers


def test_a_batch_depends_on_its_indices_alone():
    data = ready(source="pen")
    fresh = data.splits["train"]
    images, labels = fresh.__getitems__([3, 1, 2])
    again, same = fresh.__getitems__([3, 1, 2])
    assert torch.equal(images, again)
    assert torch.equal(labels, same)
    other, _ = fresh.__getitems__([3, 1, 4])
    assert other.shape != images.shape or not torch.equal(images, other)
    assert ready(source="pen").splits["test"].pixels.tobytes() == data.splits["test"].pixels.tobytes()


def test_lines_can_be_photographed_first():
    plain, labels = ready(source="pen").splits["train"].__getitems__([3, 1, 2])
    data = ready(source="pen", photos=1.0)
    photos, same = data.splits["train"].__getitems__([3, 1, 2])
    assert torch.equal(labels, same), "a photo shows what was written"
    assert photos.shape[:3] == plain.shape[:3]
    assert not torch.equal(photos, plain[..., : photos.shape[-1]])
    for photo, line in zip(photos, plain, strict=True):  # a straight copy it is not, but nearly as much ink
        assert 0.4 < (photo > 0.5).float().sum() / (line > 0.5).float().sum() < 2.5
    with pytest.raises(UserError, match="photos must be from 0 to 1, not 2"):
        IAMLines(photos=2)


def test_lines_are_as_wide_as_what_is_written_and_batches_of_similar_widths():
    data = ready(source="pen", max_length=40, num_val=200)
    widths = np.array([data.splits["val"].picture(index).shape[1] for index in range(200)])
    assert (np.diff(widths) >= 0).all()
    assert widths.max() > 5 * widths.min()
    lengths = np.array([len(decode(row)) for row in data.splits["val"].labels])[data.splits["val"].order]
    assert np.corrcoef(lengths, widths)[0, 1] > 0.85
    for batch in range(8):
        images, labels = data.splits["train"].__getitems__(range(8 * batch, 8 * batch + 8))
        lengths = [len(decode(row)) for row in labels.tolist()]
        assert max(lengths) - min(lengths) <= 12
        assert (images.amax(dim=(1, 2, 3)) > 0.8).all()
        paper = images.amax(dim=(1, 2)) < 0.4
        assert paper.float().mean() < 0.75


def test_splits_share_no_writer(monkeypatch):
    seen, original, split = {}, iam_lines.write_lines, iam_lines.write_fitted
    now = []

    def note_split(texts, name, *arguments):
        now[:] = [name]
        return split(texts, name, *arguments)

    def note_writers(texts, writers, *arguments):
        seen.setdefault(now[0], set()).update(writers.tolist())
        return original(texts, writers, *arguments)

    monkeypatch.setattr(iam_lines, "write_fitted", note_split)
    monkeypatch.setattr(iam_lines, "write_lines", note_writers)
    data = ready(source="pen")
    data.splits["train"].__getitems__(range(8))
    assert all(seen[split] <= {*pen_set.WRITERS[split]} for split in seen)
    assert set(seen) == {"train", "val", "test"}


def test_texts_fit_and_some_teach_what_sentences_lack():
    texts = LineTexts(SentenceGenerator(24, keep_marks=True, source="pen")).draw(3000, np.random.default_rng(0))
    assert all(1 <= len(text) <= 24 and text == text.strip() and set(text) <= set(MAPPING) for text in texts)
    share = {name: np.mean([test(text) for text in texts]) for name, test in (
        ("capitals", str.isupper), ("digits", lambda t: sum(map(str.isdigit, t)) > len(t) / 2),
        ("marks", lambda t: any(mark in t for mark in "!?*#&+;"))
    )}  # fmt: skip
    assert share["capitals"] > 0.015
    assert share["digits"] > 0.015
    assert share["marks"] > 0.05
    plain = LineTexts(SentenceGenerator(24, keep_marks=True, source="pen"), odd=0).draw(50, np.random.default_rng(0))
    source = SentenceGenerator(24, keep_marks=True, source="pen")
    source.load()
    assert all(text in source.text() for text in plain)


@pytest.mark.parametrize("spelled", [str, lambda piece: " ; ".join(piece.split()), lambda piece: f'" {piece} ! !'])
def test_texts_that_are_left_out_are_never_written(spelled):
    sentences = SentenceGenerator(30, keep_marks=True, source="pen")
    sentences.load()
    words = sentences.text().split()
    pieces = [" ".join(words[place : place + 4]) for place in (100, 5000)]
    assert all(piece in sentences.text() for piece in pieces)
    before = sentences.text_key()
    sentences.leave_out(map(spelled, pieces))
    text = sentences.text()
    assert not any(piece in text for piece in pieces)
    assert len(text.split()) > len(words) - 1000
    assert sentences.text_key() != before
    assert len(sentences.generate()) <= 30


def test_what_is_left_out_is_whole_words():
    sentences = SentenceGenerator(30, keep_marks=True, source="pen")
    sentences.load()
    before = sentences.text()
    sentences.leave_out(["", "!", "zqx", "hich"])
    assert sentences.text() == before


def test_a_language_model_knows_sentences_and_lines():
    texts = LineTexts(SentenceGenerator(24, keep_marks=True, source="pen"))
    corpus = texts.corpus(2000, np.random.default_rng(0))
    rows = corpus.split("\n")
    assert rows[0] == texts.sentences.text()
    assert rows[1:] == [" " + text for text in texts.draw(2000, np.random.default_rng(0))]


# What readers see


@pytest.mark.parametrize("change", [
    lambda line: np.pad(line, ((90, 3), (7, 200))),
    lambda line: (line * 0.6).astype(np.uint8),
    lambda line: np.maximum(line, 20),
    lambda line: cv2.resize(line, None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR),
    lambda line: cv2.resize(line, None, fx=0.6, fy=1, interpolation=cv2.INTER_AREA),
    lambda line: cv2.resize(line, None, fx=1.5, fy=1, interpolation=cv2.INTER_LINEAR),
])  # fmt: skip
def test_a_line_looks_the_same_however_it_was_taken(change):
    data = ready(source="pen", max_length=30)
    for index in range(12, 20):
        line = data.splits["test"].picture(index).numpy()
        expected, found = fit_line(line, HEIGHT), fit_line(change(line), HEIGHT)
        assert found.shape[0] == HEIGHT
        assert found.shape[1] == pytest.approx(expected.shape[1], rel=0.25)
        assert similarity(expected, found) > 0.6


def test_blank_paper_stays_blank():
    assert fit_line(np.zeros((30, 200), np.uint8), HEIGHT).shape[0] == HEIGHT
    assert fit_line(np.full((30, 200), 20, np.uint8), HEIGHT).max() == 0


def test_augmented_lines_are_still_the_same_lines():
    data = ready(source="pen", max_length=30)
    images, _ = data.splits["test"].__getitems__(range(8, 24))
    torch.manual_seed(0)
    changed = augment_lines(images)
    assert changed.shape == images.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    alike = [similarity(*pair) for pair in zip(images[:, 0].numpy(), changed[:, 0].numpy(), strict=True)]
    assert 0.35 < np.mean(alike) < 0.97
    torch.manual_seed(0)
    assert torch.equal(augment_lines(images), changed)


def test_a_single_line_can_be_augmented():
    for seed in range(8):  # in most of them, it is neither thick, thin nor blurred
        torch.manual_seed(seed)
        assert augment_lines(torch.rand(1, 1, HEIGHT, 64)).shape == (1, 1, HEIGHT, 64)


def test_lines_much_wider_than_others_are_squeezed():
    widths = [50, 90, 100, 110, 400]
    pictures = squeeze_widest([np.full((HEIGHT, width), 7, np.uint8) for width in widths], 1.2)
    assert [picture.shape for picture in pictures] == [(HEIGHT, min(width, 120)) for width in widths]
    assert all((picture == 7).all() for picture in pictures)


# Network and run


@pytest.mark.parametrize("width", [32, 48, 400])
def test_a_crnn_reads_pictures_of_any_width(width):
    config = IAMLines(**SMALL).config()
    model = CRNN(config, conv_dim=4, fc_dim=16, lstm_dim=8).eval()
    assert model(torch.rand(2, 1, HEIGHT, width)).shape == (2, len(MAPPING), width // 4)
    assert model.num_windows >= 2 * SMALL["max_length"]


@pytest.mark.parametrize("settings", [{"lstm_dim": 0}, {"lstm_dropout": 1.0}, {"conv_dim": -1}])
def test_impossible_sizes_are_refused(settings):
    with pytest.raises(UserError):
        CRNN(IAMLines(**SMALL).config(), **settings)


@pytest.mark.parametrize("name", [IAMLines, IAMParagraphs])
def test_longer_texts_than_iam_has_are_refused(name):
    with pytest.raises(UserError, match="max_length can be at most"):
        name(max_length=10_000)


def test_windows_that_are_too_few_for_most_lines_are_said():
    data = ready(source="pen", max_length=30)
    model = CTCLitModel(LineCNN(data.config(), conv_dim=4, fc_dim=16), data.config())
    images, labels = data.splits["test"].__getitems__(range(14, 24))
    with pytest.raises(UserError, match="windows of these lines: too few to spell most of them"):
        model.line_loss(model(images), labels)


def test_a_run_leaves_its_folder_and_goes_on(run, tmp_path):
    flags = ("--data_class", "IAMLines", "--model_class", "CRNN", "--loss", "ctc", "--source", "pen", "--conv_dim", "4")
    sizes = ("--max_length", "12", "--num_train", "64", "--num_val", "40", "--num_test", "40", "--fc_dim", "16")
    code, text = run(*flags, *sizes, "--lstm_dim", "8", "--max_epochs", "1")
    assert code == 0, text
    folder = tmp_path / "logs" / "IAMLines-CRNN" / "version_0"
    figures = json.loads((folder / "metrics.json").read_text())
    assert {"train_loss", "val_cer", "test_cer"} <= figures.keys()
    assert "imaginary writers" in figures["source"]
    assert (folder / "predictions.png").stat().st_size > 10_000
    code, text = run("--resume", str(folder), "--max_epochs", "2")
    assert code == 0, text
    assert "epoch 2/2" in text


def test_two_batches_are_learned_by_heart(run, tmp_path):
    flags = ("--data_class", "IAMLines", "--model_class", "CRNN", "--loss", "ctc", "--source", "pen", "--lr", "0.005")
    sizes = ("--max_length", "3", "--batch_size", "4", "--num_train", "64", "--num_val", "8", "--num_test", "8")
    net = ("--conv_dim", "8", "--fc_dim", "32", "--lstm_dim", "32", "--lstm_layers", "1", "--lstm_dropout", "0")
    code, text = run(*flags, *sizes, *net, "--overfit_batches", "2", "--max_epochs", "200")
    assert code == 0, text
    figures = json.loads((tmp_path / "logs" / "IAMLines-CRNN" / "version_0" / "metrics.json").read_text())
    assert figures["val_cer"] < 0.5  # it begins at 1
