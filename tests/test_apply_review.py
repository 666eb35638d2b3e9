"""Applying a review: the new tree is what a dictionary says it must be, and the old one is never touched."""

import csv
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from lab_kit.curation import apply_review
from lab_kit.curation.review_plan import parse_grades
from lab_kit.curation.review_queue import Picture, ReviewQueue
from lab_kit.curation.review_report import count_by_class
from lab_kit.errors import UserError
from lab_kit.paths import code_root
from lab_kit.program import run

CLASSES = ("fish", "star", "sun")


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make(tmp_path: Path, files: list[str], size: int = 20) -> ReviewQueue:
    folder = tmp_path / "pictures"
    for number, file in enumerate(files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(random.Random(number).randbytes(size))
    reviewed = [file for file in files if file.endswith(".jpg")]
    pictures = [Picture(file, "train", file.split("/")[-2], "sun", number, 0.5) for number, file in enumerate(reviewed)]
    return ReviewQueue.create(tmp_path / "review.csv", folder, CLASSES, pictures)


@pytest.fixture
def queue(tmp_path: Path) -> ReviewQueue:
    names = [f"{label}/{number}.jpg" for label in CLASSES for number in range(4)]
    queue = make(tmp_path, [*names, "sun/0-2.jpg", "LICENSE.txt", "sun/drawing.png"])
    queue.propose("star/0.jpg", "relabel", "sun")  # where 0.jpg and 0-2.jpg are taken
    queue.propose("fish/0.jpg", "relabel", "sun", grade=2)
    queue.propose("fish/1.jpg", "delete")
    queue.propose("star/1.jpg", "relabel", "fish")  # whose name is free, but was another's
    queue.propose("star/2.jpg", "keep", grade=1)
    queue.propose("star/3.jpg", "keep")
    return queue


def expected(queue: ReviewQueue, without: tuple[str, ...], moved: dict[str, str]) -> dict[str, str]:
    return {moved.get(file, file): digest for file, digest in tree(queue.folder).items() if file not in without}


MOVED = {"star/0.jpg": "sun/0-4.jpg", "fish/0.jpg": "sun/0-3.jpg", "star/1.jpg": "fish/1-2.jpg"}


def test_the_new_tree_is_what_was_proposed(queue, tmp_path):
    before = tree(queue.folder)
    steps = apply_review.apply(queue, tmp_path / "new")
    assert tree(tmp_path / "new") == expected(queue, ("fish/1.jpg",), MOVED)
    assert tree(queue.folder) == before
    with (tmp_path / "new-report.csv").open(newline="", encoding="utf-8") as file:
        report = {row["file"]: row for row in csv.DictReader(file)}
    assert report.keys() == before.keys()
    assert report["fish/1.jpg"] | {"done": "deleted", "new_file": ""} == report["fish/1.jpg"]
    assert report["star/0.jpg"] | {"done": "relabelled", "new_file": "sun/0-4.jpg"} == report["star/0.jpg"]
    assert report["star/2.jpg"] | {"done": "kept", "grade": "1", "new_file": "star/2.jpg"} == report["star/2.jpg"]
    assert report["sun/1.jpg"]["done"] == "not looked at"
    assert report["LICENSE.txt"]["done"] == "not in review"
    assert {row["new_file"] for row in report.values()} - {""} == tree(tmp_path / "new").keys()
    assert count_by_class(steps)["sun"] == {"before": 5, "not looked at": 5, "moved in": 2, "after": 7}
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == [
        "data-root",
        "new",
        "new-report.csv",
        "pictures",
        "review.csv",
    ]


def test_files_are_copies(queue, tmp_path):
    before = tree(queue.folder)
    apply_review.apply(queue, tmp_path / "new")
    for path in (tmp_path / "new").rglob("*.jpg"):
        path.write_bytes(b"changed in place")
    assert tree(queue.folder) == before


@pytest.mark.parametrize(
    ("grades", "taken"),
    [
        ("1", {"star/2.jpg"}),
        ("1, 2", {"star/2.jpg", "sun/0-3.jpg"}),
        ("none,5", {"star/3.jpg", "sun/0-3.jpg", "fish/1-2.jpg", "fish/2.jpg", "fish/3.jpg"}),
        ("", {"star/2.jpg", "star/3.jpg", "sun/0-3.jpg", "sun/0-4.jpg", "fish/1-2.jpg", "fish/2.jpg", "fish/3.jpg"}),
    ],
)
def test_grades_choose_among_the_reviewed_pictures(queue, tmp_path, grades, taken):
    apply_review.apply(queue, tmp_path / "new", parse_grades(grades))
    others = {"LICENSE.txt", "sun/drawing.png"}  # are not in the review
    if "none" in grades or not grades:
        others |= {"sun/0.jpg", "sun/1.jpg", "sun/2.jpg", "sun/3.jpg", "sun/0-2.jpg"}
    assert tree(tmp_path / "new").keys() == taken | others


@pytest.mark.parametrize("grades", ["7", "1,,2", "good"])
def test_what_is_no_grade_is_refused(grades):
    with pytest.raises(UserError, match="is not a grade"):
        parse_grades(grades)


def test_a_relabel_stays_in_its_split(tmp_path):
    queue = make(tmp_path, ["train/star/1.jpg", "valid/star/1.jpg", "valid/sun/2.jpg", "test/fish/1.jpg"])
    queue.propose("valid/star/1.jpg", "relabel", "sun")
    apply_review.apply(queue, tmp_path / "new")
    files = {"train/star/1.jpg", "valid/sun/1.jpg", "valid/sun/2.jpg", "test/fish/1.jpg"}
    assert tree(tmp_path / "new").keys() == files


def test_pictures_that_change_places_are_not_mixed_up(tmp_path):
    queue = make(tmp_path, ["star/1.jpg", "sun/1.jpg", "sun/A.JPG", "star/a.jpg"])
    queue.propose("star/1.jpg", "relabel", "sun")
    queue.propose("sun/1.jpg", "relabel", "star")
    queue.propose("star/a.jpg", "relabel", "sun")  # A.JPG is the same name on some systems
    apply_review.apply(queue, tmp_path / "new")
    moved = {"star/1.jpg": "sun/1-2.jpg", "sun/1.jpg": "star/1-2.jpg", "star/a.jpg": "sun/a-2.jpg"}
    assert tree(tmp_path / "new") == expected(queue, (), moved)


def test_what_is_gone_from_the_folder_is_reported(queue, tmp_path):
    (queue.folder / "fish/1.jpg").unlink()
    (queue.folder / "star/0.jpg").unlink()
    steps = apply_review.apply(queue, tmp_path / "new")
    assert {step.file for step in steps if step.done == "missing"} == {"fish/1.jpg", "star/0.jpg"}
    assert len(tree(tmp_path / "new")) == len(tree(queue.folder))


def test_the_reviews_own_files_and_unfinished_ones_are_no_data(tmp_path):
    folder = make(tmp_path, ["star/1.jpg", "sun/2.jpg"]).folder
    queue = ReviewQueue.create(folder / "review.csv", folder, CLASSES, [Picture("star/1.jpg", "", "star", "sun", 1, 1)])
    (folder / "star" / "3.jpg.unfinished").touch()
    apply_review.apply(queue, tmp_path / "new")
    assert tree(tmp_path / "new").keys() == {"star/1.jpg", "sun/2.jpg"}


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("pictures", "is the data set"),
        ("pictures/new", "is inside"),
        ("pictures/star/../../pictures", "is the data set"),
        (".", "is inside"),
        ("review.csv", "exists already"),
        ("empty", "exists already"),
    ],
)
def test_other_places_are_refused(queue, tmp_path, place, message):
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    with pytest.raises(UserError, match=message):
        apply_review.apply(queue, tmp_path / place)
    assert tree(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
def test_links_are_followed_to_what_they_show_but_not_in_circles(tmp_path):
    queue = make(tmp_path, ["star/1.jpg", "sun/2.jpg"])
    (queue.folder / "star").rename(tmp_path / "elsewhere")
    (queue.folder / "star").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    apply_review.apply(queue, tmp_path / "new")
    assert not (tmp_path / "new" / "star").is_symlink()
    assert tree(tmp_path / "new").keys() == {"star/1.jpg", "sun/2.jpg"}
    (queue.folder / "sun" / "again").symlink_to(queue.folder, target_is_directory=True)
    with pytest.raises(UserError, match="link to a folder that it is in"):
        apply_review.apply(queue, tmp_path / "newer")


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_fails_leaves_nothing(queue, tmp_path, monkeypatch, capsys, fault):
    copies = iter(range(100))

    def fail(*arguments):
        if next(copies) == 5:
            raise OSError(fault, os.strerror(fault), "pictures/star/1.jpg")
        original(*arguments)

    original = shutil.copyfileobj
    monkeypatch.setattr(shutil, "copyfileobj", fail)
    before = tree(tmp_path)
    with pytest.raises(SystemExit) as end:
        run(apply_review.apply_review, [str(queue.path), str(queue.folder), str(tmp_path / "new")])
    assert end.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert tree(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_too_little_room_is_said_at_once(queue, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(UserError, match="has only 0 MB free"):
        apply_review.apply(queue, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_two_programs_do_not_write_one_folder(queue, tmp_path):
    with FileLock(tmp_path / ".new.lock"), pytest.raises(UserError, match="Another program is writing"):
        apply_review.apply(queue, tmp_path / "new")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_killed_at_any_moment_it_leaves_the_source_alone_and_no_half_folder(tmp_path):
    queue = make(tmp_path, [f"{CLASSES[number % 3]}/{number}.jpg" for number in range(240)], size=20_000)
    for picture in queue.pictures[::3]:
        queue.propose(picture.file, "relabel", "sun" if picture.label != "sun" else "fish")
    before = tree(queue.folder)
    start = time.perf_counter()
    apply_review.apply(queue, tmp_path / "whole")
    seconds = time.perf_counter() - start
    whole, killed = tree(tmp_path / "whole"), 0
    for _ in range(10):
        child = os.fork()
        if child == 0:
            try:
                apply_review.apply(queue, tmp_path / "new")
            finally:
                os._exit(0)
        time.sleep(random.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert tree(queue.folder) == before
        if (tmp_path / "new").exists():
            assert tree(tmp_path / "new") == whole
            assert (tmp_path / "new-report.csv").read_bytes() == (tmp_path / "whole-report.csv").read_bytes()
            shutil.rmtree(tmp_path / "new")
    assert killed
    apply_review.apply(queue, tmp_path / "new")
    assert tree(tmp_path / "new") == whole
    assert not list(tmp_path.glob("*unfinished"))


def test_the_command_that_is_proposed_works(queue, tmp_path):
    assert apply_review.apply_command(queue).endswith("pictures-reviewed")
    words = ["-m", "lab_kit.curation.apply_review", str(queue.path), str(queue.folder), str(tmp_path / "new")]
    ended = subprocess.run(
        [sys.executable, *words, "--grades", "1,none"], cwd=code_root(), capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "new-report.csv" in ended.stdout.replace("\n", "")
    assert "star/2.jpg" in tree(tmp_path / "new")
    (tmp_path / "pictures-reviewed").mkdir()
    assert apply_review.apply_command(queue).endswith("pictures-reviewed-2")
