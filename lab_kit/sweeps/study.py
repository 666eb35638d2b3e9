"""The study that all processes of a sweep share: which trials there are, which are done, and which were lost.

It lies in a journal, a file to which lines are added, or in a PostgreSQL database.
"""

import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import optuna
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from lab_kit import locks
from lab_kit.errors import UserError, sentence
from lab_kit.paths import readable
from lab_kit.runs.groups import lower_is_better

SAMPLERS, PRUNERS = ("tpe", "random", "grid"), ("none", "asha", "hyperband", "median")
STORAGE = "TEXT_RECOGNIZER_STORAGE"  # in the environment: the address of a database
JOURNAL, WORKERS, GRID_LOCK = "journal.jsonl", "workers", "grid.lock"
SPACE, FIGURE, WORKER, RUN, ERROR, AGAIN = "space", "figure", "worker", "run", "error", "again"  # noted in the study
MOST_TRIES = 3  # of settings whose process was lost each time: perhaps they are the reason
REDUCTION = 3  # one in so many trials goes on, each time that a successive halving decides
BEGINNING_S = 30  # after which a trial without a process is lost
HEARTBEAT_S, GRACE_S = 10, 45  # of a database's trials: how often they say that they live, and when they are given up

log = logging.getLogger(__name__)


class JournalLock:
    """Lets processes take turns at a journal, and cuts off the half line of one that was killed while it wrote.

    Optuna's own locks are files that mean "locked" while they exist: after a `kill -9`, the others wait for half a
    minute, and a half line would make the journal unreadable as soon as another one follows.

    Args:
        journal: the file.
    """

    def __init__(self, journal: Path) -> None:
        self.journal, self._held = journal, ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock, and mend the journal."""
        busy = f"Waiting for another process to write to {readable(self.journal)}."
        self._held.enter_context(locks.held(self.journal.with_suffix(".lock"), busy, poll_interval=0.01))
        with self.journal.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            while end and _last_byte(file, end) != b"\n":
                end -= 1
            file.truncate(end)
        return True

    def release(self) -> None:
        """Let the next one in."""
        self._held.close()


def open_study(folder: Path, name: str, storage: str | None, space: str, figure: str) -> optuna.Study:
    """Return the study of a sweep, which is made if need be.

    Args:
        folder: of the sweep: the journal lies in it.
        name: of the study.
        storage: the address of a PostgreSQL database; None for a journal.
        space: the text of the search space.
        figure: what decides.

    Raises:
        UserError: the storage cannot be reached, or its study of this name is another one.
    """
    direction = "minimize" if lower_is_better(figure) else "maximize"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    try:
        where = _database(storage) if storage else _journal(folder)
        study = optuna.create_study(storage=where, study_name=name, direction=direction, load_if_exists=True)
    except (OSError, UserError):
        raise
    except ImportError as error:
        raise UserError("PostgreSQL needs one more package: pip install 'psycopg[binary]'") from error
    except Exception as error:  # SQLAlchemy and its drivers have no base class in common
        what = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise UserError(
            f"Cannot open the study '{name}' in {_shown(storage) or readable(folder)}: {sentence(what)}"
        ) from error
    known = study.user_attrs.get(SPACE)
    if known is None:
        study.set_user_attr(SPACE, space)
        study.set_user_attr(FIGURE, figure)
    elif known != space:
        raise UserError(
            f"The study '{name}' was begun with another search space: give the changed one another --name, or put the "
            "file back as it was."
        )
    if (before := study.user_attrs.get(FIGURE, figure)) != figure:
        raise UserError(f"The study '{name}' was begun with --by {before}: give this one another --name.")
    return study


def sampler(name: str, seed: int, worker: int, trials: int) -> optuna.samplers.BaseSampler:
    """Return what chooses the next settings.

    Args:
        name: `tpe` looks where good ones were found (Bergstra and others, Algorithms for hyper-parameter optimization,
            NIPS 2011); `random` looks anywhere; `grid` tries everything once.
        seed: of the sweep.
        worker: each process has choices of its own.
        trials: how many there are, so that a sweep that goes on does not begin with the same choices again.
    """
    mixed = (seed * 1_000_003 + worker * 10_007 + trials) % (1 << 32)
    if name in ("random", "grid"):  # the grid's settings wait in the study: see `put_grid`
        return optuna.samplers.RandomSampler(mixed)
    # The settings that others try right now count as bad ones, so that not all try the same.
    return optuna.samplers.TPESampler(seed=mixed, constant_liar=True)


def pruner(name: str, max_epochs: int) -> optuna.pruners.BasePruner:
    """Return what stops hopeless trials.

    `asha`: of all trials that have come to epoch 1, only the best third goes on to 3, of those a third to 9, and so on
    (Li and others, A system for massively parallel hyperparameter tuning, arXiv:1810.05934). `hyperband`: several such
    rules, some more patient (Li and others, arXiv:1603.06560). `median`: what is worse than the median stops.
    """
    if name == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(1, max_epochs, REDUCTION)
    return optuna.pruners.MedianPruner() if name == "median" else optuna.pruners.NopPruner()


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that count: complete ones, hopeless ones, and those that failed by themselves."""
    return [trial for trial in study.get_trials(deepcopy=False) if _counts(trial)]


def best(study: optuna.Study) -> FrozenTrial | None:
    """Return the best of all complete trials."""
    complete = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE and _is_finite(trial)]
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    return min(complete, key=lambda trial: sign * trial.value, default=None)


def claim(trial: optuna.Trial, worker: str) -> None:
    """Note which process trains a trial.

    In a database, the trial says first that it lives. Optuna does that, too, in a thread that may be late: killed
    before it, a trial would count as alive for ever.
    """
    if not isinstance(storage := trial.study._storage, JournalStorage):
        storage.record_heartbeat(trial._trial_id)
    trial.set_user_attr(WORKER, worker)


def claimed(study: optuna.Study, before: int | None = None) -> int:
    """Return how many trials are done or under way: of all, or of those that began before number `before`."""
    return sum(
        _counts(trial) or trial.state == TrialState.RUNNING
        for trial in study.get_trials(deepcopy=False)
        if before is None or trial.number < before
    )


def try_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Let the settings of a trial that was lost be tried again; but not for ever."""
    tries = trial.user_attrs.get(AGAIN, 0) + 1
    if trial.params and tries < MOST_TRIES:
        study.enqueue_trial(trial.params, user_attrs={AGAIN: tries})


def put_grid(study: optuna.Study, settings: Sequence[Mapping[str, object]], folder: Path) -> None:
    """Put all settings of a grid into the study, where they wait to be tried; those that are there already stay."""
    with locks.held(folder / GRID_LOCK, "Another sweep begins in this folder.", timeout=-1):
        known = [
            trial.params or trial.system_attrs.get("fixed_params", {}) for trial in study.get_trials(deepcopy=False)
        ]
        for setting in settings:
            if dict(setting) not in known:
                study.enqueue_trial(dict(setting))


def give_up_lost_trials(study: optuna.Study, folder: Path) -> None:
    """Find trials whose process was killed, and let their settings be tried again.

    A process of a journal's sweep holds a lock while it lives, which the system releases. A database is told by each
    trial that it lives.
    """
    in_database = not isinstance(study._storage, JournalStorage)
    if in_database:
        optuna.storages.fail_stale_trials(study)  # calls `try_again`
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        worker = trial.user_attrs.get(WORKER)
        if worker is None:  # it notes that at once, so it was killed before, or began just now
            lost = (datetime.now() - trial.datetime_start).total_seconds() > BEGINNING_S
        else:
            lost = not in_database and not _is_at_work(folder / WORKERS / worker)
        if lost:
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, RuntimeError):  # another process was faster
                continue
            try_again(study, trial)


@contextmanager
def at_work(folder: Path, worker: str) -> Iterator[None]:
    """Hold the lock that says that this process lives."""
    (folder / WORKERS).mkdir(parents=True, exist_ok=True)
    with locks.held(folder / WORKERS / worker, f"Another process is called {worker}.", timeout=0):
        yield


def _is_at_work(lock: Path) -> bool:
    try:
        with locks.held(lock, "", timeout=0) as everywhere:
            return not everywhere  # without locks, nobody can tell
    except UserError:
        return True


def _counts(trial: FrozenTrial) -> bool:
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    given_up = ERROR in trial.user_attrs or trial.user_attrs.get(AGAIN, 0) >= MOST_TRIES - 1
    return trial.state in done or (trial.state == TrialState.FAIL and given_up)


def _is_finite(trial: FrozenTrial) -> bool:
    return trial.value is not None and math.isfinite(trial.value)


def _journal(folder: Path) -> JournalStorage:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOURNAL
    path.touch()
    return JournalStorage(JournalFileBackend(str(path), JournalLock(path)))


def _database(address: str) -> RDBStorage:
    scheme, _, rest = address.partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg") or not rest:
        raise UserError("--storage must be an address like postgresql://user:password@host/database.")
    return RDBStorage(
        f"postgresql+psycopg://{rest}",
        engine_kwargs={"pool_pre_ping": True},
        heartbeat_interval=HEARTBEAT_S,
        grace_period=GRACE_S,
        heartbeat_stale_trial_callback=try_again,
    )


def _shown(address: str | None) -> str:
    """Return an address without its password."""
    scheme, _, rest = (address or "").partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else ""


def _last_byte(file, end: int) -> bytes:
    file.seek(end - 1)
    return file.read(1)
