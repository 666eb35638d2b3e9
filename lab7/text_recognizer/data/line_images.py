"""Put pictures of characters together into pictures of lines, many lines at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from lab_kit.handwriting.pen_strokes import PenStrokes
from text_recognizer.data.character_mapping import ALPHANUMERIC, END, MAPPING, MARKS, PADDING, START
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data.sentence_generator import SentenceGenerator

SIDE = 28  # pixels of a character's picture
PEN_PICTURES = 200  # of each character that a dataset has no pictures of
CHUNK = 256  # lines written at a time: what they need fits the processor's cache


@dataclass(frozen=True)
class Glyphs:
    """Pictures of characters, ordered by class.

    Pictures are stored column by column, so that a character's place in a line is one piece of memory. To write a line
    means to copy such pieces. Lines are stored column by column too.

    Args:
        pictures: (G, 28 columns, 28 rows) uint8; picture 0 is empty: space and special tokens leave the paper blank.
        first: (classes,) int64, the first picture of each class.
        count: (classes,) int64, the number of its pictures, at least 1.
    """

    pictures: np.ndarray
    first: np.ndarray
    count: np.ndarray

    @classmethod
    def collect(cls, data: ImageDataset, writers: range, seed: Sequence[int]) -> "Glyphs":
        """Take the pictures of a dataset whose labels are classes of the mapping.

        Characters without pictures (EMNIST has none of the marks) are drawn with pen strokes.

        Args:
            data: pictures 28x28 of characters.
            writers: those who may draw what is missing; other splits must have other writers.
            seed: of that drawing.
        """
        labels = data.labels[data.indices].long()
        pictures = data.images[data.indices]
        missing = [
            name for name in (*ALPHANUMERIC, *MARKS) if name != " " and not (labels == MAPPING.index(name)).any()
        ]
        if missing:
            generator = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**62)))
            drawn = torch.arange(len(missing)).repeat_interleave(PEN_PICTURES)
            by = torch.randint(writers.start, writers.stop, drawn.shape, generator=generator)
            pictures = torch.cat([pictures, PenStrokes(missing).draw(drawn, by, generator)])
            labels = torch.cat([labels, torch.tensor([MAPPING.index(name) for name in missing])[drawn]])
        order = labels.argsort(stable=True)
        count = torch.bincount(labels, minlength=len(MAPPING))
        first = torch.where(count > 0, 1 + torch.cumsum(count, 0) - count, 0)
        columns = np.zeros((1 + len(labels), SIDE, SIDE), dtype=np.uint8)
        columns[1:] = pictures[order].numpy().transpose(0, 2, 1)
        return cls(columns, first.numpy(), count.clamp(min=1).numpy())

    def choose(self, labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return a picture's index for each label (N, L): one line has one picture of each character."""
        chance = random.random((len(labels), len(self.first)))
        return self.first[labels] + (np.take_along_axis(chance, labels, axis=1) * self.count[labels]).astype(np.int64)


@dataclass(frozen=True)
class LineWriter:
    """Write sentences with pictures of characters; plain data, which can be sent to other processes.

    Args:
        sentences: where the text comes from.
        min_overlap, max_overlap, with_start_end_tokens: as in `EMNISTLines`.
    """

    sentences: SentenceGenerator
    min_overlap: float
    max_overlap: float
    with_start_end_tokens: bool

    def write(self, count: int, glyphs: Glyphs, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Write lines that depend on `random` alone.

        Returns:
            images (count, 28 max_length columns, 28 rows) uint8, and labels (count, max_length) int64.
        """
        labels = self._labels(self.sentences.generate_codes(count, random))
        overlap = random.uniform(self.min_overlap, self.max_overlap, count)
        return write_lines(glyphs, glyphs.choose(labels, random), overlap), labels

    def _labels(self, codes: np.ndarray) -> np.ndarray:
        """Return classes (N, max_length) int64 for ASCII codes (N, characters)."""
        class_of = np.zeros(128, dtype=np.int64)
        class_of[[ord(name) for name in MAPPING if len(name) == 1]] = [i for i, c in enumerate(MAPPING) if len(c) == 1]
        class_of[0] = MAPPING.index(PADDING)
        labels = class_of[codes]
        if not self.with_start_end_tokens:
            return labels
        labels = np.pad(labels, ((0, 0), (1, 1)), constant_values=MAPPING.index(PADDING))
        labels[:, 0] = MAPPING.index(START)
        labels[np.arange(len(labels)), 1 + (codes > 0).sum(axis=1)] = MAPPING.index(END)
        return labels


def write_lines(glyphs: Glyphs, chosen: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Put pictures of characters side by side.

    Where neighbours overlap, their ink is added, up to 255: 200 + 200 is 255, and not 144 as with bytes that overflow.

    Args:
        glyphs: the pictures.
        chosen: (N, L) int64, the picture at each place of each line.
        overlap: (N,), the share of a picture's width that its right neighbour covers, from 0 to below 1.

    Returns:
        (N, 28 L columns, 28 rows) uint8.
    """
    length = chosen.shape[1]
    step = SIDE - (overlap * SIDE).astype(np.int64)
    lines = np.zeros((len(chosen), length * SIDE * SIDE), dtype=np.uint8)
    flat_pictures = glyphs.pictures.reshape(len(glyphs.pictures), -1)
    for start in range(0, len(chosen), CHUNK):
        part = slice(start, start + CHUNK)
        picture = chosen[part]
        # All pieces of memory that could be a character's place: (lines, starts, 28 * 28).
        runs = sliding_window_view(lines[part], SIDE * SIDE, axis=1, writeable=True)
        for place in range(length):
            rows = np.flatnonzero(picture[:, place])
            starts = place * SIDE * step[part][rows]
            ink, paper = flat_pictures[picture[rows, place]], runs[rows, starts]
            paper += np.minimum(ink, 255 - paper)
            runs[rows, starts] = paper
    return lines.reshape(len(chosen), length * SIDE, SIDE)
