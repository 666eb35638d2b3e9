"""Pen-stroke handwriting: every glyph is sound, and the same seed draws the same bytes."""

import importlib
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lab_kit.handwriting import pen_sheet, pen_strokes
from lab_kit.handwriting.pen_glyphs import load_glyphs, parse_strokes, read_glyphs
from lab_kit.handwriting.pen_strokes import PenStrokes, draw_set
from text_recognizer.data.character_mapping import ALPHANUMERIC, MARKS

LETTERS = "".join(ALPHANUMERIC)
MARKS = "".join(MARKS)
VISIBLE = 96  # grey level from which ink counts


def draw(characters, labels, ids, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return PenStrokes(characters, **options).draw(torch.tensor(labels), torch.tensor(ids), generator)


def boxes(images):
    """First and last visible row and column of each image: (N, 4) as top, bottom, left, right."""
    sides = []
    for axis in (2, 1):
        seen = (images >= VISIBLE).any(dim=axis).int()
        sides += [seen.argmax(dim=1), 27 - seen.flip(1).argmax(dim=1)]
    return torch.stack(sides, dim=1).float()


def frame(images):
    """The brightest pixel on the border of each image."""
    inner = images.clone()
    inner[:, 1:-1, 1:-1] = 0
    return inner.flatten(1).amax(dim=1)


def test_ten_thousand_letters_are_visible_unclipped_and_centred():
    images, _ = draw_set(LETTERS, 10_000, range(2_000), seed=1)
    assert images.shape == (10_000, 28, 28)
    assert images.dtype == torch.uint8
    assert ((images >= VISIBLE).flatten(1).sum(dim=1) >= 12).all()
    assert frame(images).max() < VISIBLE
    top, bottom, left, right = boxes(images).T
    assert ((top + bottom) / 2 - 13.5).abs().max() <= 2
    assert ((left + right) / 2 - 13.5).abs().max() <= 2


def test_mass_layout_centres_the_mass_in_a_box_of_20_pixels():
    images, _ = draw_set(LETTERS, 3_000, range(2_000), seed=2, layout="mass")
    assert frame(images).max() < VISIBLE
    top, bottom, left, right = boxes(images).T
    longer = torch.maximum(bottom - top, right - left) + 1
    assert longer.min() >= 17
    assert longer.max() <= 22
    weights = images.float()
    for axis in (1, 2):
        mass = (weights.sum(dim=axis) * torch.arange(28)).sum(dim=1) / weights.sum(dim=(1, 2))
        assert (mass - 13.5).abs().max() <= 2


def test_marks_are_visible_unclipped_and_at_their_height_on_the_line():
    images, labels = draw_set(MARKS, 3_400, range(500), seed=3)
    assert images[labels == 0].max() == 0  # a space is blank
    images, labels = images[labels > 0], labels[labels > 0]
    assert ((images >= VISIBLE).flatten(1).sum(dim=1) >= 2).all()
    assert frame(images).max() < VISIBLE
    top, bottom, _, _ = boxes(images).T

    def median(mark, values):
        return values[labels == MARKS.index(mark)].median()

    assert median("'", bottom) < median("-", top) < median(",", top) < median(",", bottom)
    assert median(".", bottom) < median(",", bottom)
    assert median(",", bottom - top) < median("(", bottom - top) / 2


def test_every_character_has_several_forms():
    glyphs = load_glyphs()
    assert set(glyphs.count) == set(LETTERS + MARKS)
    assert all(count >= 3 for character, count in glyphs.count.items() if character != " ")


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    chunk=st.integers(1, 300),
    ink_chunk=st.integers(1, 300),
    cut=st.integers(1, 299),
)
def test_same_seed_same_bytes(seed, chunk, ink_chunk, cut):
    labels, writers = torch.arange(300) % len(LETTERS), torch.arange(300)
    pen = PenStrokes(LETTERS)
    expected = pen.draw(labels, writers, torch.Generator().manual_seed(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pen_strokes, "CHUNK", chunk)
        patch.setattr(pen_strokes, "INK_CHUNK", ink_chunk)
        generator = torch.Generator().manual_seed(seed)
        parts = [pen.draw(labels[part], writers[part], generator) for part in (slice(cut), slice(cut, None))]
    assert torch.equal(torch.cat(parts), expected)


def test_same_bytes_on_two_cores():
    one = draw_set(LETTERS, 2_000, range(100), seed=4)[0]
    torch.set_num_threads(2)
    two = draw_set(LETTERS, 2_000, range(100), seed=4)[0]
    torch.set_num_threads(1)
    assert torch.equal(one, two)


def test_seeds_and_writers_differ():
    assert not torch.equal(draw("a", [0], [0], seed=0), draw("a", [0], [0], seed=1))
    assert not torch.equal(draw("a", [0], [0]), draw("a", [0], [1]))


def test_a_writer_is_the_same_in_any_company():
    alone = draw("K", [0], [7], seed=5)
    assert torch.equal(draw("aKb", [1, 0, 2], [7, 8, 9], seed=5)[:1], alone)


def test_writers_keep_their_style():
    generator = torch.Generator().manual_seed(0)
    writers = torch.arange(40).repeat_interleave(20)
    images = PenStrokes("l").draw(torch.zeros(800, dtype=torch.int64), writers, generator)
    amount = (images.float() / 255).sum(dim=(1, 2)).view(40, 20)
    assert amount.mean(dim=1).std() > amount.std(dim=1).mean()


def test_switches_remove_what_they_say():
    labels, writers = [0] * 50, list(range(50))
    plain = draw("g", labels, writers, allographs=False, writers=False, warp=False)
    assert (plain == plain[0]).all()
    for switch in ("allographs", "writers", "warp"):
        options = dict.fromkeys(("allographs", "writers", "warp"), False) | {switch: True}
        assert not (draw("g", labels, writers, **options) == plain[0]).all()


def test_a_set_is_balanced_and_uses_the_whole_range_of_writers():
    images, labels = draw_set("abc", 100, range(50, 60), seed=0)
    assert len(images) == 100
    assert sorted(torch.bincount(labels).tolist()) == [33, 33, 34]


def test_global_random_state_is_left_alone():
    state = torch.get_rng_state()
    draw_set("ab", 10, range(3), seed=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_read_at_import(monkeypatch):
    load_glyphs.cache_clear()
    monkeypatch.delitem(sys.modules, "lab_kit.handwriting.pen_strokes")
    importlib.import_module("lab_kit.handwriting.pen_strokes")
    assert load_glyphs.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("labels", "writers", "message"),
    [([3], [0], "labels"), ([-1], [0], "labels"), ([0], [-1], "writer"), ([0, 1], [0], "same length")],
)
def test_wrong_input_is_a_clear_error(labels, writers, message):
    with pytest.raises(ValueError, match=message):
        draw("abc", labels, writers)


def test_unknown_character_or_layout_is_a_clear_error():
    with pytest.raises(ValueError, match="Ж"):
        draw("aЖ", [0], [0])
    with pytest.raises(ValueError, match="layout"):
        PenStrokes("a", layout="fashion")


def test_no_labels_no_images():
    nothing = torch.zeros(0, dtype=torch.int64)
    assert PenStrokes("a").draw(nothing, nothing, torch.Generator()).shape == (0, 28, 28)


@pytest.mark.parametrize("path", ["", "1", "1,2,3", "1,x 2,3", "0,0 1,1 |", "| 0,0", "0,0!! 1,1", "1,1 1,1"])
def test_malformed_path_is_one_clear_error(tmp_path, path):
    file = tmp_path / "paths.toml"
    file.write_text(f'["q"]\nbroken = "{path}"\n')
    with pytest.raises(ValueError, match=r"paths.toml: \[q\] broken"):
        read_glyphs(file)


@pytest.mark.parametrize("text", ['["q"\n', '["q"]\nbroken = 3\n', 'q = "0,0 1,1"\n', ""])
def test_malformed_file_is_one_clear_error(tmp_path, text):
    file = tmp_path / "paths.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"paths\.toml"):
        read_glyphs(file)


def test_paths_are_parsed_as_documented():
    assert parse_strokes("0,-1! 2.5,3 | 4,5") == [[(0, -1, True), (2.5, 3, False)], [(4, 5, False)]]


@pytest.mark.parametrize("what", ["characters", "lines", "pages"])
def test_contact_sheet_is_drawn(tmp_path, monkeypatch, what):
    monkeypatch.setattr("sys.argv", ["pen_sheet", "--of", what, "--save", str(tmp_path / "sheet.png")])
    pen_sheet.main()
    assert (tmp_path / "sheet.png").stat().st_size > 50_000


def test_a_sheet_that_cannot_be_written_is_one_clear_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pen_sheet", "--save", str(tmp_path / "none" / "sheet.png")])
    with pytest.raises(SystemExit) as end:
        pen_sheet.main()
    assert end.value.code == 2
    assert "cannot write" in capsys.readouterr().err
