import json

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from lab_kit import atomic_write
from lab_kit.plots import character_plots, picture_plots
from lab_kit.plots import curves as learning_curves
from lab_kit.plots.character_plots import Predictions


@pytest.fixture
def found():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 6, (200,), generator=generator)
    wrong = torch.rand(200, generator=generator) < 0.3
    predicted = torch.where(wrong, (labels + 1) % 6, labels)
    return Predictions(labels, predicted, torch.rand(200, generator=generator))


def test_confusion_equals_torchmetrics(found):
    classes, counts = found.confusion()
    assert classes.tolist() == [0, 1, 2, 3, 4, 5]
    assert np.array_equal(counts, multiclass_confusion_matrix(found.predicted, found.labels, 6))


def test_confusion_leaves_out_classes_that_do_not_occur():
    labels = torch.tensor([4, 4, 60])
    classes, counts = Predictions(labels, torch.tensor([4, 60, 60]), torch.ones(3)).confusion()
    assert classes.tolist() == [4, 60]
    assert counts.tolist() == [[1, 1], [0, 1]]


def test_worst_are_the_surest_mistakes(found):
    worst = found.worst(5)
    mistakes = [i for i in range(200) if found.labels[i] != found.predicted[i]]
    assert worst.tolist() == sorted(mistakes, key=lambda i: -found.confidence[i])[:5]


def test_right_ones_are_right_and_never_twice(found):
    right = found.right(24).tolist()
    assert len(set(right)) == 24
    assert all(found.labels[i] == found.predicted[i] for i in right)
    assert len(found.right(1000)) == (found.labels == found.predicted).sum()


@pytest.mark.parametrize("accuracy", [0, 1])
def test_pictures_are_drawn_even_when_all_or_nothing_is_right(accuracy, tmp_path):
    labels = torch.arange(10)
    found = Predictions(labels, labels if accuracy else labels.flip(0), torch.ones(10))
    images = torch.zeros(10, 28, 28, dtype=torch.uint8)
    names = ("T-shirt/top", *"abcdefghi")
    character_plots.plot_predictions(found, images.__getitem__, names, tmp_path / "predictions.png")
    character_plots.plot_confusion(found, names, tmp_path / "confusion.png")
    assert (tmp_path / "predictions.png").stat().st_size > 5000
    assert (tmp_path / "confusion.png").stat().st_size > 5000


def test_curves_are_read_from_lightnings_csv(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train_acc,val_acc\n0,9,,0.5\n0,9,0.4,\n1,19,,0.7\n1,19,0.6,\n")
    curves = learning_curves.read_curves(path)
    assert curves == {"val_acc": ([1, 2], [0.5, 0.7]), "train_acc": ([1, 2], [0.4, 0.6])}
    learning_curves.plot_curves(path, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()


def test_json_is_written_whole(tmp_path):
    path = tmp_path / "metrics.json"
    atomic_write.write_json({"test_acc": 0.5}, path)
    with pytest.raises(TypeError):
        atomic_write.write_json({"test_acc": object()}, path)
    assert json.loads(path.read_text()) == {"test_acc": 0.5}
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["metrics.json"]


def test_names_of_classes_are_text_in_plots_too(found, tmp_path):
    """Matplotlib takes what stands between two dollars for mathematics, and these for mistakes in it."""
    names, images = ("a$\\frac$b", "$x_", "c$$d^", "5$", "$", "$$"), torch.zeros((200, 1, 28, 28), dtype=torch.uint8)
    picture_plots.draw(found.labels, found.predicted, found.confidence, images.__getitem__, names, tmp_path)
    assert (tmp_path / "predictions.png").stat().st_size > 1000
