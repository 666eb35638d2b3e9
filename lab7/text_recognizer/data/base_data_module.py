"""The base class of all datasets: bring the data to disk, load it, and return batches."""

from typing import ClassVar, get_args

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lab_kit.checks import check_at_least, check_one_of
from lab_kit.datasets.batch_index_sampler import BatchIndexSampler, identity_collate
from lab_kit.datasets.batch_loader import BatchLoader
from lab_kit.datasets.describe import describe_data
from lab_kit.datasets.raw_data import RawData, Source, explain_disk_errors, find_or_download
from lab_kit.errors import UserError
from text_recognizer.data.augmentation import random_affine
from text_recognizer.data_config import DataConfig as DataConfig


class BaseDataModule(pl.LightningDataModule):
    """A dataset that Lightning can train on: `prepare_data` once per machine, `setup` once per process.

    A subclass names its dataset, returns its `config()`, and says how to `_prepare` and `_load` it. If its pictures are
    made in code, it has no `dataset`, and nothing to prepare.

    Args:
        batch_size: pictures in a batch; with several processes, in a batch of each.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the data comes from. `auto` takes files on disk; if there are none, it downloads them; if that
            fails, it draws pen-stroke handwriting. `download` takes only the real data, `pen` only the pen strokes.
        seed: the seed for splitting, balancing and shuffling.
        augment: turn, scale, shear and shift training pictures a little, differently in every epoch.
    """

    dataset: ClassVar[str | None] = None  # its folder in the data root
    task: ClassVar[str] = "character"  # what a picture shows
    has_stand_in: ClassVar[bool] = False  # whether pen strokes can take its place
    mean: ClassVar[float] = 0.0
    std: ClassVar[float] = 1.0
    drop_last: ClassVar[bool] = False  # whether training leaves out a smaller last batch

    def __init__(
        self,
        batch_size: int = 128,
        num_workers: int = 0,
        source: Source = "auto",
        seed: int = 42,
        augment: bool = False,
    ) -> None:
        super().__init__()
        check_at_least(1, batch_size=batch_size)
        check_at_least(0, num_workers=num_workers, seed=seed)
        check_one_of(get_args(Source), source=source)
        if source == "pen" and not self.has_stand_in:
            raise UserError(f"{type(self).__name__} has no pen-stroke stand-in: leave out source 'pen'.")
        if source == "download" and self.dataset is None:
            raise UserError(f"{type(self).__name__} is not to be downloaded: leave out source 'download'.")
        self.batch_size, self.num_workers, self.source, self.seed = batch_size, num_workers, source, seed
        self.augment = augment
        self.splits: dict[str, Dataset] = {}  # train, val, test: filled by setup()
        self.source_used: str | None = None  # filled by setup(): what the data really is
        self._next_epoch = 0  # where a resumed run goes on

    # Methods that each dataset defines

    def config(self) -> DataConfig:
        """Return the shapes and the mapping; needs no data."""
        raise NotImplementedError

    def _ready(self) -> bool:
        """Return whether the real data is on disk, processed or as downloaded."""
        return self.dataset is None or RawData.load(self.dataset).present()

    def _prepare(self, real: bool) -> None:
        """Verify and process the downloaded files (`real`), or draw the stand-in, and keep the result on disk."""

    def _load(self, real: bool) -> dict[str, Dataset]:
        """Return the splits train, val and test."""
        raise NotImplementedError

    def source_description(self, real: bool) -> str:
        """Return where the data comes from, in words."""
        if self.dataset is None:
            return f"made by {type(self).__name__}"
        raw = RawData.load(self.dataset)
        return f"{raw.title} ({raw.source})" if real else "pen strokes (drawn by a program, not real)"

    # Methods that Lightning calls

    def prepare_data(self) -> None:
        """Bring the data to this machine's disk; raises UserError if it is not available or damaged."""
        if not self.splits and self.dataset is not None:
            stand_in = "Embedded pen-stroke handwriting stands" if self.has_stand_in else None
            with explain_disk_errors():
                self._prepare(find_or_download(RawData.load(self.dataset), self.source, self._ready(), stand_in))

    def setup(self, stage: str | None = None) -> None:
        """Load the splits into memory; `prepare_data` must have run on this machine."""
        if not self.splits:
            real = self.source != "pen" and (self._ready() or not self.has_stand_in)
            self.splits, self.source_used = self._load(real), self.source_description(real)

    def state_dict(self) -> dict[str, int]:
        """Return the epoch (from 0) that comes next: a checkpoint keeps it."""
        # Workers ask for batches before Lightning tells a resumed run's sampler the epoch.
        return {"next_epoch": self.trainer.fit_loop.epoch_progress.current.processed}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Take the next epoch from `state_dict`."""
        self._next_epoch = state_dict["next_epoch"]

    # Batches

    def train_dataloader(self) -> DataLoader:
        """Return shuffled batches; with `--overfit_batches`, the same few batches in every epoch, in order."""
        loader = self._loader("train", shuffle=not self._overfitting())
        loader.batch_sampler.set_epoch(self._next_epoch)
        return loader

    def val_dataloader(self) -> DataLoader:
        """Return validation batches; with `--overfit_batches`, the batches that are trained on."""
        return self._loader("train" if self._overfitting() else "val")

    def test_dataloader(self) -> DataLoader:
        """Return test batches."""
        return self._loader("test")

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Augment the pictures of a training batch, once they are on the device."""
        if not self.augment or not self.trainer.training or self._overfitting():
            return batch
        images, labels = batch
        return self._augmented(images), labels

    def _augmented(self, images: Tensor) -> Tensor:
        return random_affine(images)

    def _overfitting(self) -> bool:
        return self.trainer is not None and self.trainer.overfit_batches > 0

    def _loader(self, split: str, shuffle: bool = False) -> DataLoader:
        """Return a loader like `DataLoader(data, batch_size, shuffle)`; the dataset makes a whole batch at once."""
        data = self.splits[split]
        rank, processes = (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
        order = {"shuffle": shuffle, "seed": self.seed, "endless": getattr(data, "endless", False)}
        share = {"drop_last": self.drop_last and shuffle, "rank": rank, "processes": processes}
        return BatchLoader(
            data,
            batch_sampler=BatchIndexSampler(len(data), self.batch_size, **order, **share),
            collate_fn=identity_collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # of its own, so that results do not depend on num_workers
        )

    def describe(self) -> str:
        """Return what `print(data)` shows: classes and shapes and, after `setup()`, sizes and a batch's statistics."""
        return describe_data(type(self).__name__, self.config(), self.splits, self.source_used, self.batch_size)

    __repr__ = __str__ = describe
