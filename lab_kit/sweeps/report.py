"""What is said of a sweep: a line for each trial that ends, a table of the best, and a picture."""

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState
from rich.table import Table

from lab_kit.plain_console import PlainConsole
from lab_kit.plots.sweep_plots import plot_sweep
from lab_kit.runs.comparison import formatted
from lab_kit.sweeps import study as studies

PICTURE = "sweep.png"
BEST = 5  # trials in the table
SEED = "seed"  # it is chance: what differs with it does not matter
ENOUGH = 8  # complete trials, to say which setting mattered


def line(trial: FrozenTrial, figure: str, best: FrozenTrial | None) -> str:
    """Return what to say of a trial that has ended."""
    settings = ", ".join(f"{name}={short(value)}" for name, value in trial.params.items())
    seconds = f" ({trial.duration.total_seconds():,.0f} s)" if trial.duration is not None else ""
    if trial.state == TrialState.COMPLETE:
        came = f"{figure} {formatted(trial.value, figure)}"
        came += ", the best so far" if best is not None and best.number == trial.number else ""
    elif trial.state == TrialState.PRUNED:
        epoch = trial.last_step
        came = f"ended after epoch {epoch}: {figure} {formatted(trial.intermediate_values[epoch], figure)}"
    else:
        came = f"failed: {trial.user_attrs.get(studies.ERROR, 'its process ended')}"
    return f"trial {trial.number}: {settings}: {came}{seconds}"


def importance(study: optuna.Study) -> dict[str, float]:
    """Return which share of the differences is due to each setting; nothing, if there are too few trials to say.

    S. Watanabe, A. Bansal and F. Hutter, PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    subspaces, IJCAI 2023.
    """
    complete = [trial for trial in studies.finished(study) if trial.state == TrialState.COMPLETE]
    if len(complete) < ENOUGH:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            names = [
                name for name in complete[0].params if name != SEED and all(name in one.params for one in complete)
            ]
            shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(), params=names)
        except (ValueError, RuntimeError):  # no setting that all of them have
            return {}
    return {name: share for name, share in shares.items() if math.isfinite(share)}


def print_best(study: optuna.Study, figure: str, folder: Path, console: PlainConsole) -> None:
    """Print the best trials, and what became of all; run folders as seen from `folder`, that of the sweep."""
    done = studies.finished(study)
    complete = [trial for trial in done if trial.state == TrialState.COMPLETE]
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    complete.sort(key=lambda trial: sign * trial.value)
    pruned = sum(trial.state == TrialState.PRUNED for trial in done)
    failed = sum(trial.state == TrialState.FAIL for trial in done)
    counted = [
        f"{len(done)} trials",
        *([f"{pruned} ended early"] if pruned else []),
        *([f"{failed} failed"] if failed else []),
    ]
    trained = epochs(done)
    if pruned and trained:
        counted.append(f"{sum(trained.values())} epochs of training in place of {max(trained.values()) * len(trained)}")
    if len(complete) > BEST:
        counted.append(f"the best {BEST} are")
    table = Table(title=", ".join(counted), title_justify="left")
    names = list(dict.fromkeys(name for trial in complete[:BEST] for name in trial.params))
    for name in ("trial", *names, figure.replace("_", " "), "run folder"):
        is_path = name == "run folder"
        table.add_column(name, justify="left" if is_path else "right", overflow="fold", no_wrap=True)
    for trial in complete[:BEST]:
        values = [short(trial.params[name]) if name in trial.params else "-" for name in names]
        run = Path(trial.user_attrs.get(studies.RUN, "-"))
        inside = run.is_relative_to(folder.resolve())  # or it is on another machine
        where = run.relative_to(folder.resolve()).as_posix() if inside else str(run)
        table.add_row(str(trial.number), *values, formatted(trial.value, figure), where)
    console.print(table)


def draw(study: optuna.Study, figure: str, folder: Path) -> bool:
    """Write `sweep.png`; return False where there is nothing to draw yet."""
    trials = []
    for trial in studies.finished(study):
        value = trial.value if trial.state == TrialState.COMPLETE else None
        if trial.state == TrialState.PRUNED and trial.last_step is not None:
            value = trial.intermediate_values[trial.last_step]
        if value is not None and math.isfinite(value):
            trials.append((trial.number, trial.params, value, trial.state == TrialState.PRUNED))
    if not trials:
        return False
    lower = study.direction == optuna.study.StudyDirection.MINIMIZE
    plot_sweep(trials, importance(study), figure, lower, folder / PICTURE)
    return True


def epochs(done: list[FrozenTrial]) -> Mapping[int, int]:
    """Return how many epochs each trial trained for, by number, as far as its run folder says."""
    found = {}
    for trial in done:
        try:
            figures = json.loads((Path(trial.user_attrs[studies.RUN]) / "metrics.json").read_text(encoding="utf-8"))
            found[trial.number] = int(figures["epochs"])
        except (OSError, KeyError, ValueError):
            continue
    return found


def short(value: object) -> str:
    """Return a value of a setting, with three digits if it is a fraction."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
