"""Lines by imaginary writers: the same for the same seed, as wide as what is written, joined by those who join."""

import cv2
import numpy as np
import pytest
import torch

from lab_kit.handwriting import pen_line_style
from lab_kit.handwriting.pen_line_style import LINE_STYLE
from lab_kit.handwriting.pen_lines import line_paths, split_characters, write_lines
from lab_kit.handwriting.pen_school import SCHOOLS, line_glyphs
from lab_kit.photo.stroke_density import STANDARD, even_density, stroke_density
from text_recognizer.data.character_mapping import MAPPING

VISIBLE = 96  # grey level from which ink counts
TEXTS = ["Nobody writes like that, though.", "minimum", "12 (or 13) * 7 = ?".replace("=", "+"), "I"] * 20


def write(texts, seed=0, writers=None, height=40):
    writers = torch.arange(len(texts)) if writers is None else torch.tensor(writers)
    return write_lines(texts, writers, torch.Generator().manual_seed(seed), height)


@pytest.fixture
def style(monkeypatch):
    """Return a function that gives all writers the same trait."""

    def give(**traits):
        for trait, value in traits.items():
            monkeypatch.setitem(pen_line_style.LINE_STYLE, trait, (value, value))

    return give


def parts(picture):
    """Return how many pieces of ink there are."""
    return cv2.connectedComponents((picture >= VISIBLE).astype(np.uint8))[0] - 1


def test_the_same_seed_gives_the_same_bytes_on_one_core_and_on_two():
    threads = torch.get_num_threads()
    found = []
    try:
        for number in (1, 2, 2):
            torch.set_num_threads(number)
            found.append(write(TEXTS))
    finally:
        torch.set_num_threads(threads)
    for one, two, again in zip(*found, strict=True):
        assert one.tobytes() == two.tobytes() == again.tobytes()
    assert any(a.tobytes() != b.tobytes() for a, b in zip(found[0], write(TEXTS, seed=1), strict=True))


def test_pictures_are_as_high_as_asked_and_as_wide_as_what_is_written():
    for height in (28, 48):
        pictures = write(["il", "ill will", "mmmm", "mmmmmmmm"], writers=[5, 5, 5, 5], height=height)
        assert all(picture.shape[0] == height and picture.dtype == np.uint8 for picture in pictures)
        widths = [picture.shape[1] / height for picture in pictures]
        assert widths[0] < widths[2] < widths[3]
        assert widths[0] < widths[1] < widths[3]


@pytest.mark.parametrize("character", [character for character in MAPPING if len(character) == 1 and character != " "])
def test_every_character_can_be_written(character):
    for picture in write([character] * 3):
        assert picture.max() > 200


def test_ink_stays_clear_of_the_border_and_fills_the_height():
    for picture in write(TEXTS):
        edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
        assert max(edge.max() for edge in edges) < 128
        rows = np.flatnonzero((picture >= VISIBLE).any(axis=1))
        assert rows[-1] - rows[0] >= 0.6 * 40


def test_those_who_join_lift_the_pen_only_for_dots(style):
    style(join=1.3, school=0.5, hop=0, nib=0.5)
    pieces = [parts(picture) for picture in write(["human", "clean", "rules"] * 20)]
    assert pieces.count(1) >= 45  # the others have a form that cannot be joined
    assert sorted(parts(picture) for picture in write(["minimum"] * 9))[4] == 3


def test_those_who_print_write_letter_by_letter(style):
    style(join=-0.5, gap=4, nib=0.2, tremor=0.1)
    assert all(parts(picture) >= 5 for picture in write(["human", "clean", "sauce"] * 4))


@pytest.mark.parametrize(("text", "problem"), [("", "without"), ("  ", "without"), ("é", "é"), ("a\nb", "n'")])
def test_what_cannot_be_written_is_named(text, problem):
    with pytest.raises(ValueError, match=problem):
        write(["fine", text])


def test_characters_know_their_line_word_and_spaces():
    characters = split_characters([" ab  c", "d e"])
    assert "".join(map(chr, characters.code.tolist())) == "abcde"
    assert characters.line.tolist() == [0, 0, 0, 1, 1]
    assert characters.word.tolist() == [0, 0, 2, 3, 4]
    assert characters.spaces.tolist() == [0, 0, 2, 0, 1]
    assert characters.first.tolist() == [0, 3]


def test_tails_hang_below_the_writing_line_and_tall_letters_rise_above_small_ones(style):
    style(wander=0, slope=0, hop=0)
    y = line_paths(["agl"], torch.tensor([3]), torch.Generator().manual_seed(0)).y[:, -96:]
    small, tail, tall = y
    assert tail.max() > small.max() + 2
    assert tall.min() < small.min() - 2
    assert abs(small.max()) < 2


def test_every_school_has_each_small_letter_and_the_style_of_a_writer_does_not_change():
    table = line_glyphs()
    for school in range(len(SCHOOLS)):
        assert all(table.school[school, ord(letter)] >= 0 for letter in "abcdefghijklmnopqrstuvwxyz")
    first = pen_line_style.line_style(torch.tensor([7, 8]))
    again = pen_line_style.line_style(torch.tensor([8]))
    for trait, (low, high) in LINE_STYLE.items():
        assert first[trait][1] == again[trait][0]
        assert low <= first[trait][0] <= high


def test_narrow_and_wide_hands_become_alike():
    line = write(["the same words again"], writers=[4])[0]
    wanted = even_density(line)
    for factor in (0.6, 1.7):
        other = cv2.resize(line, (round(line.shape[1] * factor), 40), interpolation=cv2.INTER_AREA)
        assert abs(even_density(other).shape[1] / wanted.shape[1] - 1) < 0.15
    assert abs(stroke_density(wanted) * 40 * STANDARD - 1) < 0.2
    assert even_density(line, 1.5).shape[1] == pytest.approx(1.5 * wanted.shape[1], abs=1)
    assert even_density(np.zeros((40, 30), np.uint8)).shape[0] == 40
