import numpy as np
import pytest
import torch
from torch import Tensor

from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING, MARKS, SPECIAL_TOKENS
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data.line_images import SIDE, Glyphs, write_lines

SPACE = MAPPING.index(" ")


def characters(count: int, seed: int = 0) -> ImageDataset:
    """Noise, some of it for each letter and digit."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randperm(count, generator=generator) % len(ALPHANUMERIC) + len(SPECIAL_TOKENS)
    images = torch.randint(0, 256, (count, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return ImageDataset(images, labels.to(torch.uint8))


@pytest.fixture(scope="module")
def glyphs() -> Glyphs:
    return Glyphs.collect(characters(300), range(50), seed=[1])


def drawn_one_by_one(glyphs: Glyphs, chosen: np.ndarray, overlap: np.ndarray) -> Tensor:
    """Write lines the plain way, with numbers large enough for any sum."""
    lines = torch.zeros(len(chosen), SIDE, SIDE * chosen.shape[1], dtype=torch.int64)
    for line, row, share in zip(lines, chosen, overlap, strict=True):
        for place, index in enumerate(row):
            x = place * (SIDE - int(share * SIDE))
            line[:, x : x + SIDE] += torch.from_numpy(glyphs.pictures[index].T.astype(np.int64))
    return lines.clamp(max=255).to(torch.uint8)


@pytest.mark.parametrize("most", [0.0, 0.33, 0.97])
def test_lines_equal_a_plain_loop(glyphs, most):
    random = np.random.default_rng(0)
    labels = random.integers(0, len(MAPPING), (300, 9))
    overlap = random.uniform(0, most, 300)
    chosen = glyphs.choose(labels, random)
    lines = torch.from_numpy(write_lines(glyphs, chosen, overlap)).transpose(1, 2)
    assert torch.equal(lines, drawn_one_by_one(glyphs, chosen, overlap))


def test_ink_adds_up_and_stops_at_white():
    pictures = np.zeros((2, SIDE, SIDE), dtype=np.uint8)
    pictures[1] = 200
    glyphs = Glyphs(pictures, np.array([1]), np.array([1]))
    line = write_lines(glyphs, np.array([[1, 1]]), np.array([0.5]))[0]
    assert line[:14].min() == line[:14].max() == 200
    assert line[14:28].min() == line[14:28].max() == 255
    assert line[28:42].min() == 200
    assert line[42:].max() == 0


def test_one_line_has_one_picture_of_each_character_and_other_lines_have_others(glyphs):
    labels = np.tile(np.array([10, 11, 10, 12, 11]), (500, 1))
    chosen = glyphs.choose(labels, np.random.default_rng(0))
    assert (chosen[:, 0] == chosen[:, 2]).all()
    assert (chosen[:, 1] == chosen[:, 4]).all()
    for column, label in ((0, 10), (1, 11), (3, 12)):
        first, count = glyphs.first[label], glyphs.count[label]
        assert set(chosen[:, column]) == set(range(first, first + count))


def test_pictures_show_what_their_class_says():
    data = characters(300)
    glyphs = Glyphs.collect(data, range(50), seed=[1])
    for label in range(len(SPECIAL_TOKENS), len(SPECIAL_TOKENS) + len(ALPHANUMERIC)):
        own = glyphs.pictures[glyphs.first[label] : glyphs.first[label] + glyphs.count[label]].transpose(0, 2, 1)
        assert np.array_equal(own, data.images[data.labels == label].numpy())


def test_special_tokens_and_space_leave_the_paper_blank(glyphs):
    blank = [*range(len(SPECIAL_TOKENS)), SPACE]
    assert not glyphs.pictures[glyphs.choose(np.array([blank]), np.random.default_rng(0))].any()


def test_what_the_dataset_lacks_is_drawn_by_the_writers_of_that_split():
    train, test = (Glyphs.collect(characters(300), writers, seed=[1]) for writers in (range(50), range(50, 60)))
    for mark in MARKS:
        if mark == " ":
            continue
        index = MAPPING.index(mark)
        ours, theirs = (g.pictures[g.first[index] : g.first[index] + g.count[index]] for g in (train, test))
        assert ours.any(axis=(1, 2)).all()
        assert not {picture.tobytes() for picture in ours} & {picture.tobytes() for picture in theirs}
