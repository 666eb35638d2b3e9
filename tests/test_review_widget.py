"""The review's widget, driven by its buttons and dropdowns, as a notebook's reader would."""

import io
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from lab_kit.curation.review_queue import Picture, ReviewQueue
from lab_kit.curation.review_widget import ReviewWidget, review
from lab_kit.errors import UserError
from lab_kit.paths import code_root

CLASSES = ("fish", "star", "sun")


@pytest.fixture
def queue(tmp_path: Path) -> ReviewQueue:
    folder, pictures = tmp_path / "pictures", []
    for number in range(10):
        file = f"{CLASSES[number % 3]}/{number}.png"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (300, 200), (20 * number, 0, 0)).save(folder / file)
        pictures.append(Picture(file, "valid", CLASSES[number % 3], "<b>sun", 10 - number, 0.9))
    return ReviewQueue.create(tmp_path / "review.csv", folder, CLASSES, pictures)


def proposed(queue: ReviewQueue) -> dict[str, tuple]:
    """What the file says."""
    pictures = ReviewQueue.open(queue.path, queue.folder).pictures
    return {p.file: (p.proposal, p.new_label, p.grade) for p in pictures if p.proposal}


def files(widget: ReviewWidget) -> list[str]:
    return [card.file for card in widget.cards]


def test_each_choice_is_on_disk_at_once(queue):
    widget = review(queue, columns=2, rows=2)
    first, second, third, fourth = widget.cards
    first.choice.value = ("delete", "")
    second.choice.value = ("relabel", "sun")
    third.grade.value = 2
    second.grade.value = 5
    assert files(widget) == ["fish/0.png", "star/1.png", "sun/2.png", "fish/3.png"]
    expected = {"fish/0.png": ("delete", "", None), "star/1.png": ("relabel", "sun", 5), "sun/2.png": ("keep", "", 2)}
    assert proposed(queue) == expected
    assert third.choice.value == ("keep", "")
    first.choice.value = ("", "")
    assert "fish/0.png" not in proposed(queue)
    assert "2 of 10 pictures looked at" in widget.status.value
    assert fourth.choice.value == ("", "")


def test_keeping_the_rest_shows_more_until_all_are_reviewed(queue):
    widget = review(queue, columns=2, rows=2)
    widget.cards[1].choice.value = ("delete", "")
    widget.keep_rest.click()
    assert files(widget) == ["star/4.png", "sun/5.png", "fish/6.png", "star/7.png"]
    assert [proposal for proposal, _, _ in proposed(queue).values()] == ["keep", "delete", "keep", "keep"]
    widget.keep_rest.click()
    assert files(widget) == ["sun/8.png", "fish/9.png"]
    assert widget.forward.disabled
    widget.keep_rest.click()
    assert queue.counts()["seen"] == 10
    assert "apply_review" in widget.status.value
    assert widget.keep_rest.disabled


def test_pages_turn_and_undo_goes_to_its_picture(queue):
    widget = review(queue, columns=4, rows=1)
    assert widget.back.disabled
    widget.cards[0].choice.value = ("delete", "")
    widget.forward.click()
    widget.forward.click()
    assert len(widget.cards) == 2
    widget.undo.click()
    assert files(widget)[0] == "fish/0.png"
    assert widget.cards[0].choice.value == ("", "")
    assert proposed(queue) == {}
    widget.undo.click()
    assert "nothing to undo" in widget.children[-1].value


def test_it_begins_where_the_review_is_and_sees_what_the_page_does(queue):
    for picture in queue.pictures[:4]:
        queue.propose(picture.file, "keep")
    widget = review(ReviewQueue.open(queue.path, queue.folder), columns=2, rows=1)
    assert files(widget)[0] == "star/4.png"
    queue.propose("sun/5.png", "relabel", "star")  # from elsewhere
    widget.cards[0].choice.value = ("keep", "")
    assert widget.cards[1].choice.value == ("relabel", "star")
    assert proposed(queue)["sun/5.png"] == ("relabel", "star", None)


def test_what_goes_wrong_is_shown_and_nothing_is_claimed(queue):
    widget = review(queue, columns=2, rows=1)
    content = queue.path.read_text()
    queue.path.write_text(content.replace("0.9", "much"))
    widget.cards[0].choice.value = ("delete", "")
    assert "line 2" in widget.children[-1].value
    assert widget.cards[0].choice.value == ("", "")
    queue.path.write_text(content)
    widget.cards[0].choice.value = ("delete", "")
    assert widget.children[-1].value == ""
    assert len(proposed(queue)) == 1


def test_names_are_text_and_broken_pictures_can_be_deleted(queue):
    (queue.folder / "fish/0.png").write_text("<script>")
    widget = review(queue, columns=2, rows=1)
    assert "not a picture" in widget.cards[0].children[0].value
    assert "<b>sun" not in widget.cards[0].children[1].value
    assert Image.open(io.BytesIO(widget.cards[1].children[0].value)).size == (160, 107)
    widget.cards[0].choice.value = ("delete", "")
    assert len(proposed(queue)) == 1
    with pytest.raises(UserError, match="is empty"):
        review(queue, columns=0)


def test_it_runs_in_a_notebook_without_a_front_end(queue):
    code = f"""
from lab_kit.curation.review_queue import ReviewQueue
from lab_kit.curation.review_widget import review
queue = ReviewQueue.open({str(queue.path)!r}, {str(queue.folder)!r})
widget = review(queue)
widget.cards[0].choice.value = ("delete", "")
widget.keep_rest.click()
widget
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    resources = {"metadata": {"path": str(code_root())}}
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources=resources).execute()
    [output] = notebook.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in output["data"]
    assert len(proposed(queue)) == 8
