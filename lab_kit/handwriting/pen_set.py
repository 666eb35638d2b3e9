"""The dataset of pen-stroke handwriting: train, val and test sets by different writers, drawn once and cached."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab_kit.datasets import cache
from lab_kit.handwriting.pen_strokes import draw_set

# The number of characters in each split, and their writers. The splits have different writers, as in real test sets: a
# model must read handwriting of people whom it has not seen.
SIZES = {"train": 50_000, "val": 5_000, "test": 10_000}
WRITERS = {"train": range(20_000), "val": range(20_000, 21_000), "test": range(21_000, 22_000)}
SEED = 1998  # like downloaded data, the set is the same in every run
# The files that decide how letters look.
CODE_FILES = tuple(
    Path(__file__).with_name(name)
    for name in (
        *("pen_set.py", "pen_strokes.py", "pen_glyphs.py", "pen_writers.py", "pen_layout.py", "pen_ink.py"),
        "pen_paths.toml",
    )
)


def prepare(classes: Sequence[str], layout: str) -> None:
    """Draw the set and write it to disk, unless it is there."""
    cache.ensure(set_file(classes, layout), lambda: _draw(classes, layout))


def load(classes: Sequence[str], layout: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Return for each split its images (N, 28, 28) and labels (N,), uint8; the label of `classes[k]` is k."""
    arrays = cache.load(set_file(classes, layout), lambda: _draw(classes, layout))
    return {
        split: (torch.from_numpy(arrays[f"{split}_images"]), torch.from_numpy(arrays[f"{split}_labels"]))
        for split in SIZES
    }


def set_file(classes: Sequence[str], layout: str) -> Path:
    """Return the path of the cached set; the name changes with the content."""
    writers = {split: [people.start, people.stop] for split, people in WRITERS.items()}
    key = cache.content_key(
        classes="".join(classes),
        layout=layout,
        sizes=SIZES,
        writers=writers,
        seed=SEED,
        code=cache.code_key(*CODE_FILES),
    )
    return cache.cache_file("pen_strokes", f"{len(classes)}-characters", key)


def _draw(classes: Sequence[str], layout: str) -> dict[str, np.ndarray]:
    arrays = {}
    for number, (split, size) in enumerate(SIZES.items()):
        images, labels = draw_set(classes, size, WRITERS[split], seed=SEED + number, layout=layout)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images.numpy(), labels.to(torch.uint8).numpy()
    return arrays
