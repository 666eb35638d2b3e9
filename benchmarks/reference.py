"""The same work, written the obvious way, as tutorials do: what the benchmarks compare with."""

import itertools
from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from text_recognizer.data.characters import encode
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
