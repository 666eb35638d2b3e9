"""Synthetic lines of handwriting: sentences written with EMNIST's pictures of characters."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from lab_kit.checks import check_at_least
from lab_kit.datasets import cache
from lab_kit.errors import UserError
from lab_kit.handwriting import pen_set
from text_recognizer.data import emnist
from text_recognizer.data.base_data_module import BaseDataModule, Source
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data.line_images import SIDE, Glyphs, LineWriter
from text_recognizer.data.sentence_generator import SentenceGenerator
from text_recognizer.data_config import DataConfig

CODE = tuple(  # what decides how lines look
    Path(__file__).with_name(name)
    for name in ("emnist_lines.py", "line_images.py", "emnist.py", "character_mapping.py")
)
SPLITS = ("train", "val", "test")
LINES_PER_STEP = 1024  # of the progress bar


class EMNISTLines(BaseDataModule):
    """Lines of text: pieces of the Brown corpus, each character a picture from EMNIST, neighbours overlapping.

    In a line all neighbours overlap by the same share, and each character always has the same picture. Training,
    validation and test lines share no picture. EMNIST has no marks: they are drawn with pen strokes. A label holds a
    class for each of `max_length` places, `<P>` after the text; a picture is as wide as `max_length` characters side by
    side.

    Args:
        max_length: places in a line.
        min_overlap: least share of a character's width that its neighbour covers.
        max_overlap: greatest share of it.
        num_train: training lines.
        num_val: validation lines.
        num_test: test lines.
        with_start_end_tokens: put `<B>` before the text and `<E>` behind it, on blank paper.
        keep_marks: write punctuation too, not only letters, digits and spaces.
        fresh: write new training lines for every epoch; validation and test lines stay.
        batch_size: lines in a batch.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where characters and sentences come from. `auto` takes files on disk; if there are none, it downloads
            them; if that fails, it draws pen-stroke handwriting and quotes Python's documentation. `download` takes
            only the real data, `pen` only what takes their place.
        seed: the seed for everything random.
    """

    dataset = "emnist"
    has_stand_in = True
    task = "line"

    def __init__(
        self,
        max_length: int = 32,
        min_overlap: float = 0.0,
        max_overlap: float = 0.33,
        num_train: int = 10_000,
        num_val: int = 2_000,
        num_test: int = 2_000,
        with_start_end_tokens: bool = False,
        keep_marks: bool = False,
        fresh: bool = False,
        batch_size: int = 64,
        num_workers: int = 0,
        source: Source = "auto",
        seed: int = 42,
    ) -> None:
        super().__init__(batch_size, num_workers, source, seed)
        shortest = 3 if with_start_end_tokens else 1
        check_at_least(shortest, max_length=max_length)
        if not 0 <= min_overlap <= max_overlap < 1:
            raise UserError(
                f"Overlaps must be 0 <= min_overlap <= max_overlap < 1, not {min_overlap} and {max_overlap}."
            )
        check_at_least(1, num_train=num_train, num_val=num_val, num_test=num_test)
        self.sizes = dict(zip(SPLITS, (num_train, num_val, num_test), strict=True))
        self.max_length, self.min_overlap, self.max_overlap = max_length, min_overlap, max_overlap
        self.with_start_end_tokens, self.fresh = with_start_end_tokens, fresh
        self.emnist = emnist.EMNIST(source=source, seed=seed)
        text_length = max_length - 2 if with_start_end_tokens else max_length
        self.sentences = SentenceGenerator(text_length, keep_marks, source, seed)
        self.writer = LineWriter(self.sentences, min_overlap, max_overlap, with_start_end_tokens)

    def config(self) -> DataConfig:
        return DataConfig((1, SIDE, SIDE * self.max_length), (self.max_length, 1), MAPPING)

    def _ready(self) -> bool:
        return self.emnist._ready()

    def _prepare(self, real: bool) -> None:
        self.emnist._prepare(real)
        self.sentences.load()
        cache.ensure(self._file(real), lambda: self._write(real), compress=True)

    def _load(self, real: bool) -> dict[str, Dataset]:
        arrays = cache.load(self._file(real), lambda: self._write(real), compress=True)
        splits = {
            split: ImageDataset(
                torch.from_numpy(arrays[f"{split}_images"]).transpose(1, 2), torch.from_numpy(arrays[f"{split}_labels"])
            )
            for split in self.sizes
            if f"{split}_images" in arrays
        }
        if self.fresh:
            glyphs = self.glyphs(real, ["train"])["train"]
            splits["train"] = FreshLines(self.writer, glyphs, self.sizes["train"], self.seed)
        return splits

    def source_description(self, real: bool) -> str:
        return f"{super().source_description(real)}; sentences: {self.sentences.source_used}"

    def _file(self, real: bool) -> Path:
        """Return where the lines are kept: the name contains everything that they depend on."""
        characters = emnist.processed_file() if real else pen_set.set_file(ALPHANUMERIC, layout="box")
        key = cache.content_key(
            characters=characters.name,
            code=cache.code_key(*CODE, *pen_set.CODE_FILES),
            sentences=self.sentences.text_key(),
            max_length=self.max_length,
            overlap=[self.min_overlap, self.max_overlap],
            sizes=self.sizes | ({"train": 0} if self.fresh else {}),
            with_start_end_tokens=self.with_start_end_tokens,
            seed=self.seed,
        )
        return cache.cache_file("emnist_lines", f"{self.max_length}-characters", key)

    def glyphs(self, real: bool, splits: Iterable[str]) -> dict[str, Glyphs]:
        """Return the pictures that the lines of each split are made of; no two splits share one."""
        characters = self.emnist._load(real)
        return {
            split: Glyphs.collect(characters[split], pen_set.WRITERS[split], (self.seed, SPLITS.index(split)))
            for split in splits
        }

    def _write(self, real: bool) -> cache.Arrays:
        """Return images (N, 28 max_length columns, 28 rows) and labels (N, max_length) of each split, uint8."""
        arrays = {}
        wanted = {split: size for split, size in self.sizes.items() if not (self.fresh and split == "train")}
        glyphs = self.glyphs(real, wanted)
        # disable=None: a bar in a terminal, nothing in a log.
        with tqdm(total=sum(wanted.values()), desc="Writing lines", unit=" lines", disable=None) as progress:
            for split, size in wanted.items():
                random = np.random.default_rng((self.seed, SPLITS.index(split)))
                images = np.empty((size, SIDE * self.max_length, SIDE), dtype=np.uint8)
                labels = np.empty((size, self.max_length), dtype=np.uint8)
                for start in range(0, size, LINES_PER_STEP):
                    part = slice(start, min(start + LINES_PER_STEP, size))
                    images[part], labels[part] = self.writer.write(part.stop - part.start, glyphs[split], random)
                    progress.update(part.stop - part.start)
                arrays |= {f"{split}_images": images, f"{split}_labels": labels}
        return arrays


class FreshLines(Dataset):
    """Training lines that are written when they are needed; no line is written twice.

    The indices of a batch decide what is in it, so that it is the same whichever process writes it. The sampler goes on
    counting from epoch to epoch (`endless`), so that no epoch repeats another.
    """

    endless = True

    def __init__(self, writer: LineWriter, glyphs: Glyphs, size: int, seed: int) -> None:
        self.writer, self.glyphs, self.size, self.seed = writer, glyphs, size, seed

    def __len__(self) -> int:
        return self.size

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, 1, 28, 28 max_length) float32 and labels (B, max_length) int64."""
        random = np.random.default_rng((self.seed, *(int(index) for index in indices)))
        images, labels = self.writer.write(len(indices), self.glyphs, random)
        return ImageDataset(torch.from_numpy(images).transpose(1, 2), torch.from_numpy(labels)).__getitems__(
            range(len(indices))
        )
