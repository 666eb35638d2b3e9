"""Pen-stroke handwriting as a dataset: train, val and test sets by writers who share nothing, drawn once and kept."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from text_recognizer.data import cache
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data.pen_strokes import write_set

# Characters in each split, and who writes them. Disjoint writers, as in real test sets: a reader must cope with a
# hand that it has not seen.
SIZES = {"train": 50_000, "val": 5_000, "test": 10_000}
WRITERS = {"train": range(20_000), "val": range(20_000, 21_000), "test": range(21_000, 22_000)}
SEED = 1998  # of the drawing: like a download, the set is the same in every run
# What decides how letters look.
CODE = (
    *("pen_set.py", "pen_strokes.py", "pen_glyphs.py", "pen_writers.py", "pen_layout.py", "pen_ink.py"),
    "pen_paths.toml",
)


def prepare(classes: Sequence[str], layout: str) -> None:
    """Draw the set unless it is on disk."""
    cache.ensure(set_file(classes, layout), lambda: _draw(classes, layout))


def load(
    classes: Sequence[str], layout: str, first_class: int = 0, mean: float = 0.0, std: float = 1.0
) -> dict[str, ImageDataset]:
    """Return the splits; the label of `classes[k]` is `first_class + k`."""
    arrays = cache.load(set_file(classes, layout), lambda: _draw(classes, layout))
    return {
        split: ImageDataset(
            torch.from_numpy(arrays[f"{split}_images"]),
            torch.from_numpy(arrays[f"{split}_labels"]) + first_class,
            mean=mean,
            std=std,
        )
        for split in SIZES
    }


def set_file(classes: Sequence[str], layout: str) -> Path:
    """Return where the set is kept; its name changes with its content."""
    writers = {split: [people.start, people.stop] for split, people in WRITERS.items()}
    key = cache.content_key(
        classes="".join(classes), layout=layout, sizes=SIZES, writers=writers, seed=SEED, code=cache.code_key(*CODE)
    )
    return cache.cache_file("pen_strokes", f"{len(classes)}-characters", key)


def _draw(classes: Sequence[str], layout: str) -> dict[str, np.ndarray]:
    arrays = {}
    for number, (split, size) in enumerate(SIZES.items()):
        images, labels = write_set(classes, size, WRITERS[split], seed=SEED + number, layout=layout)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images.numpy(), labels.to(torch.uint8).numpy()
    return arrays
