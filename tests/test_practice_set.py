"""The practice set: what is planted is what the truth says, and nothing else."""

import csv
import io
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab_kit.curation.practice import make_set
from lab_kit.curation.practice.check import check, compare
from lab_kit.curation.practice.make_set import (
    CLASSES,
    draw_set,
    make_collection,
    make_practice_set,
)
from lab_kit.curation.practice.pen_paths import CONFUSED_WITH, FORMS
from lab_kit.curation.practice.symbols import draw_symbol
from lab_kit.errors import UserError
from lab_kit.program import run


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "practice"
    make_practice_set(folder, 10, 2, seed=1)
    return folder


@pytest.fixture
def practice(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "practice"))


def truth(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        return {row["stem"]: row for row in csv.DictReader(file)}


def files(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in folder.rglob("*") if file.is_file()}


def opens(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
    except OSError:
        return False
    return True


def test_the_truth_is_about_every_file_and_stems_are_unique(made):
    rows = truth(made)
    on_disk = [file for file in (made / "collected").rglob("*") if file.is_file()]
    assert sorted(rows) == sorted(file.stem for file in on_disk)
    assert all(rows[file.stem]["folder"] == file.parent.name for file in on_disk)
    assert {file.parent.name for file in on_disk} == set(CLASSES)
    clean = [file for file in (made / "test").rglob("*") if file.is_file()]
    assert not {file.stem for file in clean} & set(rows)
    assert Counter(file.parent.name for file in clean) == dict.fromkeys(CLASSES, 2)


def test_every_trouble_is_what_the_truth_says(made):
    rows, on_disk = truth(made), files(made / "collected")
    assert {row["trouble"] for row in rows.values()} == set(make_set.TROUBLE)
    for stem, row in rows.items():
        content = on_disk[stem].read_bytes()
        assert opens(content) == (row["trouble"] not in ("broken", "not an image"))
        if not opens(content):
            continue
        picture = Image.open(io.BytesIO(content))
        assert (getattr(picture, "n_frames", 1) > 1) == (row["trouble"] == "animated")
        assert (min(picture.size) < 24) == (row["trouble"] == "tiny")
        if row["trouble"] == "duplicate":
            original = rows[row["duplicate_of"]]
            assert original["trouble"] == "none"
            assert original["true_class"] == row["true_class"]
        elif row["trouble"] == "wrong label":
            assert row["true_class"] != row["folder"]
        elif row["trouble"] == "none":
            assert row["true_class"] == row["folder"]
    across = [row for row in rows.values() if row["trouble"] == "duplicate" and row["folder"] != row["true_class"]]
    assert len(across) == 2


def test_biased_noise_pollutes_one_folder_with_the_class_it_is_mixed_up_with(made):
    wrong = [row for row in truth(made).values() if row["trouble"] == "wrong label"]
    assert len(wrong) == round(0.35 * 10)
    [(folder, true_class)] = {(row["folder"], row["true_class"]) for row in wrong}
    assert CONFUSED_WITH[folder] == true_class
    drawings = Counter(r["true_class"] for r in truth(made).values() if r["trouble"] in ("none", "wrong label"))
    assert drawings == dict.fromkeys(CLASSES, 10)


def test_random_noise_is_in_every_folder_and_the_same_seed_gives_the_same_bytes(monkeypatch):
    drawn = []
    picture = Image.new("RGB", (90, 90), "white")
    monkeypatch.setattr(make_set, "draw_symbol", lambda name, rng: drawn.append(name) or picture)
    items = make_collection(10, "random", 0.3, 5)
    wrong = [item for item in items if item.trouble == "wrong label"]
    assert Counter(item.folder for item in wrong) == dict.fromkeys(CLASSES, 3)
    assert len({item.true_class for item in wrong}) > 2
    assert make_collection(10, "random", 0.3, 5) == items
    assert make_collection(10, "random", 0.3, 6) != items
    assert not [item for item in make_collection(10, "none", 0.3, 5) if item.trouble == "wrong label"]


def test_drawings_are_functions_of_the_seed_and_all_different():
    pictures = {}
    for name in FORMS:
        for writer in range(2):
            first, again = (draw_symbol(name, np.random.default_rng([3, writer])) for _ in range(2))
            assert first.tobytes() == again.tobytes()
            assert all(80 <= side <= 240 for side in first.size)
            pictures[name, writer] = first.tobytes()
    assert len(set(pictures.values())) == 2 * len(FORMS)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_can_be_drawn_by_every_hand(name):
    assert len(FORMS[name]) >= 3
    for form in FORMS[name]:
        for seed in range(20):
            strokes = form(np.random.default_rng(seed))
            assert all(stroke.ndim == 2 and stroke.shape[1] == 2 and np.isfinite(stroke).all() for stroke in strokes)
            extent = np.ptp(np.concatenate(strokes), axis=0)
            assert 0.4 < extent.max() < 4


def test_a_clean_set_is_nothing_but_clean(tmp_path, made):
    draw_set(tmp_path / "clean", 2, seed=1)
    drawn = [file for file in (tmp_path / "clean").rglob("*") if file.is_file()]
    assert Counter(file.parent.name for file in drawn) == dict.fromkeys(CLASSES, 2)
    others = {file.read_bytes() for file in made.rglob("*") if file.is_file()}
    assert not {file.read_bytes() for file in drawn} & others  # other writers


def test_an_interrupted_set_leaves_nothing_behind(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(make_set, "write_truth", stop)
    monkeypatch.setattr(make_set, "draw_symbol", lambda *_: Image.new("RGB", (90, 90)))
    with pytest.raises(KeyboardInterrupt):
        make_practice_set(tmp_path / "practice", 10, 1)
    assert not list(tmp_path.glob("practice*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pictures_per_class", "3"], "from 10 to 10,000"),
        (["--test_per_class", "0"], "from 1 to 10,000"),
        (["--noise_share", "0.6"], "from 0 to 0.4"),
        (["--noise", "loud"], "--noise must be one of biased, random, none, not 'loud'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as end:
        run(make_practice_set, [str(tmp_path / "new"), *arguments])
    message = capsys.readouterr().err
    assert end.value.code == 2
    assert words in message
    assert message.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        make_practice_set(tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["mine.txt"]


# lab_kit.curation.practice.check


def outcomes(folder: Path, pictures: Path) -> dict[str, tuple[int, int, int, int]]:
    return {o.trouble: (o.planted, o.gone, o.put_right, o.left) for o in compare(folder, pictures).outcomes}


def test_untouched_everything_is_left(practice):
    counts = Counter(row["trouble"] for row in truth(practice).values())
    found = outcomes(practice, practice / "collected")
    assert found == {trouble: (counts[trouble], 0, 0, counts[trouble]) for trouble in make_set.TROUBLE[1:]}
    result = compare(practice, practice / "collected")
    assert (result.good, result.lost, result.mislabelled, result.unknown) == (counts["none"], (), (), 0)


def test_all_put_right_wherever_it_lies_and_whatever_its_format(practice, tmp_path):
    pictures = tmp_path / "cleaned" / "train"
    for stem, file in files(practice / "collected").items():
        row = truth(practice)[stem]
        if row["trouble"] in ("none", "wrong label"):
            (pictures / row["true_class"]).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, pictures / row["true_class"] / f"{stem}.png")
    result = compare(practice, tmp_path / "cleaned")
    assert not any(outcome.left for outcome in result.outcomes)
    assert result.outcomes[0].put_right == result.outcomes[0].planted > 0
    assert (result.lost, result.mislabelled) == ((), ())


def test_harm_done_is_seen(practice, capsys):
    rows, on_disk = truth(practice), files(practice / "collected")
    copied = {row["duplicate_of"]: stem for stem, row in rows.items() if row["trouble"] == "duplicate"}
    good = [stem for stem, row in rows.items() if row["trouble"] == "none" and stem not in copied]
    on_disk[good[0]].unlink()
    moved = on_disk[good[1]]
    moved.rename(moved.parent.parent / CONFUSED_WITH[moved.parent.name] / moved.name)
    original = next(o for o, copy in copied.items() if rows[copy]["folder"] == rows[o]["folder"])
    on_disk[original].unlink()  # its copy is as good
    result = compare(practice, practice / "collected")
    assert result.lost == (good[0],)
    assert result.mislabelled == (good[1],)
    assert {o.trouble: o.gone for o in result.outcomes}["duplicate"] == 1
    check(practice, practice / "collected")
    written = " ".join(capsys.readouterr().out.split())
    assert f"1 are lost ({good[0]}), 1 have the wrong label now ({good[1]})" in written


def test_without_a_truth_it_says_what_to_name(tmp_path):
    with pytest.raises(UserError, match=r"truth\.csv cannot be read"):
        compare(tmp_path, tmp_path)
