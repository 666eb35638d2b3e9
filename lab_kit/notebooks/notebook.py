"""Helpers for notebooks: a quiet Trainer, a progress bar, a history of metrics, plots.

A notebook shows the Trainer itself: `pl.Trainer(max_epochs=3, callbacks=[notebook.Progress()], **notebook.QUIET)`.
"""

import logging
import sys
from collections import defaultdict
from typing import Any

import matplotlib.pyplot as plt
import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from torch import Tensor
from tqdm import tqdm

from lab_kit.experiment import console
from lab_kit.plots.figures import BLUE, ORANGE, RED

GREEN, GRAY = "#009E73", "#777777"

# No files, no tables: a notebook's results are what it shows.
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,  # Lightning's draws a line for each validation, and needs widgets
}

STYLE = {
    "figure.dpi": 80,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 2,
    "legend.frameon": False,
    "image.cmap": "gray_r",  # ink on paper
    "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, RED]),
}


def set_up() -> None:
    """Make plots readable, keep the libraries' chatter away, and show this project's messages, each of them once."""
    console.set_up()
    logging.getLogger("lab_kit").handlers[0].addFilter(_Once())
    torch.set_flush_denormal(True)  # as in `run_experiment.py`
    plt.rcParams.update(STYLE)


class _Once(logging.Filter):
    """Let each message through once: several datasets of a notebook may have the same thing to say."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        is_new = record.getMessage() not in self._said
        self._said.add(record.getMessage())
        return is_new


class Progress(pl.Callback):
    """One line for a whole run: how far it is, and the metrics after its last epoch.

    Args:
        name: what the line starts with.
    """

    def __init__(self, name: str = "Training") -> None:
        self.name = name

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.bar: tqdm | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.bar is None:
            batches = trainer.max_epochs * int(trainer.num_training_batches)
            shape = "{desc}: {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} batches, {elapsed}{postfix}"
            # To stdout, as text: it needs no widgets, and stderr is for what went wrong.
            self.bar = tqdm(total=batches, desc=self.name, bar_format=shape, file=sys.stdout, mininterval=0.5)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.bar.update()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        shown = {name: f"{value:.3f}" for name, value in sorted(_metrics(trainer).items())}
        self.bar.set_postfix(shown, refresh=False)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if getattr(self, "bar", None) is not None:
            self.bar.close()


class History(pl.Callback):
    """Keep the metrics of each epoch: `history["val_loss"]` is a list, an entry an epoch."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)

    def __getitem__(self, name: str) -> list[float]:
        return self._values[name]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, value in _metrics(trainer).items():
            self._values[name].append(value)


def plot_losses(axes: Axes, history: History, title: str) -> None:
    """Draw the training and validation loss after each epoch."""
    for split, colour, label in (("train", ORANGE, "training"), ("val", BLUE, "validation")):
        values = history[f"{split}_loss"]
        axes.plot(range(1, len(values) + 1), values, "o-" if len(values) < 10 else "-", color=colour, label=label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="epoch", ylabel="loss", title=title, xlim=(0.5, len(values) + 0.5))
    axes.legend()


def show_images(images: Tensor, titles: list[str], columns: int = 8, colours: list[str] | None = None) -> None:
    """Draw a grid of pictures (N, 1, H, W) or (N, H, W), each with its title above it."""
    height, width = images.shape[-2:]
    rows = -(-len(images) // columns)
    side = 10 / columns  # inches that a picture is wide
    _, grid = plt.subplots(rows, columns, figsize=(10, rows * (side * height / width + 0.35)), squeeze=False)
    for place, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if place < len(images):
            axes.imshow(images[place].reshape(height, width))
            axes.set_title(titles[place], color=colours[place] if colours else "black")
    plt.show()


def _metrics(trainer: pl.Trainer) -> dict[str, float]:
    return {name: float(value) for name, value in trainer.callback_metrics.items()}
