"""What do two workers gain, and what does pruning?

Claims: a sweep of 16 trials of the MLP on MNIST with two workers is at least 1.6 times as fast as with one; pruning
saves at least 40% of the epochs, and finds a setting that is as good, over five seeds.

    python benchmarks/sweeps.py workers
    python benchmarks/sweeps.py pruning
    python benchmarks/sweeps.py kill

`kill` kills a sweep with all its processes at ten random moments, with `kill -9`, and starts it again each time.
"""

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.sweeps import report, study  # noqa: E402

SPACE = ROOT / "training" / "spaces" / "nine_epochs.toml"
TRIALS = 16
QUICK = """
[flags]
data_class = "MNIST"
model_class = "MLP"
max_epochs = 1
limit_train_batches = 40
fc2 = 32

[space]
lr = {low = 1e-4, high = 1e-1, log = true}
fc1 = [32, 64]
"""


def command(space: Path, folder: Path, **flags: object) -> list[str]:
    """Return the command line of a sweep in this folder."""
    words = [f"--{name}={value}" for name, value in flags.items()]
    return [sys.executable, str(ROOT / "training" / "sweep.py"), str(space), f"--folder={folder}", *words]


def finished(folder: Path, space: Path) -> list:
    """Return the trials of a sweep that count."""
    place = folder / space.stem
    opened = study.open_study(place, space.stem, None, space.read_text(encoding="utf-8"), "val_acc")
    return study.finished(opened)


def workers() -> None:
    """Compare one worker with two: the same settings, chosen at random."""
    seconds = {}
    with tempfile.TemporaryDirectory() as place:
        for count in (1, 2):
            start = time.perf_counter()
            flags = {"trials": TRIALS, "workers": count, "sampler": "random", "seed": 1}
            subprocess.run(command(SPACE, Path(place) / str(count), **flags), check=True)
            seconds[count] = time.perf_counter() - start
    ratio = seconds[1] / seconds[2]
    claim = Claim("a sweep of 16 trials with two workers, against one", "at least 1.6 times", f"{ratio:.2f} times")
    write_json("sweeps_workers", f"{TRIALS} trials of {SPACE.name}", {"seconds": seconds}, [claim])


def pruning() -> None:
    """Compare no pruning with successive halving, five times."""
    rows = {"none": [], "asha": []}
    with tempfile.TemporaryDirectory() as place:
        for seed in range(5):
            for pruner in rows:
                folder = Path(place) / f"{pruner}{seed}"
                flags = {"trials": TRIALS, "workers": 2, "pruner": pruner, "seed": seed}
                subprocess.run(command(SPACE, folder, **flags), check=True)
                done = finished(folder, SPACE)
                values = [trial.value for trial in done if trial.state.name == "COMPLETE" and trial.value is not None]
                rows[pruner].append({"epochs": sum(report.epochs(done).values()), "best": max(values)})
    epochs = {name: sum(row["epochs"] for row in some) for name, some in rows.items()}
    best = {name: statistics.mean(row["best"] for row in some) for name, some in rows.items()}
    saved = 1 - epochs["asha"] / epochs["none"]
    claims = [
        Claim("epochs that pruning saves", "at least 40%", f"{saved:.0%}"),
        Claim(
            "the best setting with pruning, less without",
            "as good",
            f"{100 * (best['asha'] - best['none']):+.2f} points",
        ),
    ]
    write_json("sweeps_pruning", f"{TRIALS} trials of {SPACE.name}, five seeds", rows, claims)


def kill() -> None:
    """Kill a sweep ten times; count what was lost."""
    chance, before, deaths = random.Random(0), {}, 0
    with tempfile.TemporaryDirectory() as place:
        space, folder = Path(place) / "quick.toml", Path(place)
        space.write_text(QUICK, encoding="utf-8")
        while deaths < 10:
            process = subprocess.Popen(command(space, folder, trials=100, workers=2))
            time.sleep(chance.uniform(8, 25))
            whole = psutil.Process(process.pid)
            for one in [*whole.children(recursive=True), whole]:
                one.send_signal(signal.SIGKILL)
            process.wait()
            deaths += 1
            now = {trial.number: trial.value for trial in finished(folder, space)}
            assert before.items() <= now.items(), "a finished trial was lost"
            before = now
        wanted = len(before) + 4
        subprocess.run(command(space, folder, trials=wanted, workers=2), check=True)
        done = finished(folder, space)
        runs = [json.loads((Path(one.user_attrs["run"]) / "metrics.json").read_text())["val_acc"] for one in done]
    assert len(done) == wanted
    assert len({one.user_attrs["run"] for one in done}) == wanted
    assert [one.value for one in done] == runs
    claim = Claim("finished trials lost, or counted twice, in ten kills", "0", "0")
    write_json("sweeps_kill", f"ten kills at random moments, {wanted} trials in the end", {"trials": wanted}, [claim])


def main() -> None:
    """Parse the command line, measure, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("workers", "pruning", "kill"))
    {"workers": workers, "pruning": pruning, "kill": kill}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
