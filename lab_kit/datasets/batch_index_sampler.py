"""A sampler that returns the indices of whole batches."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor
from torch.utils.data import Sampler, get_worker_info

from lab_kit.errors import UserError

BLOCK = 1024  # samples that lie side by side in a set of more than
SCATTERED = 4_000_000  # samples. They are taken together with those of
MIXED = 256  # other blocks


class BatchIndexSampler(Sampler[np.ndarray]):
    """Returns the indices of each batch of an epoch; the last batch can be smaller.

    The order of shuffled batches depends only on `seed` and the epoch, not on a global random state. So a run that is
    resumed at epoch 7 gets the same batches as a run without interruption.

    A set of millions may lie on a disk, which is slow at reading a picture here and a picture there. So there,
    neighbours are read together: their blocks are shuffled, and then the samples of each 256 blocks are.

    Args:
        length: samples in an epoch.
        batch_size: samples in a batch.
        shuffle: whether each epoch has another order.
        seed: the seed of the order.
        endless: the dataset makes a sample for any index, so shuffled epochs use new indices, and none repeats another.
        drop_last: leave out a last batch that is smaller than the others. With several processes this is ignored: they
            share all samples evenly.
        rank, processes: the number of this process, and how many processes train together. All processes get the same
            number of batches, and every sample is in one of them.

    Raises:
        UserError: there are more processes than samples.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        endless: bool = False,
        drop_last: bool = False,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if length < processes:
            raise UserError(f"{processes} processes cannot share {length} samples: take fewer --devices.")
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.endless, self.drop_last, self.rank, self.processes = endless, drop_last, rank, processes
        self.epoch = 0

    @property
    def sampler(self) -> "BatchIndexSampler":
        """This sampler itself: Lightning calls `batch_sampler.sampler.set_epoch(epoch)` at the start of each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, which decides the order."""
        self.epoch = epoch

    def __len__(self) -> int:
        batches = -(-self.length // self.batch_size)
        if self.processes == 1:
            return max(1, self.length // self.batch_size) if self.drop_last else batches
        # The same number for each process, and no empty batch: the other processes would wait for one without a batch.
        return min(-(-self.length // (self.batch_size * self.processes)), self.length // self.processes)

    def __iter__(self) -> Iterator[np.ndarray]:
        order = np.arange(self.length)
        if self.shuffle:
            shuffle(order, np.random.default_rng((self.seed, self.epoch)))
            if self.endless:
                order += self.epoch * self.length
        if self.processes > 1:
            yield from np.array_split(order, len(self) * self.processes)[self.rank :: self.processes]
            return
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]


def shuffle(order: np.ndarray, random: np.random.Generator) -> None:
    """Shuffle an order in place: all of it, or, if it is long, blocks of neighbours and then what is in some of them.

    Args:
        order: (N,) int64.
        random: all chance comes from it.
    """
    if len(order) <= SCATTERED:
        random.shuffle(order)
        return
    whole = len(order) // BLOCK * BLOCK
    random.shuffle(order[:whole].reshape(-1, BLOCK))
    for start in range(0, len(order), MIXED * BLOCK):
        random.shuffle(order[start : start + MIXED * BLOCK])


def identity_collate(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the batch as it is: the dataset's `__getitems__` has already collated it.

    A worker puts it into shared memory here: if that is full, this raises an error. Later, where PyTorch would do it,
    the batch would be lost, and the training loop would wait for ever.
    """
    if get_worker_info() is not None:
        for part in batch:
            if isinstance(part, Tensor):
                part.share_memory_()
    return batch
