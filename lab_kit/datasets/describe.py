"""Describe a dataset for `print(data)`: classes, shapes, sizes, and the statistics of one batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def describe_classes(mapping: Sequence[str]) -> str:
    """Return the number of classes and their names."""
    return f"{len(mapping)}: {' '.join(repr(name) if name == ' ' else name for name in mapping)}"


def describe_batch(batch: Tensor) -> str:
    """Return shape, type and statistics of a batch, such as `(128,) int64, min 0.00, mean 4.40, std 2.90, max 9.00`."""
    values = batch.double()
    figures = {"min": values.min(), "mean": values.mean(), "std": values.std(unbiased=False), "max": values.max()}
    dtype = str(batch.dtype).removeprefix("torch.")
    return f"{tuple(batch.shape)} {dtype}, " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items())


def describe_data(
    name: str,
    config: Any,
    splits: dict[str, torch.utils.data.Dataset],
    source: str | None,
    batch_size: int,
) -> str:
    """Return a description of a data module in a few lines.

    Args:
        name: the name of its class.
        config: has `mapping`, `input_dims` and `output_dims`.
        splits: the datasets by split; empty before the data is loaded.
        source: where the data comes from.
        batch_size: the number of samples whose statistics are shown.
    """
    rows = {"Classes": describe_classes(config.mapping)}
    rows["Dims"] = f"input {config.input_dims}, output {config.output_dims}"
    if splits:
        # The first samples by index, because printing must not change any random state.
        images, labels = splits["train"].__getitems__(list(range(min(batch_size, len(splits["train"])))))
        rows["Source"] = source
        rows["Sizes"] = ", ".join(f"{split} {len(data):,}" for split, data in splits.items())
        rows |= {"Batch x": describe_batch(images), "Batch y": describe_batch(labels)}
    else:
        rows["Sizes"] = "not known yet: call prepare_data() and setup()"
    return "\n".join([name, *(f"  {key:<8} {text}" for key, text in rows.items())])
