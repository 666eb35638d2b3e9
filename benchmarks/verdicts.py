"""Is the verdict of `compare_runs.py` right? Real runs, twenty times.

Claims: of twenty comparisons of a setting with itself, with five seeds each, at most one finds a difference; of twenty
of settings that differ by about a point, all find it.

    python benchmarks/verdicts.py

It trains 300 small networks with `run_experiment.py`'s own function, in this process, and leaves no run folders.
"""

import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from unittest import mock

from matplotlib.figure import Figure

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.experiment import console  # noqa: E402
from lab_kit.runs.comparison import compare  # noqa: E402
from lab_kit.runs.read_runs import read_runs  # noqa: E402
from training import run_experiment  # noqa: E402

REPEATS, SEEDS = 20, 5
FLAGS = "--data_class MNIST --model_class MLP --max_epochs 1 --batch_size 512 --fc1 256 --fc2 64 --limit_test_batches 1"
BETTER, WORSE = "--lr 0.002", "--lr 0.00125"


def train(log_dir: Path, setting: str, first_seed: int, count: int) -> list[Path]:
    """Train with so many seeds; return the run folders."""
    folders = []
    for seed in range(first_seed, first_seed + count):
        here = log_dir / str(seed)
        run_experiment.main([*FLAGS.split(), *setting.split(), "--seed", str(seed), "--log_dir", str(here)])
        (folder,) = here.glob("*/*")
        folders.append(folder)
    return folders


def as_pairs(folders: list[Path], target: Path, lr: str) -> Path:
    """Copy what matters of runs, as if their seeds were 0, 1, ... and their learning rate another one."""
    for seed, folder in enumerate(folders):
        copy = target / str(seed)
        copy.mkdir(parents=True)
        shutil.copy(folder / "metrics.json", copy)
        lines = (folder / "config.yaml").read_text(encoding="utf-8").splitlines()
        changed = {"seed": seed, "lr": lr}
        kept = [line for line in lines if line.partition(":")[0] not in changed]
        text = "\n".join([*kept, *(f"{name}: {value}" for name, value in changed.items())])
        (copy / "config.yaml").write_text(text + "\n", encoding="utf-8")
    return target


def main() -> None:
    """Train, compare, write the JSON."""
    console.set_up()
    answers: dict[str, list[str]] = {"the same": [], "a point better": []}
    means: dict[str, list[float]] = {"better": [], "worse": []}
    with tempfile.TemporaryDirectory() as place, mock.patch.object(Figure, "savefig", _no_picture):
        root = Path(place)
        a = train(root / "a", BETTER, 0, REPEATS * SEEDS)
        again = train(root / "again", BETTER, 1_000, REPEATS * SEEDS)
        b = train(root / "b", WORSE, 0, REPEATS * SEEDS)
        for name, folders in (("better", a + again), ("worse", b)):
            means[name] = [json.loads((one / "metrics.json").read_text())["val_acc"] for one in folders]
        for repeat in range(REPEATS):
            part = slice(repeat * SEEDS, (repeat + 1) * SEEDS)
            for name, new, old in (("the same", again, a), ("a point better", a, b)):
                here = root / name / str(repeat)
                runs = [as_pairs(new[part], here / "new", "0.2"), as_pairs(old[part], here / "old", "0.1")]
                (verdict,) = compare(read_runs(runs), against="lr=0.1").verdicts
                answers[name].append(verdict.answer)
    difference = 100 * (statistics.mean(means["better"]) - statistics.mean(means["worse"]))
    false = sum(answer != "cannot tell" for answer in answers["the same"])
    found = sum(answer == "better" for answer in answers["a point better"])
    content = {"difference_in_points": difference, "answers": answers, "val_acc": means}
    claims = [
        Claim("verdicts on the same setting that find a difference", "at most 1 of 20", f"{false} of {REPEATS}"),
        Claim(f"verdicts on a difference of {difference:.2f} points", "20 of 20", f"{found} of {REPEATS}"),
    ]
    write_json("verdicts", f"{REPEATS} times {SEEDS} seeds: {FLAGS}; {BETTER}, {WORSE}", content, claims)


def _no_picture(figure: Figure, path: Path, **how: object) -> None:
    Path(path).write_bytes(b"picture")


if __name__ == "__main__":
    main()
