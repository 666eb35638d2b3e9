"""Verifying: what is planted is found, nothing else is moved, and nothing is ever lost."""

import csv
import hashlib
import io
import os
import shutil
import signal
import struct
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lab_kit.curation.check_picture import check_picture
from lab_kit.curation.duplicates import choose_kept, find_duplicates
from lab_kit.curation.practice.check import compare
from lab_kit.curation.practice.make_set import make_practice_set
from lab_kit.curation.process_pool import ProcessDied, map_in_processes
from lab_kit.curation.verify import verify
from lab_kit.datasets.picture_formats import describe_bytes, detect_format
from lab_kit.errors import UserError
from lab_kit.program import run


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "practice"
    make_practice_set(folder, 10, 1, seed=2)
    return folder


@pytest.fixture
def pictures(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "collected", tmp_path / "pictures"))


def tree(*folders: Path) -> dict[str, str]:
    return {
        file.relative_to(folder.parent).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "verified.csv"
    }


def contents(*folders: Path) -> Counter:
    return Counter(tree(*folders).values())


def report(folder: Path) -> list[dict[str, str]]:
    with (
        folder.with_name(f"{folder.name}-quarantine")
        .joinpath("verified.csv")
        .open(encoding="utf-8", newline="") as file
    ):
        return list(csv.DictReader(file))


def truth(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        return {row["stem"]: row for row in csv.DictReader(file)}


def drawing(size: int = 200, extra: tuple[int, ...] = ()) -> Image.Image:
    """A house in thin lines, and perhaps a line more."""
    picture = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(picture)
    draw.line((40, 160, 40, 80, 100, 30, 160, 80, 160, 160, 40, 160), fill="black", width=2)
    if extra:
        draw.line(extra, fill="black", width=2)
    return picture


def save(picture: Image.Image, path: Path, **settings) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **settings)
    return path


# The practice set


def test_everything_planted_is_found_and_nothing_else_is_moved(made, pictures, capsys):
    before = contents(pictures)
    verify(pictures, processes=2)
    rows = truth(made)
    result = compare(made, pictures)
    left = {outcome.trouble: outcome.left for outcome in result.outcomes}
    across = sum(row["trouble"] == "duplicate" and row["folder"] != row["true_class"] for row in rows.values())
    assert left["broken"] == left["tiny"] == left["animated"] == left["not an image"] == 0
    assert left["duplicate"] == across == 2  # which class is right is for a person to say
    assert (result.lost, result.mislabelled) == ((), ())

    quarantine = pictures.with_name("pictures-quarantine")
    assert contents(pictures, quarantine) == before
    moved = [row for row in report(pictures) if row["moved_to"]]
    assert sorted(row["moved_to"] for row in moved) == sorted(
        file.removeprefix("pictures-quarantine/") for file in tree(quarantine)
    )
    for row in moved:
        planted = rows[Path(row["file"]).stem]
        if row["reason"] == "duplicate":  # one of the two, be it the copy or the original
            copy = Path(row["detail"].removeprefix("copy of ")).stem
            assert planted["duplicate_of"] == copy or rows[copy]["duplicate_of"] == Path(row["file"]).stem
        else:
            assert row["reason"] == planted["trouble"]
        assert row["moved_to"] == f"{row['reason'].replace(' ', '_')}/{row['file']}"
    both = [row for row in report(pictures) if row["reason"] == "in two classes"]
    assert len(both) == 4
    assert not any(row["moved_to"] for row in both)
    assert f"Moved, not deleted: {len(moved)} files" in " ".join(capsys.readouterr().out.split())

    first, after = report(pictures), tree(pictures, quarantine)
    verify(pictures, processes=1)
    assert "No file had to be moved to the quarantine." in capsys.readouterr().out
    assert tree(pictures, quarantine) == after
    assert sorted(map(str, report(pictures))) == sorted(map(str, first))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_killed_at_any_moment_nothing_is_lost_and_the_next_run_finishes(pictures, tmp_path, capsys):
    whole = Path(shutil.copytree(pictures, tmp_path / "whole"))
    verify(whole, max_size=100, processes=1)
    before = Counter(Path(file).stem for file in tree(pictures))
    quarantine = pictures.with_name("pictures-quarantine")
    for seconds in (0.2, 0.5):
        child = os.fork()
        if child == 0:
            try:
                verify(pictures, max_size=100, processes=1)
            finally:
                os._exit(0)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        there = Counter(Path(f).stem for f in tree(*(p for p in (pictures, quarantine) if p.exists())))
        assert not before - there
        for file in tree(quarantine) if quarantine.exists() else ():
            assert file.removeprefix("pictures-quarantine/") in {row["moved_to"] for row in report(pictures)}
    verify(pictures, max_size=100, processes=1)
    assert sorted(tree(pictures)) == sorted(file.replace("whole/", "pictures/", 1) for file in tree(whole))


# Single files


def test_a_link_beside_its_picture_is_no_copy_and_the_picture_stays(tmp_path, caplog):
    folder = tmp_path / "pictures"
    for number, name in enumerate(("a/z0.png", "a/z1.png", "b/z0.png", "b/z1.png")):
        save(Image.effect_noise((64, 64), 100 + 20 * number), folder / name)
    before = contents(folder)
    (folder / "a" / "a0.png").symlink_to("z0.png")
    (folder / "a" / "loop.png").symlink_to("loop.png")
    (folder / "c").symlink_to("b")
    verify(folder)
    assert all((folder / name).is_file() for name in ("a/a0.png", "a/z0.png", "b/z0.png", "c/z1.png"))
    assert "3 another name of a file that is there already (such as " in caplog.text
    assert "in two classes" not in caplog.text
    assert {path.name for path in folder.rglob("*.png")} >= {"z0.png", "z1.png", "a0.png"}
    assert sum(before.values()) == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_what_cannot_be_read_is_not_counted_as_left(tmp_path, capsys):
    folder = tmp_path / "pictures"
    for number in range(3):
        save(Image.effect_noise((64, 64), 100 + 20 * number), folder / "a" / f"{number}.png")
    (folder / "a" / "lost.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "a" / "pipe.png")
    verify(folder)
    lines = [line.replace("┃", "").replace("│", "").split() for line in capsys.readouterr().out.splitlines()]
    heads, row = (next(line for line in lines if line[:1] == [word]) for word in ("class", "a"))
    assert dict(zip(heads, row, strict=True)) == {"class": "a", "files": "5", "unreadable": "2", "left": "3"}


def bomb() -> bytes:
    """A PNG that says it has 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def encoded(kind: str, **settings) -> bytes:
    file = io.BytesIO()
    drawing().save(file, kind, **settings)
    return file.getvalue()


def frames(kind: str) -> bytes:
    return encoded(kind, save_all=True, append_images=[drawing(extra=(60, 60, 80, 120))], duration=100)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encoded("PNG"), ""),
        (encoded("GIF"), ""),
        (encoded("WEBP"), ""),
        (encoded("BMP"), ""),
        (encoded("TIFF"), ""),
        (frames("TIFF"), ""),  # pages, not an animation
        (frames("GIF"), "animated"),
        (frames("WEBP"), "animated"),
        (frames("PNG"), "animated"),
        (encoded("JPEG")[:-400], "broken"),
        (encoded("PNG")[:500], "broken"),
        (b"", "broken"),
        (bomb(), "too large"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"<!DOCTYPE html><p>moved", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (bytes(range(256)), "not an image"),
    ],
)
def test_a_file_is_what_its_bytes_are_whatever_it_is_called(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    assert check_picture(tmp_path / "a.jpg").reason == reason


def test_every_prefix_of_a_picture_is_judged_and_none_is_sound(tmp_path):
    for content in (encoded("PNG"), encoded("WEBP", lossless=True), encoded("GIF")):
        for end in range(0, len(content) - 20, 97):
            (tmp_path / "a").write_bytes(content[:end])
            assert check_picture(tmp_path / "a").reason in ("broken", "not an image")


def test_what_is_no_picture_is_called_by_its_name():
    assert describe_bytes(b"\n <HTML>") == "a web page, not a picture"
    assert describe_bytes(b"<?xml version='1.0'?><svg>") == "an SVG drawing, which has no pixels"
    assert describe_bytes(b"hello") == "text, not a picture"
    assert detect_format(b"hello") is None
    assert detect_format(encoded("WEBP")) == "WEBP"


def work(value: int) -> int:
    if value == 3:
        os._exit(9)
    if value == 5:
        time.sleep(60)
    return value * value


def test_a_process_that_dies_or_hangs_takes_nothing_else_along():
    results = dict(map_in_processes(work, list(range(8)), processes=2, timeout=1.0))
    assert sorted(results) == list(range(8))
    assert {value: results[value] for value in (0, 1, 2, 4, 6, 7)} == {v: v * v for v in (0, 1, 2, 4, 6, 7)}
    assert isinstance(results[3], ProcessDied)
    assert "9" in results[3].how
    assert isinstance(results[5], ProcessDied)


# Duplicates


def groups(*pictures: Path) -> list[list[int]]:
    return find_duplicates([check_picture(path) for path in pictures])


def test_copies_are_found_and_drawings_that_differ_in_one_stroke_are_not(tmp_path):
    house = save(drawing(), tmp_path / "house.png")
    jpeg = save(drawing(), tmp_path / "house.jpg", quality=40)
    small = save(drawing().resize((90, 90), Image.Resampling.LANCZOS), tmp_path / "small.webp", quality=70)
    grey = save(drawing().convert("L"), tmp_path / "grey.png")
    assert groups(house, jpeg, small, grey) == [[0, 1, 2, 3]]
    for number, extra in enumerate([(90, 160, 90, 120), (60, 100, 75, 100), (130, 50, 130, 30), (20, 170, 34, 170)]):
        other = save(drawing(extra=extra), tmp_path / f"other{number}.png")
        assert groups(house, other) == []
    flipped = save(drawing(extra=(90, 160, 90, 120)).transpose(Image.Transpose.FLIP_LEFT_RIGHT), tmp_path / "flip.png")
    assert groups(save(drawing(extra=(90, 160, 90, 120)), tmp_path / "door.png"), flipped) == []


def test_colour_counts_and_empty_pages_are_not_each_others_copies(tmp_path):
    red, green = (save(Image.new("RGB", (80, 80), colour), tmp_path / f"{colour}.png") for colour in ("red", "green"))
    assert groups(red, green) == []
    noise = np.random.default_rng(0)
    pages = [
        save(
            Image.fromarray((220 + 12 * noise.normal(size=(90, 90, 3))).clip(0, 255).astype(np.uint8)),
            tmp_path / f"{k}.png",
        )
        for k in range(6)
    ]
    assert groups(*pages) == []
    assert groups() == []


def test_the_largest_stays_and_what_is_tested_on_is_not_trained_on(tmp_path):
    large, small = (check_picture(save(drawing().resize((s, s)), tmp_path / f"{s}.png")) for s in (200, 100))
    assert choose_kept([("a/1.png", small), ("a/2.png", large)]) == (["a/2.png"], [("a/1.png", "a/2.png")])
    kept, copies = choose_kept([("train/a/1.png", large), ("test/a/2.png", small), ("valid/a/3.png", large)])
    assert kept == ["test/a/2.png"]
    assert sorted(copies) == [("train/a/1.png", "test/a/2.png"), ("valid/a/3.png", "test/a/2.png")]
    assert choose_kept([("a/1.png", large), ("b/1.png", large)]) == (["a/1.png", "b/1.png"], [])


def test_many_pictures_are_compared_at_once(tmp_path):
    one = check_picture(save(drawing(), tmp_path / "a.png"))
    rng = np.random.default_rng(0)
    many = []
    for number in range(2000):
        look = rng.integers(0, 256, len(one.thumbnail), dtype=np.uint8).tobytes()
        seen = {
            "perceptual_hash": int(rng.integers(0, 2**63)),
            "thumbnail": look,
            "content_hash": number.to_bytes(4, "big"),
        }
        many.append(type(one)(**{**one.__dict__, **seen}))
    many[7] = many[1500] = one
    many[1999] = type(one)(**{**many[3].__dict__, "content_hash": b"other bytes"})
    assert find_duplicates(many) == [[3, 1999], [7, 1500]]


# The program


def test_shrinking_turns_pictures_upright_and_leaves_small_ones_alone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen turned by 90 degrees
    wide = save(drawing(400).crop((0, 0, 400, 200)), tmp_path / "pictures" / "house" / "wide.jpg", exif=exif)
    small = save(drawing(extra=(60, 60, 90, 140)), tmp_path / "pictures" / "house" / "small.png")
    table = save(drawing(300, extra=(0, 0, 290, 290)).convert("P"), tmp_path / "pictures" / "house" / "table.png")
    deep = save(
        Image.fromarray(np.arange(300 * 300, dtype=np.uint16).reshape(300, 300)), tmp_path / "pictures/house/deep.png"
    )
    before = small.read_bytes()
    verify(tmp_path / "pictures", max_size=250, processes=1)
    with Image.open(wide) as picture:
        assert picture.size == (125, 250)
        assert picture.getexif().get(0x0112, 1) == 1
    assert small.read_bytes() == before
    assert Image.open(table).size == Image.open(deep).size == (250, 250)
    assert not (tmp_path / "pictures-quarantine").exists()


def test_a_name_that_was_set_aside_before_is_not_overwritten(tmp_path, capsys):
    broken = tmp_path / "pictures" / "house" / "a.jpg"
    save(drawing(), tmp_path / "pictures" / "house" / "good.png")
    for content in (b"one", b"two"):
        broken.write_bytes(content)
        verify(tmp_path / "pictures", processes=1)
    quarantine = tmp_path / "pictures-quarantine" / "not_an_image" / "house"
    assert {file.name: file.read_bytes() for file in quarantine.iterdir()} == {"a.jpg": b"one", "a~2.jpg": b"two"}
    assert [row["moved_to"] for row in report(tmp_path / "pictures")] == [
        "not_an_image/house/a.jpg",
        "not_an_image/house/a~2.jpg",
    ]


def test_reports_and_hidden_files_are_no_pictures(tmp_path):
    pictures = tmp_path / "pictures"
    save(drawing(), pictures / "house" / "good.png")
    for name in ("collected.csv", "house/.DS_Store", "house/Thumbs.db", ".cache/x"):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).write_text("not a picture")
    before = tree(pictures)
    verify(pictures, processes=1)
    assert tree(pictures) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "There is no folder"),
        (["empty"], "has no class folders"),
        (["empty", "--min_size", "0"], "--min_size 0"),
        (["empty", "--max_size", "3"], "--max_size 3"),
    ],
)
def test_what_cannot_be_verified_is_refused_in_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as end:
        run(verify, arguments)
    message = capsys.readouterr().err
    assert end.value.code == 2
    assert words in message
    assert message.count("\n") == 1


def test_a_strangers_report_is_not_overwritten(tmp_path):
    pictures = tmp_path / "pictures"
    save(drawing(), pictures / "house" / "good.png")
    mine = tmp_path / "pictures-quarantine" / "verified.csv"
    mine.parent.mkdir()
    mine.write_text("my,own\nnotes,here\n")
    with pytest.raises(UserError, match="not a report"):
        verify(pictures, processes=1)
    assert mine.read_text() == "my,own\nnotes,here\n"
