"""The folder that a run leaves: `<log_dir>/<data>-<model>/version_N/`."""

import itertools
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from rich.console import Console

from text_recognizer.data import BaseDataModule
from text_recognizer.errors import UserError
from text_recognizer.paths import readable
from training import report
from training.callbacks import TestPredictions

# The final table, in this order.
ROWS = (
    *(f"{split}_{figure}" for split in ("train", "val", "test") for figure in report.QUANTITIES),
    *("source", "seconds", "samples_per_second", "parameters", "hardware"),
)


@dataclass(frozen=True)
class RunFolder:
    """One run's folder.

    Args:
        log_dir: where all runs go.
        name: `<data>-<model>`.
        version: the run's number.
    """

    log_dir: Path
    name: str
    version: int

    @property
    def path(self) -> Path:
        return self.log_dir / self.name / f"version_{self.version}"

    def loggers(self) -> list[Logger]:
        """Return what writes TensorBoard events and `metrics.csv` into the folder."""
        place = {"save_dir": self.log_dir, "name": self.name, "version": self.version}
        return [TensorBoardLogger(**place, default_hp_metric=False), CSVLogger(**place)]

    def checkpoints(self, monitor: str) -> ModelCheckpoint:
        """Return the callback that keeps `best.ckpt` (lowest `monitor`) and `last.ckpt`."""
        return ModelCheckpoint(
            self.path / "checkpoints",
            filename="best",
            monitor=monitor,
            save_last=True,
            save_on_train_epoch_end=True,  # after validation alone, it would miss what others note of the epoch
            enable_version_counter=False,
        )

    def write_config(self, text: str) -> None:
        """Write `config.yaml`, which `--config` reads."""
        (self.path / "config.yaml").write_text(text, encoding="utf-8")

    def report(self, metrics: dict[str, Any], predictions: TestPredictions, data: BaseDataModule, title: str) -> None:
        """Write `metrics.json` and the pictures, and print the final table."""
        report.write_json(metrics | {"versions": _versions(), "commit": _commit()}, self.path / "metrics.json")
        pictures = import_module(f"training.report_{data.task}")
        read = (predictions.labels, predictions.predicted, predictions.confidence)
        pictures.draw(*read, data.splits["test"], data.config().mapping, self.path)
        if (self.path / "metrics.csv").is_file():
            report.plot_curves(self.path / "metrics.csv", self.path / "curves.png")
        rows = {name.replace("_", " "): _in_words(name, metrics[name]) for name in ROWS if name in metrics}
        pictures = sorted(path.name for path in self.path.glob("*.png"))
        rows |= {"run folder": readable(self.path), "pictures": ", ".join(pictures)}
        best = self.path / "checkpoints" / "best.ckpt"
        if best.is_file():
            rows["best checkpoint"] = best.relative_to(self.path)
        report.print_table(title, rows, Console())


@contextmanager
def opened(run: Any, default_log_dir: Path) -> Iterator[RunFolder]:
    """Give the folder of a resumed run, or a new one, which goes away if the run ends before leaving anything in it.

    Args:
        run: has `data_class`, `model_class`, `resume` and `log_dir`.
        default_log_dir: where runs go when `run.log_dir` is None.

    Raises:
        UserError: the folder cannot be made.
    """
    if run.resume:
        path = last_checkpoint(run.resume).parent.parent
        yield RunFolder(path.parent.parent, path.parent.name, int(path.name.removeprefix("version_")))
        return
    log_dir = Path(run.log_dir) if run.log_dir else default_log_dir
    folder = _new_folder(log_dir, f"{run.data_class}-{run.model_class}")
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.path.rmdir()  # which succeeds only if it is empty


def _new_folder(log_dir: Path, name: str) -> RunFolder:
    try:
        (log_dir / name).mkdir(parents=True, exist_ok=True)
        for version in itertools.count():  # mkdir is atomic: of two runs that start together, one takes the next number
            with suppress(FileExistsError):
                (log_dir / name / f"version_{version}").mkdir()
                return RunFolder(log_dir, name, version)
    except OSError as error:
        raise UserError(f"Cannot write to {log_dir}: {error.strerror}. Choose another --log_dir.") from error


def last_checkpoint(resume: str) -> Path:
    """Return the checkpoint to go on from, given a run's folder or the file itself.

    Raises:
        UserError: there is none.
    """
    path = Path(resume)
    if path.is_dir():
        path = path / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise UserError(f"There is nothing to resume: {readable(path)} does not exist.")
    return path.resolve()


def with_config_of_resumed_run(arguments: Sequence[str]) -> list[str]:
    """Put `--config` of the interrupted run before the other flags, so that `--resume FOLDER` is all one types."""
    arguments = list(arguments)
    for index, argument in enumerate(arguments):
        flag, _, value = argument.partition("=")
        if flag == "--resume" and (value or index + 1 < len(arguments)):
            checkpoint = last_checkpoint(value or arguments[index + 1])
            return ["--config", str(checkpoint.parent.parent / "config.yaml"), *arguments]
    return arguments


def _in_words(name: str, value: Any) -> str:
    if name.endswith(("_acc", "_cer")):
        return f"{value:.2%}"
    if name.endswith("_loss"):
        return f"{value:.4f}"
    if name == "seconds":
        return f"{value:,.1f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def _versions() -> str:
    packages = ("torch", "torchvision", "pytorch-lightning", "numpy")
    return ", ".join(
        [f"python {platform.python_version()}", *(f"{name} {installed_version(name)}" for name in packages)]
    )


def _commit() -> str | None:
    here = Path(__file__).resolve().parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
