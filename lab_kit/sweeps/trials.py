"""One process of a sweep: it takes trials from the study, one after the other, until there are enough."""

import json
import logging
import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytorch_lightning as pl
from optuna.trial import TrialState

from lab_kit.errors import UserError, nearest, sentence
from lab_kit.experiment.cli import errors_explained
from lab_kit.experiment.trainer import watched_by
from lab_kit.runs.read_runs import KINDS
from lab_kit.sweeps import study as studies
from lab_kit.sweeps.space import Space

TRIALS = "trials"  # the folder of the trials' run folders
HOPELESS = 3  # trials that fail at the start, with none that succeeds: something is wrong with the space
PAUSE_S = 1.0  # while others are at work on the last trials

log = logging.getLogger(__name__)

Program = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Worker:
    """What a process of a sweep needs to know.

    Args:
        program: trains, given its flags, and leaves a run folder.
        space: what is tried.
        folder: of the sweep.
        figure: what is best when it is lowest or highest, such as `val_acc`.
        trials: how many there shall be, of all processes together.
        sampler: see `study.sampler`.
        seed: of the sampler.
        number: of this process, from 0.
        name: of this process, different from that of any other.
    """

    program: Program
    space: Space
    folder: Path
    figure: str
    trials: int
    sampler: str
    seed: int
    number: int
    name: str

    def work(self, study: optuna.Study) -> None:
        """Train until there are enough trials.

        Raises:
            UserError: the first trials all failed.
        """
        with studies.at_work(self.folder, self.name):
            while len(studies.finished(study)) < self.trials:
                studies.give_up_lost_trials(study, self.folder)
                if studies.claimed(study) >= self.trials:  # others train the last ones; one of them may be lost yet
                    time.sleep(PAUSE_S)
                    continue
                known = len(study.get_trials(deepcopy=False))
                study.sampler = studies.sampler(self.sampler, self.seed, self.number, known)
                try:
                    study.optimize(self._train, n_trials=1, catch=(_Failed,))
                except optuna.exceptions.UpdateFinishedTrialError:
                    log.warning("A trial of this process was given up, because it was silent for too long.")
                self._check_hopes(study)

    def _train(self, trial: optuna.Trial) -> float:
        studies.claim(trial, self.name)
        if studies.claimed(trial.study, trial.number) >= self.trials:  # another process took the last one just now
            raise _Failed("There are enough trials.")
        values = self.space.suggest(trial)
        flags = [*self.space.command(values), f"--log_dir={self.folder / TRIALS}"]
        report = Report(trial, self.figure)
        try:
            with watched_by(report), errors_explained():
                self.program(flags)
            figures = json.loads((report.folder / "metrics.json").read_text(encoding="utf-8"))
        except Exception as error:
            if isinstance(cause := error.__cause__, OSError) or isinstance(cause := error, OSError):
                trial.study.enqueue_trial(trial.params)  # it is no fault of its settings
                raise UserError(
                    f"Cannot use {cause.filename or 'a file'}: {cause.strerror or cause}. Put that right, and give the "
                    "same command again."
                ) from error
            log.info("%s", traceback.format_exc())  # into the log of this process
            trial.set_user_attr(studies.ERROR, sentence(error))
            raise _Failed(str(error)) from error
        if self.figure not in figures:
            trial.study.enqueue_trial(trial.params)
            known = [name for name in figures if name.endswith(KINDS)]
            raise UserError(
                f"These runs have no figure '{self.figure}', but: {', '.join(known)}.{nearest(self.figure, known)} "
                "Choose with --by, and give the sweep another --name."
            )
        if report.pruned:
            raise optuna.TrialPruned
        value = figures[self.figure]
        if not isinstance(value, int | float) or not math.isfinite(value):
            trial.set_user_attr(studies.ERROR, f"Its {self.figure} is {value}.")
            raise _Failed(f"{self.figure} is {value}")
        return float(value)

    def _check_hopes(self, study: optuna.Study) -> None:
        done = studies.finished(study)
        failed = [trial for trial in done if trial.state == TrialState.FAIL]
        if len(failed) >= HOPELESS and len(failed) == len(done):
            why = failed[-1].user_attrs.get(studies.ERROR, "Their processes were killed.")
            raise UserError(f"The first {len(failed)} trials failed, so the sweep has ended: {why}")


class _Failed(Exception):
    """A trial without a figure."""


class Report(pl.Callback):
    """Tells the study after each epoch how a trial does, and ends it where there is no hope.

    `folder` is that of the run, as soon as it has begun; `pruned` says whether it was ended.

    Args:
        trial: the trial.
        figure: what is reported.
    """

    def __init__(self, trial: optuna.Trial, figure: str) -> None:
        self.trial, self.figure, self.pruned = trial, figure, False
        self.folder = Path()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.folder = Path(trainer.default_root_dir)
        self.trial.set_user_attr(studies.RUN, str(self.folder))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        value: Any = trainer.callback_metrics.get(self.figure)
        epoch = trainer.current_epoch + 1
        if value is None or not math.isfinite(value):  # no validation in this epoch; or the run ends by itself
            return
        self.trial.report(float(value), epoch)
        if epoch < trainer.max_epochs and self.trial.should_prune():
            self.pruned = trainer.should_stop = True
