"""Preprocessing: from a picture file to the pixels that a network was trained on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.photo.open_picture import OWN_PICTURE, Picture, open_picture
from lab_kit.photo.picture_arrays import read_array

Fit = Literal["pad", "crop", "squash"]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's names, by the number of channels
DETAIL = 512  # pixels: pictures with a longer side are reduced to this first, which is faster
FAINT = 64  # grey levels: a picture with less contrast than this is not stretched to full contrast
THICK = 8  # strokes are thinner than two eighths of a picture's side
BORDER = 16  # a picture's border is a sixteenth of its side


@dataclass(frozen=True)
class Preprocessing:
    """What happens to each picture before a network sees it.

    Args:
        image_size: height and width in pixels.
        channels: 1 grey, 3 colour; any other number needs `.npy` files.
        fit: how a picture becomes a square: `pad` adds a border, `crop` cuts off its ends, `squash` changes its shape.
        ink_on_black: make paper black and ink white, whatever they were, as in this course's characters.
        mean, std: of each channel, on the scale 0 to 1.
    """

    image_size: int
    channels: int
    fit: Fit
    ink_on_black: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def read(self, source: Picture) -> Tensor:
        """Return a picture, (C, image_size, image_size) uint8, upright; an array of so many channels as it is.

        Raises:
            UserError: it cannot be read.
        """
        if isinstance(source, Path | np.ndarray):
            array = read_array(source)
            if array is not None and array.shape[2] == self.channels:
                return self._square(torch.from_numpy(array.copy()).permute(2, 0, 1))
        if self.channels not in MODES:
            name = readable(source) if isinstance(source, Path) else "The picture"
            raise UserError(f"{name} has not {self.channels} channels, as the others have.")
        opened = open_picture(source, OWN_PICTURE, longest=max(DETAIL, 4 * self.image_size))
        values = torch.from_numpy(np.array(opened.convert(MODES[self.channels])))
        return self._square(values.permute(2, 0, 1) if values.ndim == 3 else values[None])

    def normalize(self, images: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> float32, as the network expects it."""
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, as checkpoints keep it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """Return what `as_dict` described."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    def _square(self, picture: Tensor) -> Tensor:
        """(C, H, W) uint8 -> (C, image_size, image_size)."""
        _, height, width = picture.shape
        if self.fit == "crop":
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            picture = picture[:, top : top + side, left : left + side]
        scale = self.image_size / max(height, width)
        sides = (
            [max(1, round(scale * side)) for side in (height, width)] if self.fit == "pad" else [self.image_size] * 2
        )
        if picture.shape[1:] != torch.Size(sides):
            picture = functional.interpolate(picture[None], sides, mode="bilinear", antialias=True)[0]
        if self.ink_on_black:
            picture = ink_on_black(picture)
        return picture if self.fit != "pad" else _padded(picture, self.image_size)


def _padded(picture: Tensor, side: int) -> Tensor:
    """(C, H, W) -> (C, side, side): add a border of the colour that the picture's own border mostly has."""
    shade = _border(picture).median(dim=1).values
    square = shade.view(-1, 1, 1).expand(-1, side, side).clone()
    height, width = picture.shape[1:]
    top, left = (side - height) // 2, (side - width) // 2
    square[:, top : top + height, left : left + width] = picture
    return square


def ink_on_black(picture: Tensor) -> Tensor:
    """Return a picture (C, H, W) uint8 with paper as 0 and ink as 255; one with almost no contrast stays faint.

    Light paper with dark ink becomes dark paper with light ink. Parts that are wider than strokes, such as shadows, are
    removed by a top-hat transform: the opening of the picture, the maximum of the minima of each neighbourhood, is
    subtracted.
    """
    values = picture.float()
    if _border(picture).float().median() > 127:
        values = 255 - values
    width = min(picture.shape[1:]) // THICK * 2 + 1
    values = values - _lightest(-_lightest(-values, width), width)
    contrast = values.flatten().kthvalue(max(1, round(0.995 * values.numel()))).values.clamp(min=FAINT)
    return (values * (255 / contrast)).clamp(0, 255).round().to(torch.uint8)


def _lightest(values: Tensor, width: int) -> Tensor:
    """Return the maximum over the square of `width` pixels around each pixel."""
    return functional.max_pool2d(values[None], width, stride=1, padding=width // 2)[0]


def _border(picture: Tensor) -> Tensor:
    """Return the pixels of the border: (C, n)."""
    thick = max(1, min(picture.shape[1:]) // BORDER)
    edges = (picture[:, :thick], picture[:, -thick:], picture[:, :, :thick], picture[:, :, -thick:])
    return torch.cat([edge.flatten(1) for edge in edges], dim=1)
