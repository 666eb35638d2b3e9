"""Groups of runs that differ in their seeds alone."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from lab_kit.errors import UserError, nearest
from lab_kit.paths import readable
from lab_kit.runs.read_runs import FACTS, FinishedRun

CONFIDENCE = 0.95  # of the intervals of means
LOWER_IS_BETTER = ("_cer", "_loss", "seconds", "parameters")
PREFERRED = ("val_cer", "val_acc", "val_loss", "test_cer", "test_acc", "test_loss")  # what to judge by


@dataclass(frozen=True)
class Group:
    """Runs with the same settings.

    Args:
        name: what sets these settings apart from those of the other groups, such as `lr=0.01, fc1=64`.
        setting: the same, by name; `-` where this group's classes have no such flag.
        runs: one a seed, or several: copies and repeats of a run are no further chance.
    """

    name: str
    setting: dict[str, str]
    runs: tuple[FinishedRun, ...]

    def by_seed(self, figure: str) -> dict[int | Path, float]:
        """Return what came out with each seed, the mean of its runs; a run without a known seed stands for itself."""
        found: dict[int | Path, list[float]] = {}
        for run in self.runs:
            if figure in run.figures:
                found.setdefault(run.path if run.seed is None else run.seed, []).append(run.figures[figure])
        return {seed: statistics.mean(values) for seed, values in found.items()}

    def values(self, figure: str) -> list[float]:
        """Return what came out with each seed."""
        return list(self.by_seed(figure).values())

    def mean(self, figure: str) -> float:
        """Return the mean over seeds."""
        return statistics.mean(self.values(figure))

    def margin(self, figure: str) -> float | None:
        """Return half the width of the 95% interval of the mean; None with a single seed, which says nothing of it."""
        values = self.values(figure)
        if len(values) < 2:
            return None
        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
        return quantile * statistics.stdev(values) / len(values) ** 0.5


def group_runs(runs: Sequence[FinishedRun]) -> list[Group]:
    """Return runs by their settings, in the order in which the first of each is given."""
    by_settings: dict[tuple, list[FinishedRun]] = {}
    for run in runs:
        by_settings.setdefault(tuple(sorted((name, str(value)) for name, value in run.settings.items())), []).append(
            run
        )
    rows = [dict(key) for key in by_settings]
    names = list(dict.fromkeys(name for row in rows for name in row))
    differing = [name for name in names if len({row.get(name) for row in rows}) > 1]
    # A class's own flags differ with it, and say nothing more.
    common = [name for name in differing if all(name in row for row in rows) or not _comes_with_a_class(name, rows)]
    shown = sorted(common or differing, key=lambda name: not name.endswith("_class"))
    if len({tuple(row.get(name) for name in shown) for row in rows}) < len(rows):
        shown = sorted(differing, key=lambda name: not name.endswith("_class"))
    groups = []
    for row, members in zip(rows, by_settings.values(), strict=True):
        setting = {name: _short(row.get(name, "-")) for name in shown}
        name = ", ".join(f"{name}={value}" for name, value in setting.items() if value != "-")
        groups.append(Group(name or "all runs", setting, tuple(members)))
    return groups


def _short(value: str) -> str:
    """Return a setting as people read it: of a number that somebody has drawn by chance, four digits."""
    try:
        return min(value, f"{float(value):.4g}", key=len)
    except ValueError:
        return value


def _comes_with_a_class(name: str, rows: Sequence[dict[str, str]]) -> bool:
    """Return whether runs with the same classes all have a setting, or none of them: otherwise, somebody has set it."""
    found: dict[tuple, set[bool]] = {}
    for row in rows:
        classes = tuple((key, value) for key, value in row.items() if key.endswith("_class"))
        found.setdefault(classes, set()).add(name in row)
    return all(len(there) == 1 for there in found.values())


def figure_to_judge_by(runs: Sequence[FinishedRun], wanted: str | None) -> str:
    """Return the figure that decides: the one that is wanted, or the first of the usual ones that all runs have.

    Raises:
        UserError: not all runs have it.
    """
    common = [name for name in runs[0].figures if all(name in run.figures for run in runs)]
    if wanted is None:
        wanted = next(name for name in PREFERRED if any(name in run.figures for run in runs))
        if lacking := [run for run in runs if wanted not in run.figures]:
            raise UserError(
                f"{readable(lacking[0].path)} has no {wanted}, as other runs have: compare runs on data of one kind, "
                f"leave this one out, or name another figure with --by."
            )
    if wanted not in common:
        known = ", ".join(sorted(common))
        raise UserError(f"Not all of these runs have a figure '{wanted}', but: {known}.{nearest(wanted, common)}")
    return wanted


def lower_is_better(figure: str) -> bool:
    return figure.endswith(LOWER_IS_BETTER)


def best_first(groups: Sequence[Group], figure: str) -> list[Group]:
    """Return groups in the order of their means."""
    return sorted(groups, key=lambda group: group.mean(figure), reverse=not lower_is_better(figure))


def other_differences(groups: Sequence[Group]) -> list[str]:
    """Return the names of facts that differ between runs, and that no flag says."""
    runs = [run for group in groups for run in group.runs]
    return [name for name in FACTS if len({run.facts.get(name) for run in runs}) > 1]


def find_group(groups: Sequence[Group], which: str) -> Group:
    """Return the group that is meant: by settings, such as `lr=0.01,fc1=64`, or by the folder of one of its runs.

    Raises:
        UserError: there is none, or more than one.
    """
    if Path(which).is_dir():
        folder = Path(which).resolve()
        found = [group for group in groups if any(run.path.resolve() == folder for run in group.runs)]
    else:
        found = [group for group in groups if group.name == which] or _with_settings(groups, which)
    if len(found) == 1:
        return found[0]
    problem = "is none of these groups" if not found else f"could be any of {len(found)} groups"
    names = "; ".join(group.name for group in groups)
    raise UserError(f"--against {readable(which) if Path(which).is_dir() else which} {problem}: {names}.")


def _with_settings(groups: Sequence[Group], which: str) -> list[Group]:
    pairs = [part.partition("=")[::2] for part in which.split(",")]
    wanted = {name.strip().removeprefix("--"): value.strip() for name, value in pairs}
    return [
        group
        for group in groups
        if all(_is_same(group.runs[0].settings.get(name), value) for name, value in wanted.items())
    ]


def _is_same(setting: object, value: str) -> bool:
    """Return whether a value that somebody has typed is that of a setting: 1e-3 is 0.001."""
    try:
        return float(str(setting)) == float(value)
    except ValueError:
        return str(setting).lower() == value.lower()
