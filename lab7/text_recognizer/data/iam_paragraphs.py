"""Whole paragraphs as people write them: those of the IAM database, or by imaginary writers in their place."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lab_kit.checks import check_at_least
from lab_kit.datasets import cache, iam
from lab_kit.datasets.raw_data import Source
from lab_kit.errors import UserError
from lab_kit.handwriting import pen_pages, pen_set
from text_recognizer.data.character_mapping import PAGE_MAPPING, encode
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data.iam_data_module import IAMDataModule, Written
from text_recognizer.data.sentence_generator import SentenceGenerator
from text_recognizer.data_config import DataConfig

HEIGHT, WIDTH = 576, 640  # pixels of a page
LARGEST = 2.4  # pixels for each unit of the pens' grid: short pages have letters of nearly the size of full ones
SHORTEST, LONGEST = 20, 56  # characters, at most, in a line by imaginary writers
ENOUGH = 1.5  # times the characters that a page may have: text for it, of which the rest is left out
CODE = (Path(__file__), Path(pen_pages.__file__))


class IAMParagraphs(IAMDataModule):
    """Paragraphs of handwriting on pages of 576 x 640 pixels; no writer is in two splits.

    A label holds the text with a new-line token between lines. IAM's owners ask users to register and to use it for
    research only, so it is downloaded with `--source download` only; in its place, imaginary writers write.

    Args:
        max_length: characters of the longest paragraph, new lines included; IAM's longest has 682.
        min_lines: lines of the shortest page by imaginary writers, as far as `max_length` allows them.
        max_lines: lines of their longest page, likewise.
        curriculum: let pages by imaginary writers grow: one line in the first epoch of training, at most two in the
            second, and so on. What is easy comes first (Bengio and others, Curriculum learning, ICML 2009).
        num_train: pages of an epoch by imaginary writers; they are new in every epoch.
        num_val: validation pages by imaginary writers.
        num_test: test pages by imaginary writers.
        batch_size: pages in a batch.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the pages come from. `auto` takes IAM if it is on disk, else imaginary writers; `download`
            downloads IAM; `pen` takes only imaginary writers.
        seed: the seed for everything random.
        augment: turn, scale, shear and shift training pages a little, differently in every epoch.
    """

    task = "paragraph"
    unit = "paragraphs"
    longest = 1_000
    mapping = PAGE_MAPPING
    code = CODE

    def __init__(
        self,
        max_length: int = 682,
        min_lines: int = 1,
        max_lines: int = 12,
        curriculum: bool = False,
        num_train: int = 4_000,
        num_val: int = 200,
        num_test: int = 200,
        batch_size: int = 16,
        num_workers: int = 0,
        source: Source = "auto",
        seed: int = 42,
        augment: bool = False,
    ) -> None:
        sizes = (num_train, num_val, num_test)
        super().__init__(max_length, sizes, max_length, batch_size, num_workers, source, seed, augment)
        check_at_least(1, min_lines=min_lines)
        check_at_least(min_lines, max_lines=max_lines)
        self.min_lines, self.max_lines, self.curriculum = min_lines, max_lines, curriculum

    def config(self) -> DataConfig:
        return DataConfig((1, HEIGHT, WIDTH), (self.max_length, 1), PAGE_MAPPING)

    def train_dataloader(self) -> DataLoader:
        if self.curriculum and self._overfitting():
            raise UserError(
                "--curriculum lets pages grow from epoch to epoch, and --overfit_batches keeps the same ones: leave "
                "one of them out."
            )
        return super().train_dataloader()

    def cut(self, form: iam.Form) -> list[tuple[str, tuple[iam.Line, ...]]]:
        return [("\n".join(line.text for line in form.lines), form.lines)] if form.lines else []

    def fit(self, picture: np.ndarray) -> np.ndarray:
        return fit_page(picture)

    def write(self, count: int, split: str, random: np.random.Generator) -> Written:
        pages = [
            write_page(self.sentences, self.max_length, self.min_lines, self.max_lines, split, random)
            for _ in range(count)
        ]
        return [page for page, _ in pages], [text for _, text in pages]

    def content(self) -> dict[str, object]:
        return {"lines": [self.min_lines, self.max_lines]}

    def to_arrays(self, pictures: list[np.ndarray], texts: list[str]) -> cache.Arrays:
        labels = [encode(text, self.max_length, PAGE_MAPPING) for text in texts]
        return {"images": np.stack(pictures), "labels": np.stack(labels).astype(np.uint8)}

    def to_dataset(self, arrays: cache.Arrays) -> Dataset:
        return ImageDataset(torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"]))

    def fresh(self) -> Dataset:
        return FreshPages(self)


class FreshPages(Dataset):
    """Training pages by imaginary writers, written when they are needed; no page is written twice.

    The index of a page decides what is on it. The sampler goes on counting from epoch to epoch (`endless`).

    Args:
        data: says what pages are like.
    """

    endless = True

    def __init__(self, data: IAMParagraphs) -> None:
        self.sentences, self.max_length, self.seed, self.size = (
            data.sentences,
            data.max_length,
            data.seed,
            data.sizes["train"],
        )
        self.min_lines, self.max_lines, self.curriculum = data.min_lines, data.max_lines, data.curriculum

    def __len__(self) -> int:
        return self.size

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, 1, 576, 640) float32 and labels (B, max_length) int64."""
        pages, labels = [], []
        for index in indices:
            least, most = self.lines(int(index))
            random = np.random.default_rng((self.seed, int(index)))
            page, text = write_page(self.sentences, self.max_length, least, most, "train", random)
            pages.append(page)
            labels.append(encode(text, self.max_length, PAGE_MAPPING))
        return torch.from_numpy(np.stack(pages))[:, None] / 255, torch.from_numpy(np.stack(labels))

    def lines(self, index: int) -> tuple[int, int]:
        """Return how many lines the page of this index has, at least and at most."""
        grown = 1 + index // self.size if self.curriculum else self.max_lines
        return min(grown, self.min_lines), min(grown, self.max_lines)


def write_page(
    sentences: SentenceGenerator,
    max_length: int,
    min_lines: int,
    max_lines: int,
    split: str,
    random: np.random.Generator,
) -> tuple[np.ndarray, str]:
    """Let an imaginary writer of a split write a paragraph; return the page (576, 640) uint8 and its text."""
    shortest = min(SHORTEST, max_length)
    fit = max(1, (max_length + 1) // (shortest + 1))
    count = int(random.integers(min(min_lines, fit), min(max_lines, fit) + 1))
    length = int(random.integers(shortest, min(LONGEST, (max_length + 1) // count - 1) + 1))
    text = ""
    while len(text) < ENOUGH * count * length:
        codes = sentences.generate_codes(1, random)[0]
        text += codes[codes > 0].tobytes().decode("ascii") + " "
    lines = pen_pages.break_lines(text, length, random)[:count]
    words = lines[-1].split()  # a paragraph ends anywhere in its last line
    lines[-1] = " ".join(words[: int(random.integers(1, len(words) + 1))])
    writer = int(random.choice(pen_set.WRITERS[split]))
    generator = torch.Generator().manual_seed(int(random.integers(1 << 62)))
    return pen_pages.write_page(lines, writer, generator, (HEIGHT, WIDTH), LARGEST), "\n".join(lines)


def fit_page(picture: np.ndarray) -> np.ndarray:
    """Scale a picture of writing (H, W) uint8 down to a page (576, 640), and put it into the upper left corner."""
    scale = min(HEIGHT / picture.shape[0], WIDTH / picture.shape[1], 1)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:HEIGHT, :WIDTH]
    page = np.zeros((HEIGHT, WIDTH), np.uint8)
    page[: small.shape[0], : small.shape[1]] = small
    return page
