"""From a run to its review, and from a review to runs on its grades."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab_kit import program
from lab_kit.curation.review_queue import ReviewQueue
from training import compare_grades, load_run, review
from training.interpretation import score

FLAGS = ["--data_class", "ImageFolder", "--model_class", "MLP", "--fc1", "8", "--fc2", "4", "--image_size", "12"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name, shade in (("dark", 60), ("light", 160)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for k in range(15):
            pixels = random.integers(shade - 50, shade + 50, (12, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{name}{k}.png")
    return tmp_path / "pictures"


@pytest.fixture
def folder(run, pictures, tmp_path) -> Path:
    code, text = run(*FLAGS, "--folder", str(pictures), "--max_epochs", "2")
    assert code == 0, text
    return tmp_path / "logs" / "ImageFolder-MLP" / "version_0"


def test_the_queue_of_a_run_has_every_picture_once_the_highest_loss_first(folder, pictures):
    queue = review.queue_of(folder)
    found = load_run.load(folder)
    scores = score(found.model, found.data)
    files = [found.data.pictures()[index][1].file for index in scores.indices.tolist()]
    losses = dict(zip(files, scores.losses.tolist(), strict=True))
    assert sorted(picture.file for picture in queue.pictures) == sorted(files)
    assert [picture.loss for picture in queue.pictures] == sorted((round(x, 4) for x in losses.values()), reverse=True)
    assert all(picture.loss == round(losses[picture.file], 4) for picture in queue.pictures)
    assert {picture.split for picture in queue.pictures} == {"train", "val"}
    queue.propose(queue.pictures[3].file, "delete")
    again = review.queue_of(folder)  # what was proposed stays, also when the model is asked again
    assert again.pictures[3].proposal == "delete"
    assert sorted(path.name for path in pictures.rglob("*.png")) == sorted(Path(file).name for file in files)


def test_pictures_of_a_test_folder_are_not_in_the_queue(run, pictures, tmp_path):
    tests = shutil.copytree(pictures, tmp_path / "tests")
    run(*FLAGS, "--folder", str(pictures), "--test_folder", str(tests), "--max_epochs", "1")
    queue = review.queue_of(tmp_path / "logs" / "ImageFolder-MLP" / "version_0")
    assert len(queue.pictures) == 30


def test_models_of_all_grades_differ_in_what_they_learn_from_alone(folder, pictures, capsys):
    with pytest.raises(SystemExit) as end:
        program.run(compare_grades.compare_grades, [str(folder)])
    assert end.value.code == 2
    assert "Nobody has graded the pictures yet: python -m training.review" in capsys.readouterr().err
    queue = review.queue_of(folder)
    with pytest.raises(SystemExit):
        program.run(compare_grades.compare_grades, [str(folder)])
    assert "has a grade yet" in capsys.readouterr().err
    for k, picture in enumerate(list(queue.pictures)):
        queue.propose(picture.file, "keep", grade=1 + k % 2)
    one = next(picture for picture in queue.pictures if picture.grade == 1 and picture.split == "train")
    queue.propose(one.file, "delete")
    program.run(compare_grades.compare_grades, [str(folder)])
    table = capsys.readouterr().out
    graded = [picture.grade for picture in queue.pictures if picture.split == "train" and picture.proposal == "keep"]
    assert f"{graded.count(1)} │" in table
    assert f"{len(graded)} │" in table
    assert not list(pictures.parent.glob("pictures?*")), "the pictures are left as they were"
    figures = [json.loads(path.read_text()) for path in sorted((folder / "grades").glob("*/*/*/metrics.json"))]
    assert [figure["source"].split(": ")[1].split(" ")[0] for figure in figures] == [
        str(count + 6) for count in (graded.count(1), len(graded))
    ]
    assert ReviewQueue.open(folder / "review.csv", pictures).counts()["seen"] == 30
