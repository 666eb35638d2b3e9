"""The challenge: measure an entry in the same way for everyone, and show the board.

    python training/challenge.py digits training/entries/one_epoch.yaml
    python training/challenge.py lines training/entries/eight_minutes.yaml
    python training/challenge.py own training/logs/IAMLines-CRNN/version_0/shipped --pictures my_lines
    python training/challenge.py board

digits: read 99% of MNIST's test digits, with every seed, in the least time. lines: the lowest character error rate on
lines by imaginary writers after eight minutes of training. own: the lowest one on lines that you have written yourself.
An entry for the first two is a file of flags of `run_experiment.py`; each seed is trained in a process of its own.
"""

import json
import logging
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that `import training` finds this lab's code
import training  # this import stops with one clear line if something is not installed

# isort: split
from rapidfuzz.distance import Levenshtein
from rich.table import Table

from lab_kit import atomic_write, program
from lab_kit.errors import UserError, nearest, sentence
from lab_kit.experiment.config_file import read_config_file
from lab_kit.experiment.hardware import processor_name
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole

BOARD = Path(training.__file__).parent / "logs" / "challenge"
log = logging.getLogger("training")
MINUTES = 8  # of training, for the lines
ENOUGH = 0.99  # of the digits


@dataclass(frozen=True)
class Task:
    """What is measured.

    Args:
        rules: flags that are the same for everyone.
        seeds: with each of which an entry is trained.
        score: the figure of a run that counts; the lowest is best.
    """

    rules: Mapping[str, str]
    seeds: int
    score: str


TASKS = {
    "digits": Task({"data_class": "MNIST", "num_workers": "0"}, 5, "seconds"),
    "lines": Task(
        {"data_class": "IAMLines", "source": "pen", "max_length": "32", "max_time": f"00:00:{MINUTES:02}:00"}
        | {"num_test": "1000"},
        1,
        "test_cer",
    ),
}
SET_BY_US = (
    *("seed", "log_dir", "resume", "load_checkpoint", "pretrained", "limit_test_batches", "test_only", "find_lr"),
    *("profile", "fast_dev_run", "overfit_batches"),
)


def challenge(what: list[str], pictures: Path | None = None, name: str | None = None) -> None:
    """Measure an entry of the challenge, or show the board.

    Args:
        what: the task and the entry: digits or lines, and a file of flags; own, and the folder of a shipped model. Or
            board alone, to see all entries.
        pictures: for own: a folder of pictures of lines with `labels.json`, a list of objects with file and text.
        name: of the entry on the board; the file's, if not given.
    """
    known, (task, *entries) = (*TASKS, "own", "board"), what or [""]
    if task not in known:
        raise UserError(f"The task must be one of {', '.join(known)}, not '{task}'.{nearest(task, known)}")
    if len(entries) != (task != "board"):
        wanted = {"board": "nothing", "own": "the folder of a shipped model"}.get(task, "a file of flags")
        raise UserError(f"After {task} comes {wanted}, and not {' '.join(entries) or 'nothing'}.")
    if task != "board":
        entry = Path(entries[0])
        named = name or (entry.parent.parent.name if entry.name == "shipped" else entry.stem)
        if not named.isprintable() or set(named) & set('/\\:*?"<>|') or named.startswith("."):
            raise UserError(f"'{named}' cannot be a name on the board, because it cannot be a file's name: use --name.")
        BOARD.mkdir(parents=True, exist_ok=True)
        result = measure_own(entry, pictures) if task == "own" else measure(TASKS[task], entry)
        atomic_write.write_json({"task": task, "entry": named, **result}, BOARD / f"{task}-{named}.json")
    show_board(PlainConsole())


def measure(task: Task, entry: Path) -> dict[str, object]:
    """Train an entry with each seed, in processes of their own, and return what came out."""
    _, flags = read_config_file(str(entry))
    for flag, value in flags.items():
        if flag in SET_BY_US or task.rules.get(flag, str(value)) != str(value):
            raise UserError(f"{readable(entry)} sets {flag}, which is the same for everyone in this task: take it out.")
    runs = []
    for seed in range(task.seeds):
        with tempfile.TemporaryDirectory() as folder:
            rules = [f"--{flag}={value}" for flag, value in task.rules.items()]
            command = [sys.executable, str(Path(__file__).with_name("run_experiment.py")), f"--config={entry}"]
            done = subprocess.run(
                [*command, *rules, f"--seed={seed}", f"--log_dir={folder}"], stdout=subprocess.DEVNULL, check=False
            )
            if done.returncode:
                raise UserError(f"The entry ended with exit code {done.returncode}: what it said stands above.")
            (figures,) = Path(folder).glob("*/*/metrics.json")
            runs.append(json.loads(figures.read_text(encoding="utf-8")))
    scores = [run[task.score] for run in runs]
    worst = min((run["test_acc"] for run in runs if "test_acc" in run), default=None)
    return {
        "score": statistics.median(scores),
        "of": task.score,
        "scores": scores,
        "valid": worst is None or task.score != "seconds" or worst >= ENOUGH,
        "worst_test_acc": worst,
        "source": runs[0]["source"],
        "machine": f"{processor_name()}; {runs[0]['hardware']}",
    }


def measure_own(shipped: Path, pictures: Path | None) -> dict[str, object]:
    """Read the pictures of a folder with a shipped model, and return its character error rate."""
    from text_recognizer.recognizer import Recognizer

    if pictures is None:
        raise UserError("--pictures is missing: a folder of pictures of lines that you have written, with labels.json.")
    try:
        entries = json.loads((pictures / "labels.json").read_text(encoding="utf-8-sig"))
        lines = [(pictures / one["file"], one["text"]) for one in entries]
        if not lines or not all(isinstance(text, str) and text.strip() for _, text in lines):
            raise ValueError("a line has no text")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{readable(pictures / 'labels.json')} is not a list of objects with file and text.") from error
    recognizer = Recognizer.load(shipped)
    edits = sum(Levenshtein.distance(text, recognizer.predict(path).text) for path, text in lines)
    rate = edits / sum(len(text) for _, text in lines)
    facts = {"source": f"{len(lines)} lines in {readable(pictures)}", "machine": processor_name()}
    return {"score": rate, "of": "test_cer", "scores": [rate], "valid": True, "worst_test_acc": None, **facts}


def show_board(console: PlainConsole) -> None:
    """Print all entries, the best of each task first."""
    results = []
    for path in sorted(BOARD.glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            results.append({name: result[name] for name in ("task", "entry", "of", "valid", "machine", "source")})
            results[-1] |= {"score": float(result["score"]), "worst": float(result["worst_test_acc"] or 0)}
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("%s is no result of the challenge, and is left out: %s", readable(path), sentence(error))
    if not results:
        console.print("There is no entry yet.")
    for task in sorted({result["task"] for result in results}):
        table = Table(title=task, title_justify="left")
        for column in ("entry", "score", "machine", "data"):
            table.add_column(column, overflow="fold")
        rows = [result for result in results if result["task"] == task]
        for row in sorted(rows, key=lambda row: (not row["valid"], row["score"])):
            score = f"{row['score']:.1f} s" if row["of"] == "seconds" else f"CER {row['score']:.2%}"
            score += "" if row["valid"] else f" (not valid: {row['worst']:.2%} with its worst seed)"
            table.add_row(row["entry"], score, row["machine"], row["source"])
        console.print(table)


if __name__ == "__main__":
    program.run(challenge)
