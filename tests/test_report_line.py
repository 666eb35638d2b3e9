import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.text import char_error_rate, edit_distance

from lab_kit.plots import line_plots
from lab_kit.plots.line_plots import Lines, align
from text_recognizer.data.character_mapping import MAPPING, encode

TEXTS = st.text("ab c", max_size=9)


@given(TEXTS, TEXTS)
def test_alignment_shows_both_texts_with_as_few_errors_as_possible(true, read):
    columns = align(true, read)
    assert "".join(left for left, _ in columns) == true
    assert "".join(right for _, right in columns) == read
    assert sum(left != right for left, right in columns) == edit_distance([read], [true], reduction="sum")


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1).filter(lambda pairs: any(true for true, _ in pairs)))
def test_error_rate_equals_torchmetrics(pairs):
    true, read = map(list, zip(*pairs, strict=True))
    torch.testing.assert_close(torch.tensor(Lines(true, read).error_rate()).float(), char_error_rate(read, true))


def test_worst_lines_have_the_most_errors_and_perfect_ones_are_not_among_them():
    lines = Lines(["abcd", "abcd", "abcd", "ab"], ["abcd", "abc", "", "xy"])
    assert lines.worst(9) == [2, 3, 1]
    assert lines.usual(2) == [0, 3]


def test_replaced_pairs_leave_out_what_is_missing():
    assert Lines(["abc", "a"], ["axc", ""]).replaced() == ("abc", "axc")


def test_pictures_are_drawn_for_good_and_for_hopeless_readings(tmp_path):
    texts = ["hello $5", "a", "0123456789ab"]
    labels = torch.stack([torch.from_numpy(encode(text.replace("$", "&"), 12)) for text in texts])
    images = torch.randint(0, 255, (3, 28, 336), dtype=torch.uint8)
    nothing = torch.full((3, 20), 3)
    for name, predicted in (("good", labels), ("hopeless", nothing)):
        folder = tmp_path / name
        folder.mkdir()
        line_plots.draw(labels, predicted, torch.ones(3), images.__getitem__, MAPPING, folder)
        assert (folder / "predictions.png").stat().st_size > 5000
