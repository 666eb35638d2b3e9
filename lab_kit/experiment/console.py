"""Messages, warnings, the progress bar and the final table of a run."""

import logging
import sys
import warnings
from typing import Any

import pytorch_lightning as pl

from lab_kit.experiment import distributed
from lab_kit.plain_console import PlainConsole

# True, but nothing that a student could or should act on.
NOT_HELPFUL = [
    r".*does not have many workers.*",  # batches come from memory: workers are for augmentation, not a must
    r".*number of training batches .* is smaller than the logging interval.*",
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
    r".*Checkpoint directory .* exists and is not empty.*",
    r".*GPU available but not used.*",
    r".*Detected pickle protocol.*",
    r".*IProgress not found.*",  # bars are plain text here: they need no widgets
    r".*could not find the monitored key in the returned metrics.*",  # the run is shorter than the time to validate
    r".*Experiment logs directory .* exists and is not empty.*",
]


PACKAGES = ("lab_kit", "text_recognizer", "training", "app")  # whose messages are shown
REFRESH = 4  # drawings of the progress bar a second: each takes time from the training
LOSS_EVERY = 10  # batches: to ask a GPU for the loss is to wait for it


class _FramingHandler(logging.Handler):
    """Warnings in a frame that nobody can miss; the rest as plain lines."""

    def __init__(self, console: PlainConsole) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            self.console.print_framed(record.levelname, text, style="bold yellow")
        else:
            self.console.print(text, soft_wrap=True)


def set_up() -> None:
    """Send this project's messages to stderr, and keep the libraries' chatter away."""
    handler = _FramingHandler(PlainConsole(stderr=True))
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if distributed.rank() == 0 else logging.ERROR)  # one process speaks for all
    for name in ("pytorch_lightning", "lightning_fabric", "pooch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NOT_HELPFUL:
        warnings.filterwarnings("ignore", message)


def print_table(title: str, rows: dict[str, object]) -> None:
    """Print the table at the end of a run: names and values."""
    PlainConsole().print_facts(title, rows)


def is_terminal() -> bool:
    """Return whether a person watches, rather than a file or a pipe."""
    return sys.stderr.isatty() and sys.stdout.isatty()


class ProgressBar(pl.callbacks.RichProgressBar):
    """The progress bar for a terminal: one line an epoch, which stays."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=REFRESH, leave=True)
        self._loss: dict[str, float] = {}

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, int | str | float]:
        shown = super().get_metrics(trainer, pl_module)
        shown.pop("v_num", None)  # the run's number: the final table has the whole path
        return shown | self._loss

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx % LOSS_EVERY == 0:
            self._loss = {"loss": float(outputs["loss"])}  # of this batch
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
