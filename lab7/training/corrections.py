"""Visitors' corrections as training data: read them from disk, and mix them with the run's own pictures."""

import copy
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lab_kit.datasets.picture_files import PictureFile, describe, find_pictures, read_all
from lab_kit.datasets.picture_formats import open_image
from lab_kit.errors import UserError
from lab_kit.feedback.class_folders import label_from_folder
from lab_kit.paths import readable
from lab_kit.photo.picture_arrays import read_array
from text_recognizer.data_config import DataConfig
from text_recognizer.preprocessing import Preprocessing

log = logging.getLogger(__name__)

FEWEST = 10  # from so many corrections on, some are kept back to test with


@dataclass(frozen=True)
class Corrections:
    """Pictures that visitors corrected.

    Args:
        images: (N, C, H, W) uint8, what the network saw.
        labels: (N,) int64, what visitors say that they are.
        held_out: (N,) bool, those that are not learned from.
    """

    images: Tensor
    labels: Tensor
    held_out: Tensor

    def like(self, data: Dataset, which: Tensor) -> Dataset:
        """Return those marked in `which`, (N,) bool, as a dataset of the same kind and normalisation as `data`."""
        images = self.images if data.images.ndim == 4 else self.images[:, 0]
        return _variant(data, images=images, labels=self.labels, indices=which.nonzero().flatten())


def read(folder: Path, config: DataConfig, held_out: float) -> Corrections:
    """Read what `app.corrections_export` has written; folders with the name of the class are read, too.

    Args:
        folder: one sub-folder per class.
        config: of the run's data.
        held_out: the share that is not learned from; zero if there are too few corrections.

    Raises:
        UserError: there are no pictures, a class is unknown to the run, or a picture is not one that its network saw.
    """
    left_out: dict[Path, str] = {}
    pictures = find_pictures(folder, left_out)
    found = read_all(
        lambda path: _pixels(path, config.input_dims), [folder / picture.file for picture in pictures], left_out
    )
    if left_out:
        log.warning("%s", describe(left_out))
    pictures = [picture for picture in pictures if folder / picture.file in found]
    if not pictures:
        raise UserError(f"{readable(folder)} has no pictures that can be read.")
    labels = [config.mapping.index(_label(picture, folder, config.mapping)) for picture in pictures]
    images = torch.stack([found[folder / picture.file] for picture in pictures])
    count = round(held_out * len(pictures)) if len(pictures) >= FEWEST else 0
    # By the name of the file only: a picture that is for testing stays for testing when there are more pictures.
    names = [picture.file.rpartition("/")[2] for picture in pictures]
    lots = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    chosen = set(sorted(lots)[:count])
    return Corrections(images, torch.tensor(labels), torch.tensor([lot in chosen for lot in lots]))


def _label(picture: PictureFile, folder: Path, mapping: Sequence[str]) -> str:
    if picture.label in mapping:
        return picture.label
    label = label_from_folder(picture.label)
    if label not in mapping:
        raise UserError(
            f"{readable(folder / picture.file)} is of the class '{label}', which is not one of the "
            f"{len(mapping)} classes of the run. A new class needs a new run."
        )
    return label


def _pixels(path: Path, size: tuple[int, int, int]) -> Tensor:
    channels, height, width = size
    # Pictures that the network saw need no more preparation; their size tells whether they are such pictures.
    unchanged = Preprocessing(max(height, width), channels, "crop", False, (0.0,), (1.0,))
    image = unchanged.read(path)
    if _size_on_disk(path) != (height, width):
        raise UserError(
            f"{readable(path)} is not {height} x {width} pixels, as this run's network sees pictures. "
            "`python -m app.corrections_export` writes such."
        )
    return image


def _size_on_disk(path: Path) -> tuple[int, int]:
    if (array := read_array(path)) is not None:
        return array.shape[:2]
    with open_image(path) as picture:
        return picture.size[::-1]


class Mixture(Dataset):
    """Pictures of the run and corrections, shuffled together, so that the network does not forget the old pictures.

    An epoch has `originals` pictures of the run, others in the next epoch, and as many corrections as make up `share`
    of the whole. The corrections are few, so each comes many times (augmented differently each time).

    Args:
        old, new: datasets of pictures with labels.
        originals: how many of `old` are in an epoch.
        share: of the corrections, above 0 and below 1.
        seed: of the order in which `old` is used.
    """

    endless = True  # `Batches` counts on from epoch to epoch

    def __init__(self, old: Dataset, new: Dataset, originals: int, share: float, seed: int) -> None:
        self.old, self.new = old, new
        self.originals = min(originals, len(old))
        self.repeated = max(1, round(self.originals * share / (1 - share)))
        self.order = np.random.default_rng(seed).permutation(len(old))

    def __len__(self) -> int:
        return self.originals + self.repeated

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one picture, (C, H, W) float32, and its label, () int64."""
        images, labels = self.__getitems__([index])
        return images[0], labels[0]

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, C, H, W) float32 and labels (B,) int64."""
        epoch, place = np.divmod(np.asarray(indices), len(self))
        is_old = place < self.originals
        old = self.order[(epoch * self.originals + place)[is_old] % len(self.order)]
        new = (epoch * self.repeated + place - self.originals)[~is_old] % len(self.new)
        parts = [data.__getitems__(which) for data, which in ((self.old, old), (self.new, new)) if len(which)]
        images, labels = (torch.cat(both) for both in zip(*parts, strict=True))
        return images, labels


def at_most(data: Dataset, count: int) -> Dataset:
    """Return `data`, or `count` pictures of it at equal distances."""
    if len(data) <= count:
        return data
    return _variant(data, indices=data.indices[torch.linspace(0, len(data) - 1, count).long()])


def _variant(data: Dataset, **changes: Tensor) -> Dataset:
    other = copy.copy(data)
    vars(other).update(changes)
    return other
