"""What is said of groups of runs: a table for the terminal, a picture, and a web page that holds all of it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from lab_kit import atomic_write
from lab_kit.html_page import template
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.runs.comparison_plots import plot_comparison
from lab_kit.runs.groups import (
    Group,
    best_first,
    figure_to_judge_by,
    find_group,
    group_runs,
    lower_is_better,
    other_differences,
)
from lab_kit.runs.read_runs import FinishedRun
from lab_kit.runs.verdict import Verdict, judge

PICTURE, PAGE = "comparison.png", "comparison.html"
TEMPLATE = Path(__file__).with_name("comparison_page.html")
MOST_COLUMNS = 4  # of settings in the terminal's table
SHORT = 12  # characters of a setting, in the terminal's table
SHOWN = ("val_loss", "val_acc", "val_cer", "test_acc", "test_cer", "seconds")


@dataclass(frozen=True)
class Comparison:
    """Groups of runs, and what they say.

    Args:
        groups: the best first.
        figure: what decides.
        verdicts: on each group, against the one that was named; none, if none was named.
    """

    groups: tuple[Group, ...]
    figure: str
    verdicts: tuple[Verdict, ...]

    @property
    def runs(self) -> list[FinishedRun]:
        return [run for group in self.groups for run in group.runs]

    @property
    def figures(self) -> list[str]:
        """Return the figures that are shown: the one that decides, and others that all runs have."""
        common = [name for name in SHOWN if all(name in run.figures for run in self.runs)]
        return list(dict.fromkeys([self.figure, *(name for name in common if name != "val_loss")]))

    def warnings(self) -> list[str]:
        """Return what makes a comparison unsafe, in words."""
        said = []
        if names := other_differences(self.groups):
            said.append(f"The runs differ in their {' and '.join(names)}, too, which no flag says.")
        return said


def compare(runs: Sequence[FinishedRun], against: str | None = None, by: str | None = None) -> Comparison:
    """Group runs by their settings, and judge each group against one of them.

    Args:
        runs: finished ones.
        against: which group the others are judged against: its settings, or the folder of one of its runs.
        by: the figure that decides.

    Raises:
        UserError: not all runs have this figure, or there is no such group.
    """
    figure = figure_to_judge_by(runs, by)
    groups = best_first(group_runs(runs), figure)
    verdicts: list[Verdict] = []
    if against is not None:
        old = find_group(groups, against)
        others = [group for group in groups if group is not old]
        verdicts = [judge(new, old, figure, len(others)) for new in others]
    return Comparison(tuple(groups), figure, tuple(verdicts))


def print_comparison(comparison: Comparison, console: PlainConsole) -> None:
    """Print the table and the verdicts."""
    groups, figures = comparison.groups, comparison.figures
    table = Table(title=f"{len(comparison.runs)} runs, judged by {comparison.figure}", title_justify="left")
    wide = len(groups[0].setting) > MOST_COLUMNS
    for name in ["settings"] if wide else groups[0].setting:
        table.add_column(name, overflow="fold", no_wrap=not wide and _is_short(name, groups))
    for name in ("seeds", *figures):
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for group in groups:
        cells = [formatted(group.mean(name), name, group.margin(name)) for name in figures]
        settings = [group.name] if wide else group.setting.values()
        table.add_row(*settings, str(len(group.by_seed(comparison.figure))), *cells)
    console.print(table)
    for line in (*(verdict.sentence for verdict in comparison.verdicts), *comparison.warnings()):
        console.print(line, soft_wrap=True)


def _is_short(name: str, groups: Sequence[Group]) -> bool:
    """Return whether a column of settings is narrow enough to be shown whole."""
    return max(len(name), *(len(group.setting[name]) for group in groups)) <= SHORT


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write `comparison.png` and `comparison.html` into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    plot_comparison(comparison.groups, comparison.figure, folder / PICTURE)
    groups, figures = comparison.groups, comparison.figures
    rows = [
        {
            "settings": list(group.setting.values()),
            "seeds": len(group.by_seed(comparison.figure)),
            "figures": [formatted(group.mean(name), name, group.margin(name)) for name in figures],
        }
        for group in groups
    ]
    all_runs = [
        {
            "folder": readable(run.path),
            "group": group.name,
            "seed": "?" if run.seed is None else run.seed,
            "figures": [formatted(run.figures[name], name) for name in figures],
        }
        for group in groups
        for run in group.runs
    ]
    best = groups[0]
    text = template(TEMPLATE).render(
        runs=len(all_runs),
        figure=comparison.figure,
        lower=lower_is_better(comparison.figure),
        verdicts=comparison.verdicts,
        warnings=comparison.warnings(),
        settings=list(best.setting),
        figures=[name.replace("_", " ") for name in figures],
        rows=rows,
        all_runs=all_runs,
        picture=base64.b64encode((folder / PICTURE).read_bytes()).decode("ascii"),
        description=f"{comparison.figure} of each setting. The best: {best.name}, "
        f"{formatted(best.mean(comparison.figure), comparison.figure)}.",
    )
    atomic_write.write_text(text, folder / PAGE)


def formatted(value: float, figure: str, margin: float | None = None) -> str:
    """Return a figure as people read it, and half the width of its interval."""
    if figure.endswith(("_acc", "_cer")):
        text, more = f"{100 * value:.2f}%", f"{100 * (margin or 0):.2f}"
    elif figure.endswith("_loss"):
        text, more = f"{value:.4f}", f"{margin or 0:.4f}"
    else:
        text, more = f"{value:,.1f}", f"{margin or 0:,.1f}"
    return text if margin is None else f"{text} ± {more}"
