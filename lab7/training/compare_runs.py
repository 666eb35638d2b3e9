"""Compare runs: what differs in their settings, what in their figures, and is it more than luck?

    python training/compare_runs.py training/logs
    python training/compare_runs.py training/logs --against lr=0.001

It prints a table, and writes a picture and a web page beside the runs.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that `import training` finds this lab's code
import training  # noqa: F401 - it stops with one clear line if something is not installed

# isort: split
from lab_kit import program
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.runs.comparison import PAGE, PICTURE, compare, print_comparison, write_comparison
from lab_kit.runs.read_runs import read_runs


def compare_runs(runs: list[Path], against: str | None = None, by: str | None = None, out: Path | None = None) -> None:
    """Compare runs: what differs in their settings, what in their figures, and is it more than luck?

    Args:
        runs: folders of runs, and folders with runs somewhere below them, such as `training/logs`.
        against: judge all other settings against this one: `lr=0.001`, or the folder of one of its runs.
        by: the figure that decides, such as `test_acc`; if not given, one of the validation set, because who chooses
            by test figures has no test left.
        out: where the picture and the page go; the first of the folders, if not given.
    """
    comparison = compare(read_runs(runs), against, by)
    console = PlainConsole()
    print_comparison(comparison, console)
    where = out or runs[0]
    write_comparison(comparison, where)
    console.print(f"More in {readable(where / PAGE)} and {readable(where / PICTURE)}.", soft_wrap=True)
    if len(comparison.groups) == 1:
        console.print("All of these runs have the same settings: there is nothing to judge.")
    elif against is None:
        console.print("Better, or luck? Judge against one of them: --against SETTING", soft_wrap=True)


if __name__ == "__main__":
    program.run(compare_runs)
