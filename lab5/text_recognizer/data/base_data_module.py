"""What all datasets of the course have in common."""

from typing import ClassVar, get_args

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from text_recognizer.data.augmentation import random_affine
from text_recognizer.data.dataset import Batches, as_it_is
from text_recognizer.data.download import RawData, Source, find_or_download
from text_recognizer.data_config import DataConfig as DataConfig
from text_recognizer.errors import UserError, nearest


class BaseDataModule(pl.LightningDataModule):
    """A dataset that Lightning can train on: `prepare_data` once per machine, `setup` once per process.

    A subclass names its dataset, returns its `config()`, and says how to `_prepare` and `_load` it.

    Args:
        batch_size: pictures in a batch; with several processes, in a batch of each.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the data comes from. `auto` takes files on disk, else downloads them, else draws embedded
            pen-stroke handwriting; `download` and `pen` insist on one.
        seed: of splitting, balancing and shuffling.
        augment: turn, scale, shear and shift training pictures a little, differently in every epoch.
    """

    dataset: ClassVar[str]  # its folder in the data root
    task: ClassVar[str] = "character"  # what a picture shows
    has_stand_in: ClassVar[bool] = False  # whether pen strokes can take its place
    mean: ClassVar[float] = 0.0
    std: ClassVar[float] = 1.0

    def __init__(
        self,
        batch_size: int = 128,
        num_workers: int = 0,
        source: Source = "auto",
        seed: int = 42,
        augment: bool = False,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, not {batch_size}.")
        if num_workers < 0:
            raise UserError(f"num_workers must be at least 0, not {num_workers}.")
        if seed < 0:
            raise UserError(f"seed must be at least 0, not {seed}.")
        if source not in get_args(Source):
            raise UserError(
                f"source must be one of {', '.join(get_args(Source))}, not '{source}'."
                + nearest(source, get_args(Source))
            )
        if source == "pen" and not self.has_stand_in:
            raise UserError(f"{type(self).__name__} has no pen-stroke stand-in: leave out source 'pen'.")
        self.batch_size, self.num_workers, self.source, self.seed = batch_size, num_workers, source, seed
        self.augment = augment
        self.splits: dict[str, Dataset] = {}  # train, val, test: filled by setup()
        self.source_used: str | None = None  # filled by setup(): what the data really is
        self._next_epoch = 0  # where a resumed run goes on

    # What a dataset must say of itself

    def config(self) -> DataConfig:
        """Return the shapes and the mapping; needs no data."""
        raise NotImplementedError

    def _ready(self) -> bool:
        """Return whether the real data is on disk, processed or as downloaded."""
        return RawData.load(self.dataset).present()

    def _prepare(self, real: bool) -> None:
        """Verify and process the downloaded files (`real`), or draw the stand-in, and keep the result on disk."""

    def _load(self, real: bool) -> dict[str, Dataset]:
        """Return the splits train, val and test."""
        raise NotImplementedError

    # The life of a LightningDataModule

    def prepare_data(self) -> None:
        """Bring the data to this machine's disk.

        Raises:
            UserError: the data cannot be had, or the files on disk are not what was published.
        """
        if self.splits:
            return
        try:
            stand_in = "Embedded pen-stroke handwriting stands" if self.has_stand_in else None
            self._prepare(find_or_download(RawData.load(self.dataset), self.source, self._ready(), stand_in))
        except OSError as error:
            place = error.filename or "the data folder"
            raise UserError(
                f"Cannot use {place}: {error.strerror or error}. "
                "Set TEXT_RECOGNIZER_DATA to a folder that you can write to."
            ) from error

    def setup(self, stage: str | None = None) -> None:
        """Load the splits into memory; `prepare_data` must have run on this machine."""
        if self.splits:
            return
        real = self.source != "pen" and (self._ready() or not self.has_stand_in)
        self.splits = self._load(real)
        self.source_used = self._source_in_words(real)

    def _source_in_words(self, real: bool) -> str:
        raw = RawData.load(self.dataset)
        return f"{raw.title} ({raw.source})" if real else "pen strokes (embedded handwriting, not real)"

    # What a checkpoint keeps: workers ask for batches before Lightning tells a resumed run's sampler the epoch

    def state_dict(self) -> dict[str, int]:
        """Return the epoch (from 0) that comes next."""
        return {"next_epoch": self.trainer.fit_loop.epoch_progress.current.processed}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on as `state_dict` says."""
        self._next_epoch = state_dict["next_epoch"]

    # Loaders

    def train_dataloader(self) -> DataLoader:
        """Return shuffled batches; when overfitting a few batches, those in order, the same ones every epoch."""
        loader = self._loader("train", shuffle=not self._overfitting())
        loader.batch_sampler.set_epoch(self._next_epoch)
        return loader

    def val_dataloader(self) -> DataLoader:
        """Return validation batches; when overfitting a few batches, the very ones that are trained on."""
        return self._loader("train" if self._overfitting() else "val")

    def test_dataloader(self) -> DataLoader:
        """Return test batches."""
        return self._loader("test")

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Augment the pictures of a training batch, once they are on the device."""
        if not self.augment or not self.trainer.training or self._overfitting():
            return batch
        images, labels = batch
        return random_affine(images), labels

    def _overfitting(self) -> bool:
        return self.trainer is not None and self.trainer.overfit_batches > 0

    def _loader(self, split: str, shuffle: bool = False) -> DataLoader:
        data = self.splits[split]
        rank, processes = (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
        endless = getattr(data, "endless", False)
        return DataLoader(
            data,
            batch_sampler=Batches(len(data), self.batch_size, shuffle, self.seed, endless, rank, processes),
            collate_fn=as_it_is,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # or it would draw from the global one, more often with workers than without
        )

    # Description

    def describe(self) -> str:
        """Return what `print(data)` shows: classes and shapes and, after `setup()`, sizes and a batch's statistics."""
        config = self.config()
        rows = [
            ("Classes", f"{len(config.mapping)}: {' '.join(map(_visible, config.mapping))}"),
            ("Dims", f"input {config.input_dims}, output {config.output_dims}"),
        ]
        if self.splits:
            sizes = ", ".join(f"{name} {len(data):,}" for name, data in self.splits.items())
            # The first samples by index: printing must not move any random state.
            first = range(min(self.batch_size, len(self.splits["train"])))
            images, labels = self.splits["train"].__getitems__(list(first))
            rows += [
                ("Source", self.source_used),
                ("Sizes", sizes),
                ("Batch x", _statistics(images)),
                ("Batch y", _statistics(labels)),
            ]
        else:
            rows.append(("Sizes", "not known yet: call prepare_data() and setup()"))
        return "\n".join([type(self).__name__, *(f"  {name:<8} {text}" for name, text in rows)])

    __repr__ = __str__ = describe


def _visible(name: str) -> str:
    return "' '" if name == " " else name


def _statistics(batch: Tensor) -> str:
    values = batch.double()
    figures = {"min": values.min(), "mean": values.mean(), "std": values.std(unbiased=False), "max": values.max()}
    dtype = str(batch.dtype).removeprefix("torch.")
    return f"{tuple(batch.shape)} {dtype}, " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
