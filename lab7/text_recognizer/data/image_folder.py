"""A dataset of your own pictures: one folder for each class."""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lab_kit.absolute_path import AbsolutePath
from lab_kit.checks import check_at_least
from lab_kit.datasets.picture_files import (
    PictureFile,
    check_classes,
    describe,
    find_pictures,
    read_all,
    with_validation,
)
from lab_kit.errors import UserError
from lab_kit.experiment.distributed import rank
from lab_kit.paths import readable
from text_recognizer.data.base_data_module import BaseDataModule
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data_config import DataConfig
from text_recognizer.preprocessing import Fit, Preprocessing

log = logging.getLogger(__name__)

Statistics = Literal["data", "characters", "imagenet"]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green and blue
MOST_BYTES = 8 << 30  # of decoded pictures: more would not fit most computers' memory
FEWEST_LEVELS = 1 / 255  # a channel that is the same everywhere has no spread to divide by


class PictureDataset(ImageDataset):
    """Pictures of any number of channels in memory, with labels, of which `indices` belong to this dataset.

    Args:
        images: (M, C, H, W) uint8.
        labels: (M,) int64 class indices.
        indices: (N,) int64, the pictures of this split.
        preprocessing: how they become what the network sees.
    """

    def __init__(self, images: Tensor, labels: Tensor, indices: Tensor, preprocessing: Preprocessing) -> None:
        super().__init__(images, labels, indices)
        self.preprocessing = preprocessing

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, C, H, W) float32 and labels (B,) int64."""
        chosen = self.indices.index_select(0, torch.as_tensor(indices))
        return self.preprocessing.normalize(self.images.index_select(0, chosen)), self.labels.index_select(0, chosen)


class ImageFolder(BaseDataModule):
    """Your own pictures: a folder with one sub-folder per class, or with such sub-folders in train, valid and test.

    Without a valid folder, a fifth of each class is for validation: always the same pictures, so that two runs can be
    compared. Without test pictures, the validation pictures are the test pictures as well.

    Args:
        folder: where the pictures are.
        test_folder: where pictures to test with are, one sub-folder per class, if they are not in `folder`.
        image_size: height and width in pixels that pictures are brought to.
        channels: 1 makes all pictures grey, 3 makes them coloured; as the files are, if not given.
        fit: how a picture becomes a square: `pad` adds a border, `crop` cuts off its ends, `squash` changes its shape.
        statistics: what pictures are normalised with: mean and spread of the `data`; or those of the pictures that a
            pretrained body knows. `characters` are light ink on black, `imagenet` is photos. A body that was trained on
            numbers around 0 reads numbers around 3 badly.
        batch_size: pictures in a batch; with several processes, in a batch of each.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        seed: the seed for shuffling.
        split_seed: the seed that chooses the validation pictures, if there is no folder for them. It is not `seed`: a
            run with another seed should have other weights, and the same validation pictures.
        val_fraction: the share of each class that is for validation, if there is no folder for it.
        augment: turn, scale, shear and shift training pictures a little, differently in every epoch.
        flip: with augment, mirror half of the pictures too; not for writing or arrows, which mean something else then.
    """

    task = "picture"
    drop_last = True  # batch norm would learn the statistics of a few pictures at the end of every epoch

    def __init__(
        self,
        folder: AbsolutePath | None = None,
        test_folder: AbsolutePath | None = None,
        image_size: int = 64,
        channels: int | None = None,
        fit: Fit = "pad",
        statistics: Statistics = "data",
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 42,
        split_seed: int = 0,
        val_fraction: float = 0.2,
        augment: bool = False,
        flip: bool = False,
    ) -> None:
        super().__init__(batch_size, num_workers, "auto", seed, augment)
        if not 8 <= image_size <= 1024:
            raise UserError(f"image_size must be from 8 to 1024 pixels, not {image_size}.")
        check_at_least(1, channels=channels)
        if not 0 < val_fraction < 1:
            raise UserError(f"val_fraction must be between 0 and 1, not {val_fraction}.")
        if flip and not augment:
            raise UserError("flip is a part of augmentation: add --augment.")
        self.folder = None if folder is None else Path(folder)
        self.test_folder = None if test_folder is None else Path(test_folder)
        self.image_size, self.channels, self.fit, self.statistics = image_size, channels, fit, statistics
        self.split_seed, self.val_fraction, self.flip = split_seed, val_fraction, flip
        self.preprocessing: Preprocessing | None = None  # filled by setup()
        self._found: list[tuple[Path, PictureFile]] | None = None  # which folder, and which picture in it
        self._left_out: dict[Path, str] = {}  # files that are no pictures, or broken, each with the reason

    def config(self) -> DataConfig:
        """Return the shapes and the classes, which are the names of the folders.

        Raises:
            UserError: the folders are not laid out as a data set.
        """
        mapping = tuple(sorted({picture.label for _, picture in self.pictures() if picture.split == "train"}))
        size = (self._channels(), self.image_size, self.image_size)
        return DataConfig(input_dims=size, output_dims=(1,), mapping=mapping)

    def prepare_data(self) -> None:
        """There is nothing to download."""

    def setup(self, stage: str | None = None) -> None:
        """Decode all pictures into memory.

        Raises:
            UserError: none of a class can be read, or they do not fit into memory.
        """
        if self.splits:
            return
        pictures, mapping = self.pictures(), self.config().mapping
        rough = Preprocessing(self.image_size, self._channels(), self.fit, self.statistics == "characters", (0,), (1,))
        if (needed := len(pictures) * self._channels() * self.image_size**2) > MOST_BYTES:
            raise UserError(
                f"{len(pictures):,} pictures of {self.image_size} x {self.image_size} take {needed / 2**30:.0f} GiB of "
                "memory: choose a smaller --image_size."
            )
        read = read_all(rough.read, [folder / picture.file for folder, picture in pictures], self._left_out)
        if len(read) < len(pictures):  # some are broken: as if they were not there
            self._found = None
            pictures = self.pictures()
            if self.config().mapping != mapping:
                raise UserError(f"All training pictures of a class are broken. {describe(self._left_out)}")
        images = torch.stack([read[folder / picture.file] for folder, picture in pictures])
        if self._left_out and rank() == 0:
            log.warning("%s To move aside what is broken: lab_kit.curation.verify.", describe(self._left_out))
        labels = torch.tensor([mapping.index(picture.label) for _, picture in pictures])
        of = {
            split: torch.tensor([k for k, (_, picture) in enumerate(pictures) if picture.split == split], dtype=int)
            for split in ("train", "val", "test")
        }
        self.tests_on_validation = len(of["test"]) == 0
        if self.tests_on_validation:
            of["test"] = of["val"]
        self.preprocessing = replace(rough, **self._mean_and_std(images, of["train"]))
        self.splits = {
            split: PictureDataset(images, labels, indices, self.preprocessing) for split, indices in of.items()
        }
        self.source_used = f"{readable(self.folder)}: {len(pictures):,} pictures, digest {self._digest()}"

    def _mean_and_std(self, images: Tensor, train: Tensor) -> dict[str, tuple[float, ...]]:
        channels = self._channels()
        if self.statistics == "characters":
            return {"mean": (0.0,) * channels, "std": (1.0,) * channels}
        if self.statistics == "imagenet":
            mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.449,) * channels, (0.226,) * channels)
            return {"mean": mean, "std": std}
        counts = torch.zeros(channels, 256, dtype=torch.int64)  # exact, and no copy of all pictures as floats
        for channel in range(channels):
            for chunk in images[train, channel].split(256):
                counts[channel] += torch.bincount(chunk.flatten(), minlength=256)
        share = counts.double() / counts.sum(dim=1, keepdim=True)
        levels = torch.arange(256, dtype=torch.float64) / 255
        mean = share @ levels
        std = (share @ levels**2 - mean**2).clamp(min=0).sqrt().clamp(min=FEWEST_LEVELS)
        return {"mean": tuple(mean.tolist()), "std": tuple(std.tolist())}

    def pictures(self) -> list[tuple[Path, PictureFile]]:
        """Return all pictures with the folder that they are in: looked for once, so that a run sees one set."""
        if self._found is not None:
            return self._found
        if self.folder is None:
            raise UserError("Which pictures? Add --folder FOLDER; it has one sub-folder per class.")
        own = with_validation(find_pictures(self.folder, self._left_out), self.val_fraction, self.split_seed)
        found = [(self.folder, picture) for picture in own]
        if self.test_folder is not None:
            if self.test_folder.resolve() == self.folder.resolve():
                raise UserError("--test_folder is --folder: what was learned by heart cannot be tested. Leave it out.")
            tests = find_pictures(self.test_folder, self._left_out)
            found = [(folder, picture) for folder, picture in found if picture.split != "test"]
            found += [(self.test_folder, replace(picture, split="test")) for picture in tests]
        check_classes(found, self._left_out)
        self._found = found
        return found

    def _channels(self) -> int:
        if self.channels is None:
            fixed = {"characters": 1, "imagenet": 3}.get(self.statistics)
            # Grey and coloured pictures mixed: all of them become coloured ones.
            self.channels = fixed or max(picture.channels for _, picture in self.pictures())
        return self.channels

    def _digest(self) -> str:
        """Return 8 hex digits that change when a picture is added, removed, given to another class or split."""
        names = "\n".join(f"{picture.split} {picture.file}" for _, picture in self.pictures())
        return hashlib.sha256(names.encode()).hexdigest()[:8]

    # Training

    def _augmented(self, images: Tensor) -> Tensor:
        images = super()._augmented(images)
        if self.flip:
            mirrored = torch.rand(len(images), device=images.device) < 0.5
            images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
        return images

    # What a checkpoint keeps: weights alone do not say how pictures were prepared, nor what the outputs mean

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch that comes next, the preprocessing, and which pictures these are."""
        return super().state_dict() | {"preprocessing": self.preprocessing.as_dict(), "digest": self._digest()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on as `state_dict` says.

        Raises:
            UserError: the pictures are not those of the interrupted run.
        """
        super().load_state_dict(state_dict)
        if state_dict["digest"] != self._digest():
            raise UserError(
                f"The pictures in {readable(self.folder)} are not those that the interrupted run saw. "
                "Start a new run; --load_checkpoint begins with the weights of this one."
            )

    # Description

    def describe(self) -> str:
        """Return what `print(data)` shows: also how many of each class, and how they are normalised."""
        if self.folder is None or not self.splits:
            return super().describe() if self.folder is not None else "ImageFolder\n  no folder given"
        counts = Counter((picture.split, picture.label) for _, picture in self.pictures())
        per_class = ", ".join(
            f"{label} {counts['train', label]}+{counts['val', label]}" for label in self.config().mapping
        )
        numbers = " and ".join(
            f"{name} {', '.join(f'{value:.3f}' for value in getattr(self.preprocessing, name))}"
            for name in ("mean", "std")
        )
        rows = [
            ("Each", f"{per_class} (train+val)"),
            ("Normal", f"{numbers}: statistics of {_OF[self.statistics]}"),
        ]
        if self.tests_on_validation:
            rows.append(("Test", "no test pictures: the validation pictures test as well, which flatters"))
        return "\n".join([super().describe(), *(f"  {name:<8} {text}" for name, text in rows)])

    __repr__ = __str__ = describe


_OF = {
    "data": "the training pictures",
    "characters": "this course's characters (ink 1 on paper 0), for a body trained on them",
    "imagenet": "ImageNet, for a body trained on it",
}
