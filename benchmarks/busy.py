"""Training beside another program that keeps a core busy: what does the number of threads cost?

Claim: the number of threads that a run chooses by itself is never more than 1.3 times slower than the best of the fixed
choices, whether the machine is quiet or busy.

    python benchmarks/busy.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, machine, write_json  # noqa: E402
from lab_kit.plain_console import PlainConsole  # noqa: E402

SECONDS, REPEATS = 15, 3
RUNS = {
    "CNN": "--data_class EMNIST --model_class CNN --source pen",
    "LineCNNLSTM": "--data_class EMNISTLines --model_class LineCNNLSTM --loss ctc --window_stride 8 --source pen",
    "LineCNNLSTM, float32": "--data_class EMNISTLines --model_class LineCNNLSTM --loss ctc --window_stride 8 --source "
    "pen --precision 32-true",
}
CORES = os.cpu_count() or 1
BY_ITSELF = "by itself"
CHOICES = {  # the environment is the choice
    f"{CORES} threads": {"OMP_NUM_THREADS": str(CORES)},
    f"{CORES} threads that sleep": {"OMP_NUM_THREADS": str(CORES), "OMP_WAIT_POLICY": "PASSIVE"},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    BY_ITSELF: {},
}
NEIGHBOUR = "while True: pass"


def samples_per_second(flags: str, environment: dict[str, str], folder: Path) -> float:
    """Train for some seconds; return how many samples a second were learned from."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    command = [sys.executable, str(ROOT / "training" / "run_experiment.py"), *flags.split()]
    command += [f"--max_time=00:00:00:{SECONDS}", "--max_epochs=100", "--limit_val_batches=0", "--limit_test_batches=1"]
    with tempfile.TemporaryDirectory(dir=folder) as log_dir:
        subprocess.run(
            [*command, f"--log_dir={log_dir}"], env=clean | environment, check=True, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        (figures,) = Path(log_dir).glob("*/*/metrics.json")
        return json.loads(figures.read_text(encoding="utf-8"))["samples_per_second"]


def measure(flags: str, neighbours: int, folder: Path) -> dict[str, float]:
    """Return the median speed of each choice, beside so many programs that keep a core busy."""
    busy = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR], start_new_session=True) for _ in range(neighbours)]
    try:
        speeds = {name: [] for name in CHOICES}
        for _ in range(REPEATS):
            for name, environment in CHOICES.items():
                speeds[name].append(samples_per_second(flags, environment, folder))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return {name: statistics.median(some) for name, some in speeds.items()}


def main() -> None:
    """Measure, print the table, write the JSON."""
    table = Table(title="samples a second, medians", title_justify="left")
    for name in ("", "busy cores", *CHOICES, "best fixed / by itself"):
        table.add_column(name, justify="right" if name else "left")
    content, worst = {}, 0.0
    with tempfile.TemporaryDirectory() as place:
        for name, flags in RUNS.items():
            for neighbours in range(CORES):
                speeds = measure(flags, neighbours, Path(place))
                ratio = max(speed for choice, speed in speeds.items() if choice != BY_ITSELF) / speeds[BY_ITSELF]
                worst = max(worst, ratio)
                content[f"{name}, {neighbours} busy"] = speeds | {"ratio": ratio}
                table.add_row(name, str(neighbours), *(f"{speed:,.0f}" for speed in speeds.values()), f"{ratio:.2f}")
                print(name, neighbours, speeds, f"{ratio:.2f}", flush=True)
    console = PlainConsole()
    console.print(table)
    console.print(machine())
    claim = Claim("the best fixed number of threads, against the run's own choice", "at most 1.3 times", f"{worst:.2f}")
    write_json("busy", f"{SECONDS} s of training, medians of {REPEATS}", content, [claim])


if __name__ == "__main__":
    main()
