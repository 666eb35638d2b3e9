"""Compare training on the best pictures alone with training on more and more of the others.

    python -m training.compare_grades training/logs/ImageFolder-TransferNet/version_0 --test_folder practice/test

The grades are those of the run's review. All models are trained with the run's flags, and validated and tested on the
same pictures: they differ only in the pictures that they learn from.
"""

import json
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from lab_kit import program
from lab_kit.checks import check_at_least
from lab_kit.command_line import command_line
from lab_kit.curation.review_plan import Step, plan
from lab_kit.curation.review_queue import ReviewQueue
from lab_kit.datasets.picture_files import PictureFile
from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from text_recognizer.data.image_folder import ImageFolder
from training import load_run, run_experiment
from training.review import REVIEW


@dataclass(frozen=True)
class Result:
    """The result of learning from some grades.

    Args:
        grades: which, such as (1, 2).
        pictures: how many pictures were learned from.
        val_acc, test_acc: of each seed, fractions.
    """

    grades: tuple[int, ...]
    pictures: int
    val_acc: tuple[float, ...]
    test_acc: tuple[float, ...]


def compare_grades(run: Path, test_folder: Path | None = None, seeds: int = 1) -> None:
    """Train on the pictures of grade 1, of grades 1 and 2, and so on, and print a table.

    Args:
        run: the folder of a run on your own pictures; they have been graded with `python -m training.review`.
        test_folder: where pictures to test with are; those of the run, if not given.
        seeds: how often each model is trained, from other random weights. With few pictures one run proves little.
    """
    check_at_least(1, seeds=seeds)
    results = compare(run, test_folder, seeds)
    table = Table("grades", "pictures to learn from", "val acc", "test acc", title="What to learn from")
    for column in table.columns:
        column.justify = "right"
    for result in results:
        names = ", ".join(map(str, result.grades))
        table.add_row(names, str(result.pictures), _formatted(result.val_acc), _formatted(result.test_acc))
    PlainConsole().print(table)


def compare(run: Path, test_folder: Path | None, seeds: int) -> list[Result]:
    """Train on growing sets of grades; the models stay in the run's folder, below `grades/`.

    Raises:
        UserError: it is no run on one's own pictures, or its review has no grades; or as training does.
    """
    found = load_run.load(run)
    if not isinstance(found.data, ImageFolder):
        raise UserError(f"Grades are for your own pictures, and this run is on {type(found.data).__name__}.")
    if not (found.folder / REVIEW).is_file():
        raise UserError(
            "Nobody has graded the pictures yet: " + command_line("python", "-m", "training.review", found.folder)
        )
    queue = ReviewQueue.open(found.folder / REVIEW, found.data.folder)
    pictures_of = {picture.file: picture for _, picture in found.data.pictures()}
    steps = [step for step in plan(queue, list(pictures_of)) if step.new_file]
    train = {file for file, picture in pictures_of.items() if picture.split == "train"}
    grades = sorted({step.grade for step in steps if step.grade is not None and step.file in train})
    if not grades:
        raise UserError(
            f"No training picture in {readable(queue.path)} has a grade yet: "
            f"press 1 to 5 on the page of {command_line('python', '-m', 'training.review', found.folder)}"
        )
    test_folder = test_folder or found.data.test_folder
    results = []
    for count in range(1, len(grades) + 1):
        chosen = tuple(grades[:count])
        with tempfile.TemporaryDirectory() as folder:
            pictures = _write_set(steps, pictures_of, chosen, found.data.folder, Path(folder))
            figures = [
                _trained_on(Path(folder), found, test_folder, "-".join(map(str, chosen)), seed) for seed in range(seeds)
            ]
        accuracies = {name: tuple(one[name] for one in figures) for name in ("val_acc", "test_acc")}
        results.append(Result(chosen, pictures, **accuracies))
    return results


def _write_set(
    steps: list[Step], pictures_of: dict[str, PictureFile], grades: tuple[int, ...], source: Path, folder: Path
) -> int:
    """Write train, valid and test folders; only the training pictures depend on the grades. Returns their number."""
    count = 0
    for step in steps:
        picture = pictures_of[step.file]
        if picture.split == "train" and step.grade not in grades:
            continue
        count += picture.split == "train"
        label = step.new_label or picture.label
        parts = step.new_file.split("/")
        target = folder.joinpath("valid" if picture.split == "val" else picture.split, *parts[parts.index(label) :])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / step.file, target)
    return count


def _trained_on(folder: Path, found: load_run.LoadedRun, test_folder: Path | None, name: str, seed: int) -> dict:
    """Train with the flags of `found` on other pictures; return the figures of its `metrics.json`."""
    log_dir = found.folder / "grades" / name
    before = set(log_dir.glob("*/*"))
    flags = ["--config", str(found.folder / load_run.CONFIG), "--folder", str(folder), "--log_dir", str(log_dir)]
    flags += ["--seed", str(found.config.settings.seed + seed)]
    run_experiment.main(flags + (["--test_folder", str(test_folder)] if test_folder else []))
    (new,) = set(log_dir.glob("*/*")) - before
    return json.loads((new / "metrics.json").read_text(encoding="utf-8"))


def _formatted(accuracies: tuple[float, ...]) -> str:
    if len(accuracies) == 1:
        return f"{accuracies[0]:.1%}"
    return f"{statistics.mean(accuracies):.1%} ({min(accuracies):.1%} to {max(accuracies):.1%})"


if __name__ == "__main__":
    program.run(compare_grades)
