"""Photos as phones take them: what is written is found whatever it is written on, and nothing where nothing is."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photographed import enlarge
from PIL import Image
from test_photo import likeness, page

from lab_kit.errors import UserError
from lab_kit.handwriting.pen_strokes import draw_set
from lab_kit.photo import find_lines, only_line, prepare_character, written_lines
from lab_kit.photo.background import dark_on_light
from lab_kit.photo.groups import TwoCharacters, find_pieces, one_character
from lab_kit.photo.ink import NoWriting, extract_ink
from lab_kit.photo.page import MOST_ENLARGED
from lab_kit.photo.ruled_lines import remove_ruled_lines
from lab_kit.photo.sheet import find_sheet, straighten
from lab_kit.photo.simulation import LOOKS, photograph, photograph_with_truth, wood

HARD = ("pencil on rules, 1", "pencil on squares", "hard shadow, 60%", "hard shadow on rules", "wood", "light table",
        "screenshot", "a stray dot", "punched holes", "a pen beside", "a finger", "near the edge")  # fmt: skip
EMPTY = ("ballpoint", "pencil on rules, 1", "pencil on squares", "hard shadow, 60%", "hard shadow on rules", "wood",
         "dark table", "a finger", "blackboard", "bad camera")  # fmt: skip


def save(path: Path, *pictures: np.ndarray) -> None:
    """Keep pictures of before and after, side by side, with the output of the test."""
    grey = [np.asarray(Image.fromarray(picture).convert("L").resize((300, 300))) for picture in pictures]
    Image.fromarray(np.concatenate(grey, axis=1)).save(path)


@pytest.fixture(scope="module")
def inks() -> list[np.ndarray]:
    """Characters at the size that they have in a photo."""
    images, _ = draw_set("AKRe5j4HB2Xi", 12, range(2_000_000, 2_000_100), seed=3, layout="box")
    return [enlarge(image, 8) for image in images.numpy()]


@pytest.mark.parametrize("name", HARD)
def test_a_character_is_found_whatever_is_around_it(inks, name, tmp_path):
    for seed, ink in enumerate(inks[:4]):
        clean = prepare_character(Image.fromarray(255 - np.pad(ink, 60)), "box")
        photo = photograph(ink, LOOKS[name], np.random.default_rng(seed))
        seen = prepare_character(photo, "box")
        save(tmp_path / f"{seed}.png", np.asarray(photo), seen)
        assert likeness(clean, seen) > 0.75, seed


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_is_found_where_nothing_is_written(name):
    for seed in range(3):
        with pytest.raises(NoWriting):
            prepare_character(
                photograph(np.zeros((220, 220), np.uint8), LOOKS[name], np.random.default_rng(seed)), "box"
            )


def test_wood_is_no_writing():
    board = (230 * wood((500, 700), np.random.default_rng(0))).clip(0, 255).astype(np.uint8)
    with pytest.raises(NoWriting):
        prepare_character(Image.fromarray(board), "box")


@pytest.mark.parametrize("name", ["scan", "ballpoint", "hard shadow, 60%", "blackboard", "pencil on rules, 0.67"])
def test_the_ink_is_where_it_was_written(inks, name, tmp_path):
    for seed, ink in enumerate(inks[:4]):
        photo, truth = photograph_with_truth(ink, LOOKS[name], np.random.default_rng(seed))
        found = cv2.resize(extract_ink(photo), truth.shape[::-1]) > 127
        save(tmp_path / f"{seed}.png", np.asarray(photo), 255 * found.astype(np.uint8))
        assert (found & (truth > 127)).sum() > 0.7 * (found | (truth > 127)).sum(), seed


def test_a_photo_is_the_same_again_for_the_same_seed(inks):
    for look in LOOKS.values():
        one, other = (photograph(inks[0], look, np.random.default_rng(4)) for _ in range(2))
        assert one.tobytes() == other.tobytes()
        assert one.mode == "RGB"


# The sheet


def test_a_sheet_on_a_table_is_seen_from_above(inks, tmp_path):
    look = dataclasses.replace(LOOKS["dark table"], tilt=0.08, turn=10.0)
    photo = photograph(np.zeros_like(inks[0]), look, np.random.default_rng(1))
    sheet = straighten(photo)
    save(tmp_path / "sheet.png", np.asarray(photo), np.asarray(sheet))
    assert np.asarray(sheet.convert("L")).min() > 100


@pytest.mark.parametrize("name", ["ballpoint", "hard shadow, 60%", "cream paper, soft shadow", "blackboard"])
def test_without_a_table_there_is_no_sheet_to_cut_out(inks, name):
    for seed in range(4):
        photo = photograph(inks[seed], LOOKS[name], np.random.default_rng(seed))
        assert find_sheet(np.asarray(photo.convert("L"))) is None


# Ruled lines


def test_lines_go_and_strokes_across_them_stay(tmp_path):
    darkness = np.zeros((300, 400), np.float32)
    for row in range(30, 300, 45):
        cv2.line(darkness, (0, row), (399, row + 12), 0.4, 2)
    ruled = darkness.copy()
    cv2.line(darkness, (200, 60), (215, 240), 0.5, 9)
    after = remove_ruled_lines(darkness)
    save(tmp_path / "lines.png", *(np.uint8(255 * value.clip(0, 1)) for value in (darkness, after)))
    stroke = np.zeros_like(darkness)
    cv2.line(stroke, (200, 62), (215, 238), 1.0, 3)
    assert remove_ruled_lines(ruled).max() < 0.1
    assert np.quantile(after[stroke > 0], 0.02) > 0.2
    assert (after > 0.2)[:, :180].sum() == 0


def test_loops_that_a_line_crosses_stay_open(tmp_path):
    darkness = np.zeros((300, 400), np.float32)
    for row in range(30, 300, 60):
        cv2.line(darkness, (0, row), (399, row), 0.3, 7)
    for column in range(20, 400, 60):
        cv2.line(darkness, (column, 0), (column, 299), 0.3, 7)
    ring = np.zeros_like(darkness)
    cv2.circle(ring, (140, 150), 12, 1.0, 6)
    seen = 1 - (1 - darkness) * (1 - 0.6 * ring)
    after = remove_ruled_lines(seen)
    save(tmp_path / "loop.png", *(np.uint8(255 * value.clip(0, 1)) for value in (seen, after)))
    assert after[146:155, 136:145].max() < 0.15
    assert np.quantile(after[cv2.erode(ring, np.ones((3, 3))) > 0], 0.05) > 0.4


# Which ink is meant


def drawn(*strokes: tuple[str, tuple[int, ...]]) -> np.ndarray:
    ink = np.zeros((300, 300), np.uint8)
    for kind, (x, y, *more) in strokes:
        if kind == "dot":
            cv2.circle(ink, (x, y), *(more or [8]), 255, -1)
        else:
            cv2.line(ink, (x, y), tuple(more), 255, 12)
    return ink


@pytest.mark.parametrize(
    ("name", "ink"),
    {
        "i": drawn(("line", (150, 120, 150, 240)), ("dot", (155, 70))),
        "!": drawn(("line", (150, 60, 150, 190)), ("dot", (150, 235))),
        "=": drawn(("line", (80, 130, 220, 130)), ("line", (80, 185, 220, 185))),
        ":": drawn(("dot", (150, 120)), ("dot", (150, 180))),
    }.items(),
)
def test_parts_of_a_character_stay_together(name, ink):
    assert len(find_pieces(one_character(ink))[0]) == 2, name


def test_two_characters_are_refused_and_what_lies_beside_one_is_left_out():
    for pair in (("A", "A"), ("4", "R"), ("1", "7")):
        both = np.concatenate([page(name) for name in pair], axis=1)
        with pytest.raises(TwoCharacters, match="There are two characters here: ") as refused:
            prepare_character(Image.fromarray(both), "box")
        assert "\n" not in str(refused.value)
    with pytest.raises(TwoCharacters, match="several"):
        prepare_character(Image.fromarray(np.concatenate([page(name) for name in "ABD"], axis=1)), "box")
    with_dot = drawn(("line", (150, 60, 150, 190)), ("dot", (280, 30, 5)))
    assert len(find_pieces(one_character(with_dot))[0]) == 1


def test_a_thick_character_and_a_thin_one_are_two():
    parts = []
    for name, pen, size in (("9", 30, 0.6), ("5", 8, 0.48)):
        drawing = page(name, pen, size=size)
        left, _, width, _ = cv2.boundingRect(255 - drawing)
        parts.append(np.pad(drawing[:, left : left + width], ((60, 60), (0, 16)), constant_values=255))
    both = np.pad(np.concatenate(parts, axis=1), ((0, 0), (60, 60)), constant_values=255)
    with pytest.raises(TwoCharacters):
        prepare_character(Image.fromarray(both), "box")


# Pages


def written_page(rows: int, slopes: list[float], gap: int = 78) -> np.ndarray:
    """Lines of capitals, each a letter shorter than the one before."""
    sheet = np.zeros((gap * rows + 140, 900), np.uint8)
    for k, slope in enumerate(slopes):
        line = np.concatenate([255 - page(name, side=60, pen=5, size=0.85) for name in "ABDEGHNRT3745"[k:]], axis=1)
        move = np.float32([[1, 0, 40], [slope, 1, 40 + gap * k + max(0.0, -slope * 600)]])
        sheet = np.maximum(sheet, cv2.warpAffine(line, move, sheet.shape[::-1]))
    return sheet


@given(turn=st.floats(-9, 9), seed=st.integers(0, 5))
@settings(max_examples=4)
def test_lines_are_found_in_order_at_any_slope(turn, seed):
    random = np.random.default_rng(seed)
    sheet = written_page(5, list(random.uniform(-0.02, 0.02, 5)))
    look = dataclasses.replace(LOOKS["ballpoint"], turn=0.0, tilt=0.01, margin=0.3)
    sheet = np.pad(sheet, 100)
    matrix = cv2.getRotationMatrix2D((sheet.shape[1] / 2, sheet.shape[0] / 2), turn, 1.0)
    photo = photograph(cv2.warpAffine(sheet, matrix, sheet.shape[::-1]), look, random)
    lines = find_lines(photo)
    assert len(lines) == 5
    widths = [line.ink.shape[1] for line in lines]
    assert widths == sorted(widths, reverse=True)  # each is one letter shorter than the one before
    middles = [line.corners.mean(axis=0)[1] for line in lines]
    assert middles == sorted(middles)
    assert all((line.corners > -20).all() and (line.corners < np.array(photo.size) + 20).all() for line in lines)


def test_a_tail_that_touches_the_next_line_is_cut_off():
    sheet = written_page(2, [0.0, 0.0])
    cv2.line(sheet, (190, 78), (190, 138), 255, 5)
    lines = find_lines(Image.fromarray(255 - sheet))
    assert len(lines) == 2
    assert all(line.ink.shape[0] < 1.3 * 78 * MOST_ENLARGED for line in lines)


def test_corners_lead_back_to_the_photo():
    ink = written_page(1, [0.0])[:180]
    photo, truth = photograph_with_truth(
        ink, dataclasses.replace(LOOKS["dark table"], turn=6.0), np.random.default_rng(2)
    )
    y, x = np.nonzero(truth > 127)
    corners = only_line(photo).corners
    inside = [
        cv2.pointPolygonTest(corners, (float(a), float(b)), True) > -12 for a, b in zip(x[::50], y[::50], strict=True)
    ]
    assert np.mean(inside) > 0.98
    assert cv2.contourArea(corners) < 3 * cv2.contourArea(cv2.convexHull(np.stack([x, y], 1).astype(np.int32)))


def test_several_lines_are_no_line():
    with pytest.raises(UserError, match="There are 3 lines"):
        only_line(Image.fromarray(255 - written_page(3, [0.0] * 3)))


@pytest.mark.parametrize("square", [50, 56, 60, 67])
def test_squared_paper_is_no_board(square):
    sheet = np.full((1500, 1900), 220, np.uint8)
    for across in (sheet, sheet.T):
        for start in range(10, len(across), square):
            across[start : start + 10] = 150
    assert dark_on_light(sheet) is sheet


# What was found amiss in photos of all kinds


@pytest.mark.parametrize("height", [0.6, 0.85, 0.92])
def test_a_character_that_fills_the_photo_keeps_its_stem(height):
    page = np.full((400, 400), 235, np.uint8)
    top, bottom = round(200 - 200 * height), round(200 + 200 * height)
    for start, end in (((120, top), (120, bottom)), ((120, top), (280, top)), ((120, 200), (240, 200))):
        cv2.line(page, start, end, 40, 10, cv2.LINE_AA)
    seen = prepare_character(Image.fromarray(page), "box")
    left = np.flatnonzero((seen > 127).any(axis=0))[0]
    assert (seen[:, left : left + 3] > 127).any(axis=1).sum() > 18


def test_a_block_of_light_writing_is_no_sheet():
    board = np.full((500, 900), 50, np.uint8)
    for row in range(100, 420, 80):
        cv2.putText(board, "many words of chalk here", (60, row), cv2.FONT_HERSHEY_SIMPLEX, 1.8, 220, 6, cv2.LINE_AA)
    assert find_sheet(board) is None
    assert len(find_lines(Image.fromarray(board))) == 4


def dotted() -> np.ndarray:
    page = np.full((1500, 2000), 235, np.uint8)
    for row in range(30, 1500, 40):
        for column in range(30, 2000, 40):
            cv2.circle(page, (column, row), 4, 150, -1, cv2.LINE_AA)
    return page


def specks(count: int) -> np.ndarray:
    page = np.full((1500, 2000), 255, np.uint8)
    random = np.random.default_rng(0)
    for row, column in zip(random.integers(0, 1490, count), random.integers(0, 1990, count), strict=True):
        page[row : row + 3, column : column + 3] = 0
    return page


def holes() -> np.ndarray:
    page = np.full((1200, 1600), 235, np.uint8)
    for row in range(60, 1200, 80):
        cv2.circle(page, (70, row), 22, 60, -1)
    return page


@pytest.mark.parametrize("make", [dotted, lambda: specks(13), lambda: specks(1_000), lambda: specks(20_000), holes])
def test_dots_specks_and_holes_are_no_lines(make):
    with pytest.raises(NoWriting):
        find_lines(Image.fromarray(make()))


def words(*rows: str) -> np.ndarray:
    page = np.full((140 * len(rows) + 200, 1400), 235, np.uint8)
    for k, row in enumerate(rows, 1):
        cv2.putText(page, row, (150, 60 + 140 * k), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 40, 6, cv2.LINE_AA)
    return page


def test_a_short_line_and_lines_in_a_frame_are_found():
    assert len(written_lines(Image.fromarray(words("Hi Bob", "thank you for your kind letter")))) == 2
    framed = words("first line of three", "second line of it", "and the third of them")
    cv2.rectangle(framed, (60, 60), (1300, 580), 40, 6)
    assert len(find_lines(Image.fromarray(framed))) == 3
    punched = words("first line of three", "second line of it", "and the third of them")
    for row in (200, 420):
        cv2.circle(punched, (60, row), 50, 50, -1)
    assert len(find_lines(Image.fromarray(punched))) == 3


def ink_of(lines: list) -> list[tuple[int, int]]:
    """Height and width of lines."""
    return [line.ink.shape for line in lines]


def test_what_lies_beside_a_faint_line_is_no_ink_and_hides_none():
    plain = np.full((330, 1500), 235, np.uint8)
    cv2.putText(plain, "At 9.40 Mr. Evans, of", (200, 190), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 185, 6, cv2.LINE_AA)
    alone = ink_of(find_lines(Image.fromarray(plain)))
    pen, punched, ruled = plain.copy(), plain.copy(), plain.copy()
    cv2.line(pen, (1440, 40), (1420, 290), 30, 26, cv2.LINE_AA)
    for row in (80, 250):
        cv2.circle(punched, (60, row), 26, 40, -1, cv2.LINE_AA)
    cv2.line(ruled, (0, 40), (900, 20), 120, 3, cv2.LINE_AA)
    for beside in (pen, punched, ruled):
        assert np.allclose(ink_of(find_lines(Image.fromarray(beside))), alone, atol=8)


def test_lines_of_a_thick_and_of_a_thin_pen_are_both_read():
    sheet = np.full((600, 1400), 235, np.uint8)
    for row in (200, 340, 480):
        cv2.putText(sheet, "I will. Bill . .", (150, row), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 40, 3, cv2.LINE_AA)
    thick = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    sheet[250:390] = cv2.erode(sheet[250:390], thick)  # ink is dark: it grows where light is eroded
    widths = [width for _, width in ink_of(find_lines(Image.fromarray(sheet)))]
    assert len(widths) == 3
    assert max(widths) < 1.05 * min(widths)


def test_the_bar_of_a_phone_is_left_out_of_a_screenshot_and_a_heading_of_a_photo_is_not():
    sheet = words("some words", "and more of them")
    cv2.putText(sheet, "12:30", (40, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 40, 5, cv2.LINE_AA)
    cv2.putText(sheet, "Done", (1200, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 40, 5, cv2.LINE_AA)
    assert len(find_lines(Image.fromarray(sheet))) == 2
    noise = np.random.default_rng(0).normal(0, 4, sheet.shape)
    assert len(find_lines(Image.fromarray((sheet + noise).clip(0, 255).astype(np.uint8)))) == 3


def test_a_small_gap_in_a_character_makes_no_two():
    page = np.full((400, 400), 235, np.uint8)
    for start, end in (((60, 340), (190, 60)), ((206, 60), (340, 340)), ((150, 240), (250, 240))):
        cv2.line(page, start, end, 40, 12, cv2.LINE_AA)
    assert (prepare_character(Image.fromarray(page), "box")[:, 15:] > 127).any()
    page = np.full((400, 400), 235, np.uint8)
    for column in (100, 170):
        cv2.rectangle(page, (column, 100), (column + 50, 300), 40, 8)
    with pytest.raises(TwoCharacters):
        prepare_character(Image.fromarray(page), "box")
