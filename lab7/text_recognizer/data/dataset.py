"""A dataset of pictures in memory that returns a whole batch at once."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


class ImageDataset(Dataset):
    """Grey pictures with labels; `indices` says which of the pictures belong to this split.

    A batch is one indexing operation: the DataLoader asks for all its indices at once (`__getitems__`), and the
    pictures become floats a batch at a time. Splits share one copy of the pictures and differ in `indices`.

    Args:
        images: (M, H, W) uint8, ink 255 on paper 0.
        labels: (M,) class indices, any integer type.
        indices: (N,) int64, the pictures of this split; None means all of them.
        mean, std: of the pixels once they are divided by 255. A byte x becomes `(x / 255 - mean) / std`; with a mean of
            0 and a std of 1, a number from 0 to 1.
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

    def picture(self, index: int) -> Tensor:
        """Return one picture as it is stored, (H, W) uint8."""
        return self.images[self.indices[index]]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one picture, (1, H, W) float32, and its label, () int64."""
        images, labels = self.__getitems__([index])
        return images[0], labels[0]

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, 1, H, W) float32 and labels (B,) int64."""
        # index_select copies whole pictures; indexing with [] goes pixel by pixel, and takes twice as long.
        chosen = self.indices.index_select(0, torch.as_tensor(indices))
        images = self.images.index_select(0, chosen).unsqueeze(1)
        # Two steps: x / 255 brings bytes from 0...255 to 0...1, and (x / 255 - mean) / std brings these to a mean near
        # 0 and a spread near 1. The next line does both at once, with 255 in both parts of the fraction: it is the same
        # formula, and faster. With MNIST's mean and std, paper (0) becomes -0.42, and ink (255) becomes 2.82.
        images = torch.sub(images, 255 * self.mean).div_(255 * self.std)
        return images, self.labels.index_select(0, chosen).long()
