"""MNIST: 70,000 handwritten digits (LeCun, Cortes and Burges, 1998)."""

import torch
from torch import Tensor

from lab_kit.datasets.idx import check_labelled_images, read_idx
from lab_kit.datasets.raw_data import RawData
from lab_kit.errors import UserError
from lab_kit.handwriting import pen_set
from text_recognizer.data.base_data_module import BaseDataModule
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data_config import DataConfig


class MNIST(BaseDataModule):
    """Handwritten digits, 28x28: 55,000 to train on, 5,000 to validate, 10,000 to test.

    Without the real files, pen strokes take their place.

    Args:
        batch_size: pictures in a batch.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the data comes from. `auto` takes files on disk; if there are none, it downloads them; if that
            fails, it draws pen-stroke handwriting. `download` takes only the real data, `pen` only the pen strokes.
        seed: the seed for splitting and shuffling.
        augment: turn, scale, shear and shift training pictures a little, differently in every epoch.
    """

    dataset = "mnist"
    has_stand_in = True
    classes: tuple[str, ...] = tuple("0123456789")
    num_val = 5_000
    mean, std = 0.1307, 0.3081  # of the training pixels, divided by 255

    def config(self) -> DataConfig:
        return DataConfig(input_dims=(1, 28, 28), output_dims=(1,), mapping=self.classes)

    def _prepare(self, real: bool) -> None:
        if real:
            RawData.load(self.dataset).ensure()
        else:
            pen_set.prepare(self.classes, layout="mass")

    def _load(self, real: bool) -> dict[str, ImageDataset]:
        if not real:
            drawn = pen_set.load(self.classes, layout="mass")
            return {split: ImageDataset(*pair, mean=self.mean, std=self.std) for split, pair in drawn.items()}
        images, labels = self._read("train")
        if len(images) <= self.num_val:
            raise UserError(f"{self.dataset} has only {len(images):,} pictures: {self.num_val:,} are to validate.")
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))
        parts = {"train": order[self.num_val :].sort().values, "val": order[: self.num_val].sort().values}
        splits = {name: ImageDataset(images, labels, part, self.mean, self.std) for name, part in parts.items()}
        return splits | {"test": ImageDataset(*self._read("t10k"), None, self.mean, self.std)}

    def _read(self, part: str) -> tuple[Tensor, Tensor]:
        """Return the images (N, 28, 28) and labels (N,) of a part, uint8."""
        raw = RawData.load(self.dataset)

        def read(name: str, size: tuple[int, ...]) -> Tensor:
            with raw.path(name).open("rb") as file:
                return read_idx(file, name, size)

        labels = read(f"{part}-labels-idx1-ubyte.gz", ())
        images = read(f"{part}-images-idx3-ubyte.gz", (28, 28))
        check_labelled_images(images, labels, (28, 28), len(self.classes), f"{self.dataset} {part}")
        return images, labels
