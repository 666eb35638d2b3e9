"""Read the folders of runs that have ended: what was set, and what came out."""

import csv
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab_kit.errors import UserError, sentence
from lab_kit.experiment.config_file import read_config_file
from lab_kit.experiment.resume import CONFIG
from lab_kit.paths import readable
from lab_kit.plots.curves import read_curves

METRICS, CURVES = "metrics.json", "metrics.csv"
MOST_BYTES = 1_000_000  # of a metrics.json; ours have some thousand
LARGEST = 1e30  # of a figure: a larger one comes from a broken file
COPIES = ("mlartifacts", "mlruns", "wandb")  # folders in which loggers keep copies of runs
KINDS = ("_acc", "_cer", "_loss")  # of figures that say how good a run is
COSTS = ("seconds", "samples_per_second", "parameters")
FACTS = ("hardware", "versions", "commit")  # that no flag says
# Settings that say where a run is, how it is shown, or which chance it had; not what was tried.
NOT_COMPARED = (
    *("seed", "log_dir", "resume", "num_workers", "test_only", "find_lr"),
    *("enable_progress_bar", "enable_model_summary", "log_every_n_steps", "profiler", "logger"),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedRun:
    """A run that has written its figures.

    Args:
        path: its folder.
        seed: the seed for everything random; None if the run does not say.
        settings: its flags by name, but for those that change no result; `source` says which data it was in the end.
        figures: numbers that came out, by name, such as `val_acc`: fractions, losses, seconds.
        facts: what else may make a difference: hardware, versions, commit.
        curves: for each figure of `metrics.csv`, the epochs (from 1) and its values.
    """

    path: Path
    seed: int | None
    settings: dict[str, object]
    figures: dict[str, float]
    facts: dict[str, str]
    curves: dict[str, tuple[list[int], list[float]]] = field(repr=False)


def read_runs(paths: Sequence[Path]) -> list[FinishedRun]:
    """Return the finished runs in folders: each is that of a run, or has runs somewhere below it.

    Runs that have not ended, and those whose files are damaged, are left out, with a line that says so.

    Raises:
        UserError: a folder does not exist, or there is no finished run at all.
    """
    runs, unfinished = [], []
    for folder in _folders(paths):
        if not (folder / METRICS).is_file():
            unfinished.append(readable(folder))
            continue
        try:
            runs.append(read_run(folder))
        except UserError as error:
            log.warning("Left out: %s", error)
    if unfinished:
        log.info("Left out, because they have not ended: %s.", ", ".join(unfinished))
    if not runs:
        where = ", ".join(readable(path) for path in paths)
        raise UserError(f"There is no finished run in {where}: a run has ended when its folder has a {METRICS}.")
    return runs


def read_run(folder: Path) -> FinishedRun:
    """Return the finished run of a folder.

    Raises:
        UserError: a file is missing, damaged, or not a run's.
    """
    try:
        settings = read_config_file(str(folder / CONFIG))[1]
    except UserError as error:
        raise UserError(sentence(str(error).replace("--config ", ""))) from error
    measured = _read_metrics(folder / METRICS)
    names = [name for name in measured if name.endswith(KINDS) or name in COSTS]
    figures = {name: float(measured[name]) for name in names if _is_number(measured[name])}
    if not any(name.endswith(KINDS) for name in figures):
        raise UserError(f"{readable(folder / METRICS)} holds no figures of a run.")
    compared = {name: value for name, value in settings.items() if name not in NOT_COMPARED and value is not None}
    if "source" in measured:
        compared["source"] = str(measured["source"])
    seed = settings.get("seed")
    return FinishedRun(
        folder,
        seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        compared,
        figures,
        {name: str(measured[name]) for name in FACTS if measured.get(name) is not None},
        _read_curves(folder / CURVES),
    )


def _folders(paths: Sequence[Path]) -> list[Path]:
    """Return the folders of runs, each once, in the order in which people number them."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise UserError(f"{readable(path)} is not a folder: give folders of runs, such as training/logs.")
        for folder in _below(path):
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _below(path: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, names, files in os.walk(path, followlinks=True, onerror=_not_readable):  # a run may be on another disk
        if (real := os.path.realpath(folder)) in seen:  # links may go round in circles
            names.clear()
            continue
        seen.add(real)
        if CONFIG in files:
            yield Path(folder)
            names.clear()  # what lies in a run's folder belongs to that run
        names[:] = sorted((name for name in names if name not in COPIES), key=_in_numbers)


def _not_readable(error: OSError) -> None:
    log.warning("Left out: %s: %s.", readable(Path(error.filename)), error.strerror)


def _in_numbers(name: str) -> tuple[str, int, str]:
    digits = len(name) - len(name.rstrip("0123456789"))
    return (name[: len(name) - digits], int(name[-digits:]) if 0 < digits < 19 else -1, name)


def _read_metrics(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{readable(path)} is too long for the figures of a run.")
        measured = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {readable(path)}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{readable(path)} is damaged: {sentence(str(error))}") from error
    if not isinstance(measured, dict):
        raise UserError(f"{readable(path)} holds no figures of a run.")
    return measured


def _read_curves(path: Path) -> dict[str, tuple[list[int], list[float]]]:
    try:
        curves = read_curves(path)
        return {name: pair for name, pair in curves.items() if all(abs(value) < LARGEST for value in pair[1])}
    except FileNotFoundError:  # of a run that only tested
        return {}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        log.warning("%s is damaged, so its curves are not drawn: %s", readable(path), sentence(str(error)))
        return {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST  # nor NaN
