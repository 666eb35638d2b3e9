"""Pictures of lines of any width: stored one after the other, and returned as batches."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from text_recognizer.data.character_mapping import encode

WIDTH_STEP = 16  # pixels: a batch is as wide as a multiple of it, so that there are fewer sizes


class LinePictures(Dataset):
    """Lines in memory. They are sorted by width, so that in a batch of neighbours there is little empty paper.

    Args:
        pixels: (all columns, H) uint8: the columns of all lines, one line after the other.
        widths: (N,) the number of columns of each line.
        labels: (N, L) class indices, padded.
    """

    def __init__(self, pixels: np.ndarray, widths: np.ndarray, labels: np.ndarray) -> None:
        self.pixels, self.labels = pixels, labels
        stops = np.cumsum(widths)
        self.spans = list(zip((stops - widths).tolist(), stops.tolist(), strict=True))
        self.order = np.argsort(widths, kind="stable")

    def __len__(self) -> int:
        return len(self.order)

    def picture(self, index: int) -> Tensor:
        """Return one picture, (H, any width) uint8."""
        return torch.from_numpy(self.pixels[slice(*self.spans[self.order[index]])].T)

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, 1, H, W) float32, W that of the widest, and labels (B, L) int64."""
        rows = self.order[np.asarray(indices)]
        pictures = [self.pixels[slice(*self.spans[row])].T for row in rows]
        return side_by_side(pictures), torch.from_numpy(self.labels[rows].astype(np.int64))


def to_arrays(pictures: Sequence[np.ndarray], texts: Sequence[str], length: int) -> dict[str, np.ndarray]:
    """Return what `LinePictures` is made from, by name; labels are padded to `length`."""
    return {
        "pixels": np.concatenate([picture.T for picture in pictures]),
        "widths": np.array([picture.shape[1] for picture in pictures]),
        "labels": np.stack([encode(text, length) for text in texts]).astype(np.uint8),
    }


def squeeze_widest(pictures: Sequence[np.ndarray], most: float) -> list[np.ndarray]:
    """Return pictures (H, any width) uint8, none of them wider than `most` times the median width."""
    widest = max(1, round(most * float(np.median([picture.shape[1] for picture in pictures]))))
    return [
        picture
        if picture.shape[1] <= widest
        else cv2.resize(picture, (widest, len(picture)), interpolation=cv2.INTER_AREA)
        for picture in pictures
    ]


def side_by_side(pictures: Sequence[np.ndarray]) -> Tensor:
    """Return pictures (H, any width) uint8 as a batch (B, 1, H, W) float32 in [0, 1], with paper at their right."""
    width = -(-max(picture.shape[1] for picture in pictures) // WIDTH_STEP) * WIDTH_STEP
    batch = np.zeros((len(pictures), 1, pictures[0].shape[0], width), np.uint8)
    for row, picture in zip(batch, pictures, strict=True):
        row[0, :, : picture.shape[1]] = picture
    return torch.from_numpy(batch).float().div_(255)
