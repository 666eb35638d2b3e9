"""The same work, written the obvious way, as tutorials do: what the benchmarks compare with."""

import itertools
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from text_recognizer.data.character_mapping import encode
from text_recognizer.data.sentence_generator import SentenceGenerator


def pictures_by_character(images: Tensor, labels: Tensor, mapping: tuple[str, ...]) -> dict[str, list[Tensor]]:
    """Sort pictures (N, 28, 28) uint8 by the character that they show."""
    found = defaultdict(list)
    for image, label in zip(images, labels, strict=True):
        found[mapping[label]].append(image)
    return found


def write_line(
    text: str,
    pictures: dict[str, list[Tensor]],
    max_length: int,
    overlap: float,
    random: np.random.Generator,
) -> Tensor:
    """Write one line, (28, 28 max_length) uint8, character by character."""
    chosen: dict[str, Tensor] = {}
    for character in text:
        if character not in chosen:
            candidates = pictures[character]
            blank = torch.zeros((28, 28), dtype=torch.uint8)
            chosen[character] = candidates[random.integers(len(candidates))] if candidates else blank
    line = torch.zeros((28, 28 * max_length), dtype=torch.int16)
    step = 28 - int(overlap * 28)
    x = 0
    for character in text:
        line[:, x : x + 28] += chosen[character]
        x += step
    return line.clamp(max=255).to(torch.uint8)


def write_lines(
    count: int,
    sentences: SentenceGenerator,
    pictures: dict[str, list[Tensor]],
    overlaps: tuple[float, float],
    random: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Write many lines, one after the other.

    Returns:
        images (count, 28, 28 max_length) uint8 and labels (count, max_length) int64.
    """
    images, labels = [], []
    for _ in range(count):
        text = sentences.generate()
        images.append(write_line(text, pictures, sentences.max_length, random.uniform(*overlaps), random))
        labels.append(torch.from_numpy(encode(text, sentences.max_length)))
    return torch.stack(images), torch.stack(labels)


def greedy_decode(classes: Tensor, blank: int, padding: int) -> Tensor:
    """Read the best path of each line, class by class; (B, S) int64 -> (B, S) int64."""
    decoded = torch.full_like(classes, padding)
    for row in range(len(classes)):
        place = 0
        for column in range(classes.shape[1]):
            repeats = column > 0 and classes[row, column] == classes[row, column - 1]
            if not repeats and classes[row, column] != blank:
                decoded[row, place] = classes[row, column]
                place += 1
    return decoded


def greedy_decode_lists(classes: Tensor, blank: int, padding: int) -> Tensor:
    """The same with Python's lists and itertools.groupby: what someone writes who has measured the loop above."""
    rows = [[number for number, _ in itertools.groupby(row) if number != blank] for row in classes.tolist()]
    return torch.tensor([row + [padding] * (classes.shape[1] - len(row)) for row in rows])


class PictureByPicture(Dataset):
    """The dataset of most tutorials: a PIL image, and torchvision's transforms, for one picture at a time."""

    def __init__(self, images: Tensor, labels: Tensor, transform: Callable[[Image.Image], Tensor]) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])


def picture_by_picture(
    images: Tensor,
    labels: Tensor,
    mean: float,
    std: float,
    batch_size: int,
    num_workers: int,
    augment: bool = False,
) -> DataLoader:
    """Return the loader of most tutorials: ToTensor and Normalize, and perhaps RandomAffine, picture by picture."""
    steps = [transforms.ToTensor(), transforms.Normalize((mean,), (std,))]
    if augment:  # the limits of text_recognizer.data.augmentation
        turned = transforms.RandomAffine(degrees=10, translate=(2 / 28, 2 / 28), scale=(0.88, 1.12), shear=8.5)
        steps.insert(0, turned)
    return DataLoader(
        PictureByPicture(images, labels, transforms.Compose(steps)),
        batch_size,
        shuffle=True,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
    )


def train_epoch(model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> None:
    """Train as on the first page of every tutorial: float32, and nothing chosen for the machine."""
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader) -> float:
    """Return the share of pictures that a model reads correctly."""
    model.eval()
    right = [(model(images).argmax(dim=1) == labels).sum() for images, labels in loader]
    return float(sum(right)) / len(loader.dataset)


def keras_convnet() -> nn.Module:
    """Return the convnet of T81-558's lecture on MNIST (Jeff Heaton, Washington University), in PyTorch.

    The lecture names the layers, not their sizes; those are of Keras's own example, mnist_cnn.py.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
