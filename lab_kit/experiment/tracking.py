"""Where a run is recorded beside its folder: TensorBoard, MLflow, or Weights & Biases, by Lightning's loggers.

MLflow writes to a file in the folder of runs, unless MLFLOW_TRACKING_URI names a server. Weights & Biases writes to the
folder of runs for later (`wandb sync`), unless WANDB_MODE=online, or one has logged in.
"""

import importlib
import json
import logging
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from lab_kit import atomic_write, locks
from lab_kit.errors import UserError, nearest, sentence
from lab_kit.paths import readable

LOGGERS = ("tensorboard", "mlflow", "wandb")
NOTE = "tracking.json"  # in the run's folder: under which number the run is recorded
LONGEST = 200  # characters of what a library says
RETRIES, TIMEOUT_S = 2, 10  # of MLflow, which else waits for minutes before it says that a server is not there
DATABASE_PORTS = {
    "postgresql": 5432,
    "mysql": 3306,
    "mssql": 1433,
}  # to which MLflow can write by itself

log = logging.getLogger(__name__)


def make_logger(name: str, folder: Path, experiment: str) -> Logger:
    """Return what records a run.

    Args:
        name: one of `LOGGERS`.
        folder: of the run; one that was recorded before goes on under the same number.
        experiment: under which runs of a kind are listed together.

    Raises:
        UserError: there is no such logger, or its package is not installed.
    """
    if name not in LOGGERS:
        raise UserError(f"--logger must be one of {', '.join(LOGGERS)}, not '{name}'.{nearest(name, LOGGERS)}")
    if name == "tensorboard":
        return TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
    number = _number(folder, name)
    try:
        with _one_line("MLflow" if name == "mlflow" else "Weights & Biases"):
            return (_mlflow if name == "mlflow" else _wandb)(folder, experiment, number)
    except ModuleNotFoundError as error:
        raise UserError(f"--logger {name} needs a package that is not installed: pip install {name}") from error


class Recording(pl.Callback):
    """Record what Lightning's loggers do not by themselves: all flags; and note under which number the run goes on.

    Args:
        settings: every flag by name.
        folder: of the run.
    """

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        self.settings, self.folder = dict(settings), folder

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for logger in _trackers(trainer) if trainer.is_global_zero else []:
            name = "mlflow" if isinstance(logger, MLFlowLogger) else "wandb"
            number = logger.run_id if isinstance(logger, MLFlowLogger) else logger.experiment.id
            if number != _number(self.folder, name):  # MLflow lets nobody change a flag afterwards
                logger.log_hyperparams(self.settings)
            atomic_write.write_json({"logger": name, "run": number}, self.folder / NOTE)


class ClearWandbLogger(WandbLogger):
    """Says in one line why a record cannot be begun."""

    @property
    def experiment(self) -> Any:
        """Return the record, which is begun if need be."""
        with _one_line("Weights & Biases"):
            return super().experiment


class PatientMLFlowLogger(MLFlowLogger):
    """Says in one line why a record cannot be begun. Later it goes on without its server, after a warning: a run is not
    lost because a record of it is.
    """

    lost = False

    @property
    def experiment(self) -> Any:
        """Return what talks to the server; the record is begun if need be."""
        with _one_line("MLflow"):
            return super().experiment

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures, while the server answers."""
        self._try(lambda: super(PatientMLFlowLogger, self).log_metrics(metrics, step))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Record flags, while the server answers."""
        self._try(lambda: super(PatientMLFlowLogger, self).log_hyperparams(params))

    def finalize(self, status: str = "success") -> None:
        """Say how the run ended, while the server answers."""
        self._try(lambda: super(PatientMLFlowLogger, self).finalize(status))

    def _try(self, record: Callable[[], None]) -> None:
        if self.lost:
            return
        try:
            record()
        except Exception as error:  # MLflow's own, whose package may not be there
            self.lost = True
            log.warning("MLflow does not answer (%s). The run goes on; its folder has everything.", _first_line(error))


def record_results(trainer: pl.Trainer, figures: Mapping[str, Any], folder: Path) -> None:
    """Record what came out: the figures of `metrics.json` as `final/...`, facts as tags, pictures, the best weights.

    A server that does not answer is a warning: the folder has everything.
    """
    numbers = {f"final/{name}": value for name, value in figures.items() if isinstance(value, int | float)}
    words = {name: value for name, value in figures.items() if isinstance(value, str)}
    files = [*sorted(folder.glob("*.png")), *(folder / name for name in ("config.yaml", "metrics.json"))]
    best = folder / "checkpoints" / "best.ckpt"
    for logger in _trackers(trainer):
        try:
            if isinstance(logger, MLFlowLogger):
                logger.log_metrics(numbers, trainer.global_step)
                for name, value in words.items():
                    logger.experiment.set_tag(logger.run_id, name, value)
                for path in files:
                    logger.experiment.log_artifact(logger.run_id, str(path))
                if best.is_file():
                    logger.experiment.log_artifact(logger.run_id, str(best), "checkpoints")
                logger.finalize("success")
            else:
                wandb = importlib.import_module("wandb")  # an extra: nothing else needs it
                run = logger.experiment
                run.summary.update(numbers | words)
                run.log({path.stem: wandb.Image(str(path)) for path in files if path.suffix == ".png"})
                kept = wandb.Artifact(f"run-{run.id}", type="run")
                for path in (*files, best):
                    if path.is_file():
                        kept.add_file(str(path))
                run.log_artifact(kept)
                run.finish()
        except Exception as error:  # each has errors of its own, whose packages may not be there
            log.warning("The results could not be recorded (%s), but the run's folder has them.", _first_line(error))


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    try:
        yield
    except (UserError, ModuleNotFoundError):
        raise
    except Exception as error:  # each has errors of its own, whose packages may not be there
        address = os.environ.get("MLFLOW_TRACKING_URI")
        shown = re.sub(r"//[^/]*@", "//", address or "")  # without its password
        where = f" (MLFLOW_TRACKING_URI is {shown})" if shown and name == "MLflow" else ""
        what = _first_line(error).partition(" failed with exception")[0][:LONGEST]
        raise UserError(
            f"{name} cannot record this run{where}: {sentence(what)} Put that right, or choose --logger tensorboard."
        ) from error


def _trackers(trainer: pl.Trainer) -> list[MLFlowLogger | WandbLogger]:
    return [logger for logger in trainer.loggers if isinstance(logger, MLFlowLogger | WandbLogger)]


def _mlflow(folder: Path, experiment: str, number: str | None) -> MLFlowLogger:
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(RETRIES))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_S))
    shared = folder.parent.parent
    address = os.environ.get("MLFLOW_TRACKING_URI")
    tags = {"mlflow.note.content": f"Folder: {readable(folder)}"}
    if address:
        _check_database(address)
        return PatientMLFlowLogger(experiment, folder.name, address, tags, run_id=number)
    if "?" in str(shared):
        raise UserError(f"MLflow's file cannot be in a folder with a question mark in its name: {readable(shared)}.")
    files = (shared / "mlartifacts").as_uri()
    with locks.held(shared / "mlflow.lock", "Another run makes the file of MLflow."):  # two would make it at once
        return PatientMLFlowLogger(
            experiment, folder.name, f"sqlite:///{shared / 'mlflow.db'}", tags, artifact_location=files, run_id=number
        )


def _check_database(address: str) -> None:
    """Raise OSError where an address is that of a database that does not answer: MLflow would try for an hour."""
    parts = urlsplit(address)
    port = DATABASE_PORTS.get(parts.scheme.partition("+")[0])
    if port is not None and parts.hostname:
        socket.create_connection((parts.hostname, parts.port or port), TIMEOUT_S).close()


def _wandb(folder: Path, experiment: str, number: str | None) -> WandbLogger:
    shared = folder.parent.parent
    number = number or uuid.uuid4().hex[:8]  # as long as its own
    signed_in = os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_MODE") == "online"
    return ClearWandbLogger(
        f"{experiment} {folder.name}", shared, id=number, project="text-recognizer", offline=not signed_in
    )


def _number(folder: Path, name: str) -> str | None:
    """Return the number under which a run that goes on was recorded; None for a new one."""
    try:
        noted = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return str(noted["run"]) if noted["logger"] == name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
