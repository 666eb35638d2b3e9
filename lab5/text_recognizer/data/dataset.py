"""Datasets that live in memory and hand out whole batches."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from text_recognizer.errors import UserError


class ImageDataset(Dataset):
    """Grey pictures with labels, of which `indices` belong to this dataset.

    A batch is one indexing operation: the DataLoader asks for all its indices at once (`__getitems__`), and the
    pictures become floats a batch at a time. Splits share one copy of the pictures and differ in `indices`.

    Args:
        images: (M, H, W) uint8, ink 255 on paper 0.
        labels: (M,) class indices, any integer type.
        indices: (N,) int64, the pictures of this split; None means all of them.
        mean, std: floats are scaled to [0, 1], and then to `(x - mean) / std`.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, indices: Tensor | None = None, mean: float = 0.0, std: float = 1.0
    ) -> None:
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images have {len(labels)} labels")
        self.images, self.labels, self.mean, self.std = images, labels, mean, std
        self.indices = torch.arange(len(images)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one picture, (1, H, W) float32, and its label, () int64."""
        images, labels = self.__getitems__([index])
        return images[0], labels[0]

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, 1, H, W) float32 and labels (B,) int64."""
        # index_select copies whole pictures; indexing with [] goes pixel by pixel, and takes twice as long.
        chosen = self.indices.index_select(0, torch.as_tensor(indices))
        images = self.images.index_select(0, chosen).unsqueeze(1)
        images = torch.sub(images, 255 * self.mean).div_(255 * self.std)  # the same as (x / 255 - mean) / std
        return images, self.labels.index_select(0, chosen).long()


class Batches(Sampler[np.ndarray]):
    """The index batches of one epoch, the last one smaller if need be.

    Shuffled batches come in an order that depends on `seed` and the epoch alone, never on a global random state: an
    interrupted run that goes on with epoch 7 sees what it would have seen.

    Args:
        length: samples in an epoch.
        batch_size: samples in a batch.
        shuffle: whether each epoch has an order of its own.
        seed: of that order.
        endless: the dataset makes a sample for any index: shuffled epochs count on, so that none repeats another.
        rank, processes: which of how many processes that train together. They get as many batches each, and every
            sample is in one of them.

    Raises:
        UserError: there are more processes than samples.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        shuffle: bool,
        seed: int,
        endless: bool = False,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if length < processes:
            raise UserError(f"{processes} processes cannot share {length} samples: take fewer --devices.")
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.endless, self.rank, self.processes = endless, rank, processes
        self.epoch = 0

    @property
    def sampler(self) -> "Batches":
        """Lightning calls `batch_sampler.sampler.set_epoch(epoch)` as each epoch starts."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        if self.processes == 1:
            return -(-self.length // self.batch_size)
        # As many for each process, none of them empty: one without a batch would leave the others waiting.
        return min(-(-self.length // (self.batch_size * self.processes)), self.length // self.processes)

    def __iter__(self) -> Iterator[np.ndarray]:
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
            if self.endless:
                order += self.epoch * self.length
        if self.processes > 1:
            yield from np.array_split(order, len(self) * self.processes)[self.rank :: self.processes]
            return
        for start in range(0, self.length, self.batch_size):
            yield order[start : start + self.batch_size]


def as_it_is(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Collate nothing: `__getitems__` has already returned a batch."""
    return batch
