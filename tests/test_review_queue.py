"""The review's queue and its file, against a dictionary of what was proposed."""

import csv
import io
import os
import signal
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab_kit.curation import review_file
from lab_kit.curation.review_queue import Picture, ReviewQueue
from lab_kit.datasets.picture_layout import class_names
from lab_kit.errors import UserError
from lab_kit.paths import code_root

CLASSES = ("fish", "star", "sun")


def make(tmp_path: Path, count: int = 12, split: bool = False) -> tuple[Path, list[Picture]]:
    """Make a data set of empty files; returns its folder and what a model might say of them."""
    folder, pictures = tmp_path / "pictures", []
    for number in range(count):
        label, part = CLASSES[number % 3], ("train", "valid", "test")[number % 4 % 3]
        file = f"{part}/{label}/{number:04}.jpg" if split else f"{label}/{number:04}.jpg"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
        pictures.append(Picture(file, part, label, CLASSES[number * 7 % 3], number * 5 % 7 / 3, number / count))
    return folder, pictures


@pytest.fixture
def queue(tmp_path: Path) -> ReviewQueue:
    folder, pictures = make(tmp_path)
    return ReviewQueue.create(tmp_path / "review.csv", folder, CLASSES, pictures)


def again(queue: ReviewQueue) -> ReviewQueue:
    return ReviewQueue.open(queue.path, queue.folder)


def proposals(queue: ReviewQueue) -> dict[str, tuple]:
    return {picture.file: (picture.proposal, picture.new_label, picture.grade) for picture in queue.pictures}


def test_the_highest_loss_comes_first(queue):
    losses = [picture.loss for picture in queue.pictures]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) < len(losses)  # there are equal ones,
    assert queue.pictures == sorted(queue.pictures, key=lambda picture: (-picture.loss, picture.file))  # by file


def test_the_file_is_what_a_csv_reader_reads(queue):
    queue.propose("star/0001.jpg", "relabel", "sun", grade=2)
    with queue.path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(review_file.COLUMNS)
    assert [row["file"] for row in rows] == [picture.file for picture in queue.pictures]
    [row] = [row for row in rows if row["file"] == "star/0001.jpg"]
    assert (row["proposal"], row["new_label"], row["grade"]) == ("relabel", "sun", "2")
    assert float(row["loss"]) == queue.picture("star/0001.jpg").loss


def test_reopened_it_is_the_same(queue):
    queue.propose("star/0001.jpg", "delete")
    queue.propose("sun/0002.jpg", "keep", grade=5)
    assert again(queue).pictures == queue.pictures
    assert again(queue).classes == CLASSES
    assert queue.counts() == {"all": 12, "seen": 2, "keep": 1, "delete": 1, "relabel": 0}


def test_the_next_unseen_one_goes_around_and_ends(queue):
    files = [picture.file for picture in queue.pictures]
    assert queue.next_unseen().file == files[0]
    assert queue.next_unseen(files[3]).file == files[4]
    assert queue.next_unseen(files[-1]).file == files[0]
    for file in files:
        queue.propose(file, "keep")
    assert queue.next_unseen(files[3]) is None


def test_undo_takes_back_one_after_the_other(queue):
    queue.propose("star/0001.jpg", "keep", grade=3)
    queue.propose("star/0001.jpg", "delete")
    assert queue.undo().grade == 3
    assert again(queue).picture("star/0001.jpg").proposal == "keep"
    assert queue.undo().proposal == ""
    assert queue.undo() is None
    assert again(queue).counts()["seen"] == 0


def test_undo_leaves_what_somebody_else_proposed_since(queue):
    other = again(queue)
    queue.propose("star/0001.jpg", "keep")
    queue.propose("sun/0002.jpg", "keep")
    other.propose("sun/0002.jpg", "delete")
    with pytest.raises(UserError, match="since"):
        queue.undo()
    assert queue.picture("sun/0002.jpg").proposal == "delete"
    assert queue.undo().file == "star/0001.jpg"


def test_a_relabel_to_the_same_label_is_a_keep_and_a_grade_alone_too(queue):
    queue.propose("star/0001.jpg", "relabel", "star")
    queue.propose("sun/0002.jpg", "", grade=4)
    assert queue.picture("star/0001.jpg").proposal == queue.picture("sun/0002.jpg").proposal == "keep"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("star/0001.jpg", "relabel", "sum"), "Did you mean 'sun'"),
        (("star/0001.jpg", "relabel"), "new label is missing"),
        (("star/0001.jpg", "delete", "sun"), "proposal is to delete"),
        (("star/0001.jpg", "keep", "", 7), "no grade 7"),
        (("star/0001.jpg", "keep", "", True), "no grade True"),
        (("star/0001.jpg", "burn"), "'burn' cannot be proposed"),
        (("../x.jpg", "keep"), "not in the review"),
    ],
)
def test_what_cannot_be_proposed_is_refused_and_nothing_changes(queue, arguments, message):
    before = queue.path.read_bytes()
    with pytest.raises(UserError, match=message):
        queue.propose(*arguments)
    assert queue.path.read_bytes() == before
    assert again(queue).pictures == queue.pictures


@pytest.mark.parametrize(
    "file",
    ["../x.jpg", "/star/x.jpg", "star/../../x.jpg", "C:/x.jpg", "\\\\host/x", "star//x", "star/\udcff.jpg", "x.jpg"],
)
def test_a_file_outside_the_folder_is_refused(tmp_path, file):
    folder, _ = make(tmp_path)
    with pytest.raises(UserError, match=r"relative to the data set|class folder|is not text"):
        ReviewQueue.create(tmp_path / "review.csv", folder, CLASSES, [Picture(file, "train", "star", "sun", 1, 1)])
    assert not (tmp_path / "review.csv").exists()


def test_a_models_numbers_become_plain_ones(tmp_path):
    folder, _ = make(tmp_path)
    picture = Picture("star/0001.jpg", "train", "star", "sun", np.float32(1.5), np.float32(1.0000001))
    queue = ReviewQueue.create(tmp_path / "review.csv", folder, CLASSES, [picture])
    assert (type(queue.pictures[0].loss), queue.pictures[0].confidence) == (float, 1.0)
    assert again(queue).pictures == queue.pictures
    with pytest.raises(UserError, match="must be a finite number"):
        ReviewQueue.create(tmp_path / "other.csv", folder, CLASSES, [replace(picture, loss=float("nan"))])


def test_a_new_review_takes_over_proposals_and_keeps_the_others(tmp_path, queue, caplog):
    queue.propose("star/0001.jpg", "relabel", "sun")
    queue.propose("sun/0002.jpg", "delete")
    trained_again = [replace(picture, loss=9 - picture.loss) for picture in make(tmp_path)[1]]
    new = ReviewQueue.create(queue.path, queue.folder, CLASSES, trained_again)
    assert new.counts()["seen"] == 2
    assert [picture.loss for picture in new.pictures] == sorted((p.loss for p in trained_again), reverse=True)
    assert not (tmp_path / "review-1.csv").exists()
    fewer = [picture for picture in trained_again if picture.label != "sun"]
    assert ReviewQueue.create(queue.path, queue.folder, CLASSES, fewer).counts()["seen"] == 1
    old = {row["file"]: row["proposal"] for row in csv.DictReader(io.StringIO((tmp_path / "review-1.csv").read_text()))}
    assert old["sun/0002.jpg"] == "delete"
    assert "1 other picture" in caplog.text


def test_a_new_review_does_not_overwrite_what_is_not_one(tmp_path):
    folder, pictures = make(tmp_path)
    (tmp_path / "pictures.csv").write_text("class,url\nstar,http://example.org\n")
    with pytest.raises(UserError, match="not the header of a review"):
        ReviewQueue.create(tmp_path / "pictures.csv", folder, CLASSES, pictures)
    assert (tmp_path / "pictures.csv").read_text().startswith("class,url")


def test_classes_are_the_class_folders(tmp_path):
    folder, pictures = make(tmp_path, split=True)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "train" / "empty").mkdir()
    assert class_names(folder) == ("empty", *CLASSES)
    assert review_file.path_under_label("valid/star/7.jpg", "sun") == "valid/sun/7.jpg"
    assert review_file.path_under_label("test/7.jpg", "sun") == "sun/7.jpg"  # a class of that name
    with pytest.raises(UserError, match="no class folders"):
        class_names(folder / "train" / "empty")
    with pytest.raises(UserError, match="There is no folder"):
        class_names(tmp_path / "nowhere")
    with pytest.raises(UserError, match="A class cannot be called"):
        ReviewQueue.create(tmp_path / "review.csv", folder, (*CLASSES, "../x"), pictures)


def test_a_review_of_another_folder_is_refused(tmp_path, queue):
    (tmp_path / "other" / "star").mkdir(parents=True)
    with pytest.raises(UserError, match=r"None of the pictures .* is in"):
        ReviewQueue.open(queue.path, tmp_path / "other", CLASSES)
    with pytest.raises(UserError, match="There is no review"):
        ReviewQueue.open(tmp_path / "no.csv", queue.folder)


def edited(queue: ReviewQueue, **how) -> bytes:
    """The file as a spreadsheet might save it."""
    rows = [astuple(picture) for picture in queue.pictures]
    columns = list(review_file.COLUMNS)
    if how.get("reverse"):
        columns, rows = columns[::-1], [row[::-1] for row in rows]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=how.get("delimiter", ","), lineterminator=how.get("end", "\r\n"))
    comma = how.get("comma", False)
    cells = [
        ["" if v is None else str(v).replace(".", ",") if comma and type(v) is float else v for v in r] for r in rows
    ]
    writer.writerows([columns, *cells])
    return text.getvalue().encode(how.get("encoding", "utf-8"))


@pytest.mark.parametrize(
    "how",
    [
        {"encoding": "utf-8-sig"},
        {"delimiter": ";", "comma": True, "encoding": "utf-8-sig"},
        {"delimiter": "\t", "encoding": "utf-16"},
        {"reverse": True},
        {"end": "\r"},
        {"end": "\n\n"},
    ],
    ids=str,
)
def test_a_file_saved_by_a_spreadsheet_is_understood(queue, how):
    queue.propose("star/0001.jpg", "relabel", "sun", grade=1)
    queue.path.write_bytes(edited(queue, **how))
    assert again(queue).pictures == queue.pictures
    queue.propose("sun/0002.jpg", "delete")  # also by a queue that was open at the time
    assert again(queue).counts()["seen"] == 2


HEADER = review_file.HEADER
ROW = "star/0001.jpg,train,star,sun,1.5,0.5,,,\n"


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("", 1, "column file is missing"),
        (HEADER.replace("loss,", ""), 1, "column loss is missing"),
        (HEADER.replace("grade", "notes"), 1, "column 'notes'"),
        (HEADER.replace("grade", "file"), 1, "there twice"),
        (HEADER + ROW + ROW.replace("1.5", "high"), 3, "'high', which is not a number"),
        (HEADER + ROW + ROW, 3, "is in line 2 already"),
        (HEADER + ROW.replace(",,,", ",delete,,7"), 2, "no grade 7"),
        (HEADER + ROW.replace(",,,", ",relabel,moon,"), 2, "'moon' is not a class"),
        (HEADER + ROW.replace(",,,", ",perhaps,,"), 2, "'perhaps' cannot be proposed"),
        (HEADER + ROW.replace("star/", "../x/"), 2, "not a file's path relative"),
        (HEADER + ROW.replace("1.5", "nan"), 2, "must be a finite number"),
        (HEADER + ROW.replace("0.5", "50"), 2, "must be from 0 to 1"),
        (HEADER + ROW.replace("\n", ",more\n"), 2, "more fields"),
        (HEADER + ROW.replace("star/0001.jpg", '"star/0001.jpg'), 2, "is not CSV"),
        (HEADER + "star/0001.jpg,tra", 2, "the loss is"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_number_of_its_line(queue, content, line, message):
    queue.path.write_text(content)
    for action in (lambda: again(queue), lambda: queue.propose("star/0001.jpg", "keep"), queue.undo):
        with pytest.raises(UserError, match=message) as refusal:
            action()
        assert f"line {line}" in str(refusal.value)
    assert queue.path.read_text() == content


def test_text_that_is_not_utf8_is_refused_with_the_number_of_its_line(queue):
    queue.path.write_bytes((HEADER + ROW).encode() + "star/ä.jpg".encode("latin-1"))
    with pytest.raises(UserError, match="line 3: is not UTF-8"):
        again(queue)


def test_a_file_that_was_removed_meanwhile_is_written_again(queue):
    queue.propose("star/0001.jpg", "delete")
    queue.path.unlink()
    queue.propose("sun/0002.jpg", "keep")
    assert again(queue).counts()["seen"] == 2


def test_on_a_full_disk_nothing_is_acknowledged_or_lost(queue, monkeypatch):
    queue.propose("star/0001.jpg", "delete")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(UserError, match="No space left"):
            queue.propose("sun/0002.jpg", "keep")
    assert queue.picture("sun/0002.jpg").proposal == ""
    assert again(queue).counts()["seen"] == 1
    assert len(list(queue.path.parent.glob("review.csv*"))) == 1
    queue.propose("sun/0002.jpg", "keep")
    assert again(queue).pictures == queue.pictures


REVIEWER = """
import sys
from lab_kit.curation.review_queue import ReviewQueue
queue = ReviewQueue.open(sys.argv[1], sys.argv[2])
for picture in list(queue.pictures)[int(sys.argv[3])::2]:
    queue.propose(picture.file, "keep", grade=3)
    print(picture.file, flush=True)
"""


def test_two_reviewers_at_once_and_kill_9_lose_nothing_acknowledged(tmp_path):
    folder, pictures = make(tmp_path, 2_000)
    queue = ReviewQueue.create(tmp_path / "review.csv", folder, CLASSES, pictures)
    reviewers = []
    for part in ("0", "1"):
        command = [sys.executable, "-c", REVIEWER, str(queue.path), str(folder), part]
        reviewers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=code_root()))
    acknowledged = [reviewer.stdout.readline().strip() for _ in range(20) for reviewer in reviewers]
    for reviewer in reviewers:
        reviewer.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        acknowledged += reviewer.communicate()[0].split()
    assert all(reviewer.returncode for reviewer in reviewers)
    found = {picture.file for picture in again(queue).pictures if picture.grade == 3}
    assert len(acknowledged) >= 40
    assert set(acknowledged) <= found
    assert len(found) <= len(acknowledged) + 2  # on disk, but killed before they could say so
    assert not list(tmp_path.glob("*.unfinished"))


@settings(max_examples=25)
@given(data=st.data())
def test_two_queues_on_one_file_agree_with_a_dictionary(tmp_path_factory, data):
    folder, pictures = make(tmp_path_factory.mktemp("data"), 5)
    path = folder.parent / "review.csv"
    classes = CLASSES
    queues = [ReviewQueue.create(path, folder, classes, pictures), ReviewQueue.open(path, folder)]
    model = {picture.file: ("", "", None) for picture in pictures}
    label = {picture.file: picture.label for picture in pictures}
    done: list[list] = [[], []]  # by each queue: file, before, after
    for _ in range(data.draw(st.integers(1, 15))):
        who = data.draw(st.integers(0, 1))
        match data.draw(st.sampled_from(["propose", "propose", "undo", "reopen", "edit", "refuse", "create"])):
            case "propose":
                file = data.draw(st.sampled_from(sorted(model)))
                proposal = data.draw(st.sampled_from(review_file.PROPOSALS))
                new_label = data.draw(st.sampled_from(classes)) if proposal == "relabel" else ""
                grade = data.draw(st.sampled_from([None, 1, 5]))
                queues[who].propose(file, proposal, new_label, grade)
                if new_label == label[file] or (proposal == "" and grade):
                    proposal, new_label = "keep", ""
                done[who].append((file, model[file], (proposal, new_label, grade)))
                model[file] = proposal, new_label, grade
            case "undo" if not done[who]:
                assert queues[who].undo() is None
            case "undo":
                file, before, after = done[who].pop()
                if model[file] == after:
                    assert queues[who].undo().file == file
                    model[file] = before
                else:
                    with pytest.raises(UserError):
                        queues[who].undo()
            case "reopen":
                queues[who], done[who] = ReviewQueue.open(path, folder), []
            case "create":
                queues[who], done[who] = ReviewQueue.create(path, folder, classes, pictures), []
            case "edit":
                file = data.draw(st.sampled_from(sorted(model)))
                queues[who].refresh()
                queues[who].picture(file)
                rows = [
                    replace(p, proposal="delete", new_label="", grade=None) if p.file == file else p
                    for p in queues[who].pictures
                ]
                path.write_text(
                    HEADER.replace(",", ";")
                    + "".join(";".join("" if v is None else str(v) for v in astuple(p)) + "\n" for p in rows)
                )
                model[file] = "delete", "", None
            case "refuse":
                with pytest.raises(UserError):
                    queues[who].propose(data.draw(st.sampled_from(sorted(model))), "relabel", "moon")
        assert proposals(ReviewQueue.open(path, folder)) == model
    for queue in queues:
        queue.refresh()
        assert proposals(queue) == model
        assert queue.counts()["seen"] == sum(proposal != "" for proposal, _, _ in model.values())
