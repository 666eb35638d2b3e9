"""The folder that a run writes: `<log_dir>/<data>-<model>/version_N/`; it may be renamed and moved afterwards."""

import itertools
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint

from lab_kit import atomic_write, guess, locks
from lab_kit.command_line import command_line
from lab_kit.datasets.batch_loader import explain_worker_errors
from lab_kit.errors import UserError
from lab_kit.experiment import console, disk_errors, distributed, resume
from lab_kit.experiment.callbacks import TestPredictions
from lab_kit.experiment.interrupts import Interrupted
from lab_kit.paths import code_root, readable
from lab_kit.plots import curves
from lab_kit.version import course_version

LOCK = ".lock"

# The final table, in this order.
ROWS = (
    *(f"{split}_{figure}" for split in ("train", "val", "test") for figure in curves.METRIC_NAMES),
    *("source", "seconds", "samples_per_second", "parameters", "hardware"),
)


@dataclass(frozen=True)
class RunFolder:
    """One run's folder, `path`."""

    path: Path

    def checkpoints(self, monitor: str) -> list[ModelCheckpoint]:
        """Return the callbacks that keep `best.ckpt` (lowest `monitor`) and `last.ckpt`, in this order.

        Two of them: Lightning's `save_last` saves only when the best changes, and a run must go on from its last epoch.
        """
        # After validation alone, a checkpoint would miss what others note of the epoch.
        always = {"save_on_train_epoch_end": True, "enable_version_counter": False}
        folder = self.path / "checkpoints"
        return [
            ModelCheckpoint(folder, filename=Path(resume.BEST).stem, monitor=monitor, **always),
            ModelCheckpoint(folder, filename=Path(resume.LAST).stem, **always),
        ]

    def write_config(self, text: str) -> None:
        """Write `config.yaml`, which `--config` reads."""
        atomic_write.write_text(text, self.path / resume.CONFIG)

    def resume_advice(self) -> str:
        """Return what to do after an interruption, in words."""
        if (self.path / resume.LAST).is_file():
            program = Path(sys.argv[0]).name
            how = command_line("python", sys.argv[0], "--resume", str(self.path)) if program.endswith(".py") else ""
            return f"Go on from the last full epoch with: {how or command_line('--resume', str(self.path))}"
        return "No epoch was finished, so there is nothing to go on from: start again with the same command."

    def write_report(self, metrics: dict[str, Any], predictions: TestPredictions, data: Any, title: str) -> None:
        """Write `metrics.json` and the plots, and print the final table, with guesses beside the figures.

        Args:
            metrics: all figures of the run, and facts about it.
            predictions: what the model said of the test pictures.
            data: the data module, set up.
            title: of the table.
        """
        atomic_write.write_json(metrics | {"versions": _versions(), "commit": _commit()}, self.path / "metrics.json")
        plots = import_module(f"lab_kit.plots.{data.task}_plots")
        read = (predictions.labels, predictions.predicted, predictions.confidence)
        plots.draw(*read, data.splits["test"].picture, data.config().mapping, self.path)
        for name, draw in predictions.plots.items():
            draw(self.path / name)
        if (self.path / "metrics.csv").is_file():
            curves.plot_curves(self.path / "metrics.csv", self.path / "curves.png")
        rows = {"best epoch": _best_epoch(metrics)} if "best_epoch" in metrics else {}
        rows |= {name.replace("_", " "): _formatted(name, metrics[name]) for name in ROWS if name in metrics}
        pictures = sorted(path.name for path in self.path.glob("*.png"))
        rows |= {"run folder": readable(self.path), "pictures": ", ".join(pictures)}
        if (self.path / resume.BEST).is_file():
            rows["best checkpoint"] = resume.BEST
        console.print_table(title, guess.beside(rows, readable(self.path), code_root() / guess.FILE))


@contextmanager
def opened(run: Any, default_log_dir: Path) -> Iterator[RunFolder]:
    """Give the folder of a resumed run, or a new one, which goes away if the run ends before leaving anything in it.

    No other run can open the folder meanwhile.

    Args:
        run: has `data_class`, `model_class`, `resume` and `log_dir`.
        default_log_dir: where runs go when `run.log_dir` is None.

    Raises:
        UserError: the folder cannot be made or written to, or another run is at work in it.
    """
    if distributed.rank() > 0:  # the first process alone writes what stays
        with tempfile.TemporaryDirectory() as elsewhere, _lost_peers_explained("The first one says how to go on."):
            yield RunFolder(Path(elsewhere))
        return
    if run.resume:
        folder = RunFolder(resume.last_checkpoint(run.resume).parent.parent)
    else:
        log_dir = Path(run.log_dir) if run.log_dir else default_log_dir
        folder = _new_folder(log_dir, f"{run.data_class}-{run.model_class}")
    try:
        busy = f"Another run is at work in {readable(folder.path)}: let it end, or stop it first."
        with locks.held(folder.path / LOCK, busy, timeout=0), explain_worker_errors():
            for leftover in folder.path.rglob(f"*{atomic_write.UNFINISHED}"):  # of a process that was killed
                leftover.unlink()
            with _lost_peers_explained(folder.resume_advice):
                yield folder
    except Interrupted as stopped:
        stopped.advice = folder.resume_advice()
        raise
    except OSError as error:
        if error.errno not in disk_errors.NOT_WRITABLE:
            raise
        raise UserError(disk_errors.explained(error, folder.path, folder.resume_advice())) from error
    finally:
        with suppress(OSError):
            if [path.name for path in folder.path.iterdir()] == [LOCK]:
                (folder.path / LOCK).unlink()
            folder.path.rmdir()  # which succeeds only if it is empty


@contextmanager
def _lost_peers_explained(advice: str | Callable[[], str]) -> Iterator[None]:
    """Say in one line that another process of the run has ended, and how to go on."""
    try:
        yield
    except RuntimeError as error:
        if not distributed.is_lost_peer(error):
            raise
        how = advice if isinstance(advice, str) else advice()
        raise UserError(
            f"Another process of this run has ended or cannot be reached, so this one ends. {how}"
        ) from error


def _new_folder(log_dir: Path, name: str) -> RunFolder:
    try:
        (log_dir / name).mkdir(parents=True, exist_ok=True)
        for version in itertools.count():  # mkdir is atomic: of two runs that start together, one takes the next number
            with suppress(FileExistsError):
                folder = RunFolder(log_dir / name / f"version_{version}")
                folder.path.mkdir()
                return folder
    except OSError as error:
        raise UserError(f"Cannot write to {log_dir}: {error.strerror}. Choose another --log_dir.") from error


def _best_epoch(metrics: dict[str, Any]) -> str:
    """Return which epoch the figures and the tested weights come from, such as `27 of 30 (lowest val loss)`."""
    lowest = metrics["best_by"].replace("_", " ")
    return f"{metrics['best_epoch']} of {metrics['epochs']} (lowest {lowest})"


def _formatted(name: str, value: Any) -> str:
    if name.endswith(("_acc", "_cer")):
        return f"{value:.2%}"
    if name.endswith("_loss"):
        return f"{value:.4f}"
    if name == "seconds":
        return f"{value:,.1f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def _versions() -> str:
    packages = ("torch", "torchvision", "pytorch-lightning", "numpy")
    own = [f"course {course_version()}", f"python {platform.python_version()}"]
    return ", ".join([*own, *(f"{name} {installed_version(name)}" for name in packages)])


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=code_root(), capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
