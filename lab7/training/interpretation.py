"""Find out where a trained model is wrong: losses, confusions, precision and recall."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import multiclass_confusion_matrix

from lab_kit.datasets.batch_index_sampler import identity_collate
from text_recognizer.data.image_folder import ImageFolder

BATCH = 256


@dataclass(frozen=True)
class Scores:
    """A model's answers on N pictures.

    Args:
        indices: (N,) int64, which of the data's pictures, in the order of `ImageFolder.pictures()`.
        splits: N times train, val or test.
        labels: (N,) int64, the classes of the folders that the pictures lie in.
        probabilities: (N, classes) float32.
        losses: (N,) float32, the cross-entropy with the label: minus the logarithm of the label's probability.
        mapping: class index -> name.
    """

    indices: Tensor
    splits: tuple[str, ...]
    labels: Tensor
    probabilities: Tensor
    losses: Tensor
    mapping: tuple[str, ...]

    @property
    def predicted(self) -> Tensor:
        """(N,) int64, the most probable classes."""
        return self.probabilities.argmax(dim=1)

    @property
    def confidence(self) -> Tensor:
        """(N,) float32, the probabilities of the answers."""
        return self.probabilities.amax(dim=1)


def score(model: pl.LightningModule, data: ImageFolder, splits: Sequence[str] = ("train", "val", "test")) -> Scores:
    """Let a model answer every picture of some splits, without augmentation and dropout.

    Where the validation pictures test as well, they count once.
    """
    logits, labels, indices, names = [], [], [], []
    training = model.training
    model.eval()
    with torch.inference_mode():
        for split in splits:
            if split == "test" and data.tests_on_validation and "val" in splits:
                continue
            part = data.splits[split]
            batches = [range(start, min(start + BATCH, len(part))) for start in range(0, len(part), BATCH)]
            for images, truth in DataLoader(part, batch_sampler=batches, collate_fn=identity_collate):
                logits.append(model(images.to(model.device)).float().cpu())
                labels.append(truth)
            indices.append(part.indices)
            names += [split] * len(part)
    model.train(training)
    all_logits, all_labels = torch.cat(logits), torch.cat(labels)
    losses = functional.cross_entropy(all_logits, all_labels, reduction="none")
    probabilities = all_logits.softmax(dim=1)
    return Scores(torch.cat(indices), tuple(names), all_labels, probabilities, losses, data.config().mapping)


def top_losses(scores: Scores, count: int | None = None) -> Tensor:
    """Return the places (count,) in `scores` of the pictures that the model was most wrong about, the worst first."""
    order = scores.losses.argsort(descending=True, stable=True)
    return order if count is None else order[:count]


def confusion_matrix(scores: Scores) -> Tensor:
    """Return counts (classes, classes) int64: rows are labels, columns are answers."""
    return multiclass_confusion_matrix(scores.predicted, scores.labels, num_classes=len(scores.mapping))


def most_confused(scores: Scores, at_least: int = 1) -> list[tuple[str, str, int]]:
    """Return (label, answer, how often) of the mistakes that happened at least so often, the most frequent first."""
    counts = confusion_matrix(scores).fill_diagonal_(0)
    pairs = [
        (scores.mapping[label], scores.mapping[answer], int(counts[label, answer]))
        for label, answer in (counts >= max(1, at_least)).nonzero().tolist()
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


@dataclass(frozen=True)
class ClassReport:
    """How well the model reads one class.

    Args:
        name: the class.
        count: pictures of it.
        precision: of the pictures that were taken for it, the share that are of it; 0 if none was.
        recall: of its pictures, the share that were recognised; 0 if there are none.
        mean_loss: of its pictures; nan if there are none.
    """

    name: str
    count: int
    precision: float
    recall: float
    mean_loss: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def per_class(scores: Scores) -> list[ClassReport]:
    """Return a report for each class, in their order."""
    counts = confusion_matrix(scores)
    right, of_class, taken_for = counts.diagonal(), counts.sum(dim=1), counts.sum(dim=0)
    return [
        ClassReport(
            name,
            int(of_class[k]),
            float(right[k] / taken_for[k].clamp(min=1)),
            float(right[k] / of_class[k].clamp(min=1)),
            float(scores.losses[scores.labels == k].mean()),
        )
        for k, name in enumerate(scores.mapping)
    ]
