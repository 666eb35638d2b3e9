"""Paragraphs by IAM's writers and by imaginary ones: lines below each other, as wide and as uneven as people write."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lab_kit.handwriting.pen_pages import break_lines, write_page
from tests import iam_archive
from text_recognizer.data import IAMParagraphs
from text_recognizer.data.character_mapping import PAGE_MAPPING, decode
from text_recognizer.data.iam_paragraphs import HEIGHT, WIDTH, fit_page

SMALL = {"max_length": 120, "num_train": 16, "num_val": 4, "num_test": 4, "batch_size": 4}
LINES = ["Nobody keeps the", "left edge quite", "straight; so what?"]


def ready(**settings):
    data = IAMParagraphs(**{**SMALL, **settings})
    data.prepare_data()
    data.setup()
    return data


def texts(labels):
    return [decode(row, mapping=PAGE_MAPPING) for row in labels.tolist()]


def page(lines=LINES, writer=5, seed=0, size=(HEIGHT, WIDTH)):
    return write_page(lines, writer, torch.Generator().manual_seed(seed), size)


def bands(picture):
    """Return how many rows of writing lie below each other, with blank paper between them."""
    written = (picture > 128).any(axis=1)
    return int((np.diff(written.astype(int), prepend=0) == 1).sum())


def test_iams_pages_hold_all_lines_of_a_form(put_iam):
    put_iam()
    data = ready()
    found = {text for split in data.splits.values() for text in texts(split.labels)}
    assert found == {"\n".join(lines) for lines in iam_archive.TEXTS.values()}
    for split in data.splits.values():
        for index in range(len(split)):
            lines = texts(split.labels)[index].count("\n") + 1
            assert bands(split.picture(index).numpy()) >= lines
    assert data.config().mapping == PAGE_MAPPING


def test_imaginary_pages_are_the_same_for_the_same_index_alone():
    data = ready(source="pen")
    images, labels = data.splits["train"].__getitems__([3, 7])
    again, _ = data.splits["train"].__getitems__([7, 3])
    assert torch.equal(images, again.flip(0))
    assert images.shape == (2, 1, HEIGHT, WIDTH)
    assert 0.99 < images.max() <= 1
    assert not torch.equal(*images)
    assert all(1 <= len(text) <= 120 for text in texts(labels))
    assert torch.equal(data.splits["test"].images, ready(source="pen").splits["test"].images)
    lengths = [text.count("\n") for text in texts(data.splits["train"].__getitems__(range(16))[1])]
    assert max(lengths) >= 2


def test_imaginary_pages_have_as_many_lines_as_asked_for():
    data = ready(source="pen", max_length=160, min_lines=3, max_lines=5, num_test=12)
    for labels in (data.splits["test"].labels, data.splits["train"].__getitems__(range(16))[1]):
        counts = [text.count("\n") + 1 for text in texts(labels)]
        assert set(counts) == {3, 4, 5}
        assert max(map(len, texts(labels))) <= 160
    assert ready(source="pen", max_length=30, min_lines=3).splits["test"].labels.shape == (4, 30)  # one line fits


def test_pages_of_a_curriculum_grow_from_epoch_to_epoch():
    train = ready(source="pen", max_length=160, min_lines=2, max_lines=4, curriculum=True).splits["train"]
    grown = []
    for epoch in range(6):
        indices = range(epoch * len(train), (epoch + 1) * len(train))
        grown.append({text.count("\n") + 1 for text in texts(train.__getitems__(indices)[1])})
    assert grown == [{1}, {2}, {2, 3}, {2, 3, 4}, {2, 3, 4}, {2, 3, 4}]


def test_a_page_is_written_the_same_on_one_core_and_on_two():
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(page().tobytes())
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]
    assert page(seed=1).tobytes() != found[0]


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (200, 640), (576, 160)])
def test_all_of_the_writing_is_on_the_page(size):
    for writer in range(30):
        picture = page(writer=writer, seed=writer, size=size)
        edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
        assert picture.shape == size
        assert max(edge.max() for edge in edges) < 128
        columns = np.flatnonzero((picture > 128).any(axis=0))
        rows = np.flatnonzero((picture > 128).any(axis=1))
        assert max((columns[-1] - columns[0]) / size[1], (rows[-1] - rows[0]) / size[0]) > 0.5


def test_lines_are_far_enough_apart_to_be_told_and_begin_at_uneven_places():
    starts = []
    for writer in range(20):
        picture = page(["xunvm oaec", "xrsvm ocea", "xuwvm zaee"], writer, writer)
        assert bands(picture) >= 2
        written = picture > 128
        rows = np.array_split(np.flatnonzero(written.any(axis=1)), 3)
        starts += [np.flatnonzero(written[part].any(axis=0))[0] for part in rows]
    assert np.std(starts) > 3


@given(st.text("abcdefgh ,.", min_size=1, max_size=300), st.integers(8, 60), st.integers(0, 99))
def test_broken_lines_hold_the_text_and_nothing_else(text, length, seed):
    text = " ".join(text.split())
    lines = break_lines(text, length, np.random.default_rng(seed))
    assert all(line == line.strip() and 0 < len(line) <= length for line in lines)
    together = "".join(line.removesuffix("-") for line in lines)
    assert together.replace(" ", "") == text.replace(" ", "")


def test_long_words_are_divided_now_and_then():
    lines = break_lines("internationalisation of extraordinary circumstances " * 20, 30, np.random.default_rng(0))
    assert any(line.endswith("-") for line in lines)
    assert not all(line.endswith("-") for line in lines)


def test_a_large_form_is_scaled_down_and_a_small_one_stays():
    assert fit_page(np.full((1152, 900), 9, np.uint8)).shape == (HEIGHT, WIDTH)
    small = fit_page(np.full((100, 200), 9, np.uint8))
    assert (small[:100, :200] == 9).all()
    assert not small[100:].any()
