import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from lab_kit.plots import picture_plots
from text_recognizer.data.image_folder import ImageFolder
from text_recognizer.lit_models import TransferLitModel
from text_recognizer.models import CNN
from training.interpretation import Scores, confusion_matrix, most_confused, per_class, score, top_losses

NAMES = ("bird", "fish", "leaf", "sun")


@pytest.fixture
def scores() -> Scores:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (200,), generator=generator)  # no picture is a sun
    logits = torch.randn(200, 4, generator=generator) + torch.nn.functional.one_hot(labels, 4)
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return Scores(torch.arange(200), ("val",) * 200, labels, logits.softmax(dim=1), losses, NAMES)


def test_the_confusion_matrix_and_class_reports_are_those_of_torchmetrics(scores):
    assert torch.equal(confusion_matrix(scores), multiclass_confusion_matrix(scores.predicted, scores.labels, 4))
    reports = per_class(scores)
    for name, metric in {
        "precision": multiclass_precision,
        "recall": multiclass_recall,
        "f1": multiclass_f1_score,
    }.items():
        expected = metric(scores.predicted, scores.labels, num_classes=4, average=None).tolist()
        assert [getattr(report, name) for report in reports] == pytest.approx(expected)
    assert [report.count for report in reports] == torch.bincount(scores.labels, minlength=4).tolist()
    assert reports[1].mean_loss == pytest.approx(
        np.mean([float(loss) for loss, label in zip(scores.losses, scores.labels, strict=True) if label == 1])
    )
    assert math.isnan(reports[3].mean_loss)


def test_most_confused_is_a_plain_count(scores):
    counted: dict[tuple[str, str], int] = {}
    for label, answer in zip(scores.labels.tolist(), scores.predicted.tolist(), strict=True):
        if label != answer:
            counted[NAMES[label], NAMES[answer]] = counted.get((NAMES[label], NAMES[answer]), 0) + 1
    found = most_confused(scores)
    assert {(label, answer): count for label, answer, count in found} == counted
    assert [count for *_, count in found] == sorted(counted.values(), reverse=True)
    assert most_confused(scores, at_least=12) == [pair for pair in found if pair[2] >= 12]


def test_top_losses_are_the_least_probable_labels(scores):
    probability = scores.probabilities[torch.arange(200), scores.labels]
    assert top_losses(scores, 10).tolist() == probability.argsort()[:10].tolist()
    assert len(top_losses(scores)) == 200


@pytest.fixture
def data(tmp_path: Path) -> ImageFolder:
    random = np.random.default_rng(0)
    for split, count in (("train", 10), ("valid", 4), ("test", 3)):
        for name in NAMES[:2]:
            folder = tmp_path / "set" / split / name
            folder.mkdir(parents=True)
            for k in range(count):
                Image.fromarray(random.integers(0, 256, (20, 30), dtype=np.uint8)).save(folder / f"{split}{k}.png")
    data = ImageFolder(tmp_path / "set", image_size=16)
    data.setup()
    return data


def test_every_picture_is_scored_once_and_one_by_one_gives_the_same(data):
    model = TransferLitModel(CNN(data.config(), conv_dim=4, fc_dim=8), data.config()).train()
    scores = score(model, data)
    assert model.training
    assert sorted(scores.indices.tolist()) == list(range(34))
    model.eval()
    for place in (0, 13, 20, 30):
        index, split = int(scores.indices[place]), scores.splits[place]
        folder, picture = data.pictures()[index]
        assert picture.split == split
        image = data.preprocessing.normalize(data.preprocessing.read(folder / picture.file)[None])
        with torch.no_grad():
            probabilities = model(image).softmax(dim=1)[0]
        assert torch.allclose(probabilities, scores.probabilities[place], atol=1e-5)
        label = data.config().mapping.index(picture.label)
        assert float(scores.losses[place]) == pytest.approx(-math.log(probabilities[label]), abs=1e-4)


def test_pictures_are_drawn(data, tmp_path):
    model = TransferLitModel(CNN(data.config(), conv_dim=4, fc_dim=8), data.config())
    scores = score(model, data)
    picture_plots.plot_top_losses(scores, data, tmp_path / "losses.png", count=7)
    picture_plots.plot_classes(per_class(scores), tmp_path / "classes.png")
    picture_plots.plot_grid(data, tmp_path / "grid.png", per_class=12)
    for name in ("losses", "classes", "grid"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert np.array(picture.convert("L")).std() > 5
