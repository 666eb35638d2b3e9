"""Train many times with different settings, and find out which are best.

    python training/sweep.py space.toml --trials 20
    python training/sweep.py space.toml --trials 20 --workers 2 --pruner asha

SPACE is a small file that names flags of `run_experiment.py`: what stays the same, and what is tried. Each trial leaves
a run folder like any other. Ctrl-C or the end of the machine lose the trial that is running, and no other: the same
command goes on. With `--storage`, several machines share the work.
"""

import logging
import os
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that `import training` finds this lab's code
import training  # this import stops with one clear line if something is not installed

# isort: split
from lab_kit import program
from lab_kit.checks import check_at_least
from lab_kit.errors import UserError, nearest
from lab_kit.experiment import cli
from lab_kit.limits import usable_cores
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.sweeps import report, study
from lab_kit.sweeps.processes import keep_working, stop_with_parent
from lab_kit.sweeps.space import read_space
from lab_kit.sweeps.trials import Worker
from training import run_experiment

LOG_DIR = Path(training.__file__).parent / "logs" / "sweeps"
TRIALS = 20
FIGURES = {"line": "val_cer", "paragraph": "val_cer"}  # by what a picture shows; val_acc for the others

log = logging.getLogger("training")


def sweep(
    space: Path,
    trials: int | None = None,
    workers: int = 1,
    sampler: str = "tpe",
    pruner: str = "none",
    by: str | None = None,
    seed: int = 42,
    name: str | None = None,
    folder: Path | None = None,
    storage: str | None = None,
    worker: int | None = None,
) -> None:
    """Train many times with different settings, and find out which are best.

    Args:
        space: a TOML file: [flags] of run_experiment.py that stay, and [space], what is tried.
        trials: how many there shall be in all, with those of an earlier start; if not given, 20 or the whole grid.
        workers: processes that train side by side; they share the cores.
        sampler: how settings are chosen: `tpe` looks where good ones were found, `random` looks anywhere, `grid` tries
            everything once.
        pruner: what ends hopeless trials early: `none`, `median`, `asha` or `hyperband`.
        by: the figure that decides; `val_cer` for lines and pages, else `val_acc`, if not given.
        seed: for the choice of settings.
        name: of the sweep; the space's file name, if not given.
        folder: where the sweep's folder is; `training/logs/sweeps` if not given.
        storage: the address of a PostgreSQL database that machines share, in place of a file in the sweep's folder; a
            password is safer in the environment: TEXT_RECOGNIZER_STORAGE.
        worker: used by the program itself, for the processes that it starts.
    """
    check_at_least(1, trials=trials, workers=workers)
    check_at_least(0, seed=seed)
    for flag, value, choices in (("sampler", sampler, study.SAMPLERS), ("pruner", pruner, study.PRUNERS)):
        if value not in choices:
            raise UserError(f"--{flag} must be one of {', '.join(choices)}, not '{value}'.{nearest(value, choices)}")
    if workers > usable_cores():
        raise UserError(f"--workers {workers} is more than the {usable_cores()} cores of this machine.")
    what = read_space(space)
    grid = what.grid() if sampler == "grid" else None
    if grid is not None:
        trials = min(trials or len(grid), len(grid))
    trials = trials or TRIALS
    try:
        first, *others = [
            cli.parse(what.command(values), run_experiment.Run, run_experiment.PACKAGES) for values in what.corners()
        ]
        for config in (first, *others):
            if (weights := config.settings.load_checkpoint) and not Path(weights).is_file():
                raise UserError(f"there is no file {weights}, from which the trials should start.")
    except UserError as error:
        raise UserError(f"{readable(space)}: {error}") from error
    figure = by or FIGURES.get(first.data_class.task, "val_acc")
    place = (folder or LOG_DIR) / (name or space.stem)
    storage = storage or os.environ.get(study.STORAGE)
    shared = study.open_study(place, name or space.stem, storage, what.text, figure)
    shared.pruner = study.pruner(pruner, max(config.settings.max_epochs for config in (first, *others)))
    if worker is not None:
        stop_with_parent()
        unique = f"worker_{worker}_{uuid.uuid4().hex[:8]}"
        Worker(run_experiment.main, what, place, figure, trials, sampler, seed, worker, unique).work(shared)
        return
    if grid is not None:
        study.put_grid(shared, grid, place)
    done = len(study.finished(shared))
    log.info("%s: %s of %s trials are done. Everything is in %s", what.path.name, done, trials, readable(place))
    settings = {"trials": trials, "sampler": sampler, "pruner": pruner, "by": figure, "seed": seed}
    settings |= {"name": name, "folder": folder}
    if storage is not None:
        os.environ[study.STORAGE] = storage  # for the processes: all users of a machine can see command lines
    flags = [f"--{flag}={value}" for flag, value in settings.items() if value is not None]
    command = [sys.executable, __file__, str(space), *flags]
    keep_working(shared, command, place, figure, trials, workers, usable_cores() // workers)
    report.print_best(shared, figure, place, PlainConsole())
    if report.draw(shared, figure, place):
        log.info("More in %s", readable(place / report.PICTURE))


if __name__ == "__main__":
    program.run(sweep)
