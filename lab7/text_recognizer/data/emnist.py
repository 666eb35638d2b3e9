"""EMNIST: handwritten digits and letters (Cohen, Afshar, Tapson and van Schaik, arXiv:1702.05373)."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab_kit.datasets import cache
from lab_kit.datasets.idx import check_labelled_images, read_idx
from lab_kit.datasets.raw_data import RawData
from lab_kit.datasets.zip_archive import open_zip
from lab_kit.handwriting import pen_set
from text_recognizer.data.base_data_module import BaseDataModule, Source
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING, SPECIAL_TOKENS
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data_config import DataConfig

FIRST_CLASS = len(SPECIAL_TOKENS)  # EMNIST's label 0 is this class of the mapping
FORMAT = 1  # of the processed file: raise it when `_process` changes


class EMNIST(BaseDataModule):
    """Handwritten digits, capitals and small letters, 28x28: EMNIST's byclass set, balanced.

    The classes are the 83 of the course's mapping; pictures exist of 62 of them. A fifth of the training pictures is
    for validation. The test set is as published. Without the real archive, pen strokes take its place.

    Args:
        batch_size: pictures in a batch.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the data comes from. `auto` takes the archive on disk; if there is none, it downloads it (562 MB);
            if that fails, it draws pen-stroke handwriting. `download` takes only the real data, `pen` only the pen
            strokes.
        balance: leave out pictures of frequent characters, until no character has more than the average had.
        seed: the seed for splitting, balancing and shuffling.
        augment: turn, scale, shear and shift training pictures a little, differently in every epoch.
    """

    dataset = "emnist"
    has_stand_in = True
    val_fraction = 0.2

    def __init__(
        self,
        batch_size: int = 128,
        num_workers: int = 0,
        source: Source = "auto",
        balance: bool = True,
        seed: int = 42,
        augment: bool = False,
    ) -> None:
        super().__init__(batch_size, num_workers, source, seed, augment)
        self.balance = balance

    def config(self) -> DataConfig:
        return DataConfig(input_dims=(1, 28, 28), output_dims=(1,), mapping=MAPPING)

    def _ready(self) -> bool:
        return super()._ready() or processed_file().is_file()

    def _prepare(self, real: bool) -> None:
        if real:
            cache.ensure(processed_file(), _process)
        else:
            pen_set.prepare(ALPHANUMERIC, layout="box")

    def _load(self, real: bool) -> dict[str, ImageDataset]:
        if not real:
            drawn = pen_set.load(ALPHANUMERIC, layout="box")
            return {split: ImageDataset(images, labels + FIRST_CLASS) for split, (images, labels) in drawn.items()}
        arrays = {name: torch.from_numpy(array) for name, array in cache.load(processed_file(), _process).items()}
        images, labels = arrays["train_images"], arrays["train_labels"]
        generator = torch.Generator().manual_seed(self.seed)
        order = balanced(labels, generator) if self.balance else torch.arange(len(labels))
        order = order[torch.randperm(len(order), generator=generator)]
        num_val = int(len(order) * self.val_fraction)
        return {
            "train": ImageDataset(images, labels, order[num_val:].sort().values),
            "val": ImageDataset(images, labels, order[:num_val].sort().values),
            "test": ImageDataset(arrays["test_images"], arrays["test_labels"]),
        }


def balanced(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return indices (N,) int64, sorted: of each class at most as many as the average class that occurs has.

    No picture is repeated: a rare class keeps the pictures that it has.
    """
    counts = torch.bincount(labels)
    cap = int(counts[counts > 0].double().mean())
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = shuffled[labels[shuffled].sort(stable=True).indices]
    starts = torch.cumsum(counts, 0) - counts
    rank_in_class = torch.arange(len(labels)) - starts[labels[by_class].long()]
    return by_class[rank_in_class < cap].sort().values


def processed_file() -> Path:
    """Return where the processed archive is kept; its name changes with its content."""
    archive = RawData.load(EMNIST.dataset).files[0]
    return cache.cache_file(EMNIST.dataset, "byclass", cache.content_key(archive=archive.sha256, format=FORMAT))


def _process() -> dict[str, np.ndarray]:
    """Return train and test images (N, 28, 28), upright, and labels (N,), as classes of the mapping; all uint8."""
    raw = RawData.load(EMNIST.dataset)
    raw.ensure()
    arrays = {}
    with open_zip(raw.files[0].path, "the EMNIST archive") as archive:
        for part in ("train", "test"):
            labels = _member(archive, f"gzip/emnist-byclass-{part}-labels-idx1-ubyte.gz", ())
            images = _member(archive, f"gzip/emnist-byclass-{part}-images-idx3-ubyte.gz", (28, 28))
            check_labelled_images(images, labels, (28, 28), len(ALPHANUMERIC), f"EMNIST {part}")
            # EMNIST stores its images transposed.
            arrays[f"{part}_images"] = images.transpose(1, 2).contiguous().numpy()
            arrays[f"{part}_labels"] = (labels + FIRST_CLASS).numpy()
    return arrays


def _member(archive: zipfile.ZipFile, name: str, size: tuple[int, ...]) -> Tensor:
    # Read inside the archive: unpacked, it takes 2 GB, because it has the same pictures in five other arrangements.
    with archive.open(name) as member:
        return read_idx(member, name, size)
