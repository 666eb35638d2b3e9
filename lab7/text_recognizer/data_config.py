"""Shapes and class names that a model needs from its dataset."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataConfig:
    """What a model needs to know of the data.

    Args:
        input_dims: (channels, height, width) of one picture.
        output_dims: (1,) for one character, (max_length, 1) for a line.
        mapping: class index -> character or name.
    """

    input_dims: tuple[int, int, int]
    output_dims: tuple[int, ...]
    mapping: tuple[str, ...]
