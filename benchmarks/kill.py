"""Is anything lost when a process is killed at the worst moment?

Claims: after `kill -9` at random moments of preparing EMNIST's archive, of drawing the pen-stroke set, of writing
lines, and of training with `--resume`, the next run works without any cleaning up, and ends with the very arrays and
metrics of an undisturbed one; and eight first runs that start at once prepare the data once.

    python benchmarks/kill.py [--times 20] [--only NAME ...]

The data is small, and so are the models: what counts is how often a kill hits each phase.
"""

import argparse
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.datasets import cache  # noqa: E402
from lab_kit.experiment import cli  # noqa: E402
from lab_kit.handwriting import pen_set  # noqa: E402
from text_recognizer.data import EMNIST, BaseDataModule, EMNISTLines  # noqa: E402
from training import run_experiment  # noqa: E402

FIRST_RUNS = 8
NAMES = ("first_runs", "training", "archive", "pen_set", "lines")
TRAIN = (
    *("--data_class", "MNIST", "--source", "pen", "--max_epochs", "4", "--fc1", "64", "--fc2", "32"),
    *("--one_cycle_max_lr", "0.01"),
)


@dataclass
class Process:
    """A copy of this process, which has imported everything already, so that a kill hits what comes after.

    Args:
        number: its process id.
        output: the file with all that it writes.
    """

    number: int
    output: Path

    @classmethod
    def start(cls, action: Callable[[], object], root: Path) -> "Process":
        """Do `action()` in a copy of this process, with `root` as its data root and nothing to download."""
        handle, output = tempfile.mkstemp(suffix=".log", dir=root.parent)
        number = os.fork()
        if number:
            os.close(handle)
            return cls(number, Path(output))
        code = 1
        try:
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            os.environ |= {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy")}
            os.environ["TEXT_RECOGNIZER_DATA"] = str(root)
            action()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def wait(self) -> tuple[int, str]:
        """Return its exit code and what it wrote."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])
        return code, self.output.read_text()

    def finish(self) -> str:
        """Return what it wrote; it must succeed."""
        code, written = self.wait()
        if code != 0:
            raise SystemExit(f"failed with exit code {code}:\n{written}")
        return written

    def kill(self, seconds: float) -> bool:
        """Kill it after `seconds`; return whether it was still running."""
        time.sleep(seconds)
        os.kill(self.number, signal.SIGKILL)
        return self.wait()[0] == -signal.SIGKILL


def program(*arguments: str) -> Callable[[], None]:
    """Return what runs the experiment, as the command line does."""

    def run() -> None:
        sys.argv = ["training/run_experiment.py", *arguments]
        cli.run_program(run_experiment.main)

    return run


def preparation(make: Callable[[], BaseDataModule]) -> Callable[[], None]:
    """Return what prepares and loads a dataset."""

    def prepare() -> None:
        data = make()
        data.prepare_data()
        data.setup()

    return prepare


def content(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each cache in a data root; the files are the same, byte for byte, where the arrays are."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "processed").rglob("*.h5"))
    }


def unfinished(folder: Path) -> int:
    """Return how many half-written files there are."""
    return sum(1 for _ in folder.rglob("*.unfinished"))


def preparing(folder: Path, action: Callable[[], None], times: int, make_root: Callable) -> dict[str, object]:
    """Kill the preparation of data at random moments; each time, run it again and compare what it leaves."""
    undisturbed = folder / "undisturbed"
    folder.mkdir()
    make_root(undisturbed)
    start = time.perf_counter()
    Process.start(action, undisturbed).finish()
    seconds = time.perf_counter() - start
    expected = content(undisturbed)
    killed = halves = 0
    for number in range(times):
        root = folder / str(number)
        make_root(root)
        killed += Process.start(action, root).kill(random.uniform(0, seconds))
        halves += unfinished(root)
        assert content(root).items() <= expected.items(), f"a half-written file was left in {root}"
        Process.start(action, root).finish()
        assert content(root) == expected, f"other arrays than those of the undisturbed run in {root}"
        assert not unfinished(root)
        shutil.rmtree(root)
    return {"times": times, "killed": killed, "left_half_a_file": halves, "seconds": seconds}


def training(folder: Path, times: int) -> dict[str, object]:
    """Kill runs at random moments, and the resumed ones too, until they end; compare their metrics."""
    root = folder / "data"
    root.mkdir(parents=True)
    Process.start(program(*TRAIN, "--log_dir", str(folder / "first")), root).finish()  # prepares the data too
    start = time.perf_counter()
    Process.start(program(*TRAIN, "--log_dir", str(folder / "undisturbed")), root).finish()
    seconds = time.perf_counter() - start
    expected = metrics(folder / "undisturbed" / "MNIST-MLP" / "version_0")
    killed = runs = resumed = started_again = 0
    while killed < times:
        log_dir = folder / f"logs_{runs}"
        run = log_dir / "MNIST-MLP" / "version_0"
        arguments = anew = (*TRAIN, "--log_dir", str(log_dir))
        for _ in range(3):  # kill it, and kill what goes on with it
            killed += Process.start(program(*arguments), root).kill(random.uniform(0, seconds))
            if (run / "checkpoints" / "last.ckpt").is_file():
                arguments, resumed = ("--resume", str(run)), resumed + 1
            elif run.is_dir():  # nothing to resume: the program says so, and the same command starts again
                code, written = Process.start(program("--resume", str(run)), root).wait()
                assert code == 2, written
                assert "There is nothing to resume" in written, written
                arguments, started_again = anew, started_again + 1
                run = run.with_name(f"version_{int(run.name.removeprefix('version_')) + 1}")
        Process.start(program(*arguments), root).finish()
        assert metrics(run) == expected, f"{metrics(run)} where the undisturbed run has {expected}"
        assert not unfinished(run)
        shutil.rmtree(log_dir)
        runs += 1
    counts = {"killed": killed, "runs": runs, "resumed": resumed, "started_again": started_again}
    return {"times": times, **counts, "seconds": seconds}


def metrics(run: Path) -> dict[str, object]:
    """Return all that a run measured, epoch by epoch and at the end; not what time it took."""
    figures = json.loads((run / "metrics.json").read_text())
    measured = {name: value for name, value in figures.items() if name.endswith(("_acc", "_loss"))}
    return measured | {"epochs": (run / "metrics.csv").read_text()}


def first_runs(folder: Path) -> dict[str, object]:
    """Start eight first runs at once: how often is the data prepared?"""
    root = folder / "data"
    root.mkdir(parents=True)
    write = cache.write_arrays

    def counted(*arguments: object) -> None:
        write(*arguments)
        print("PREPARED", flush=True)

    cache.write_arrays = counted
    action = program(*TRAIN, "--max_epochs", "1", "--log_dir", str(folder / "logs"))
    written = [started.finish() for started in [Process.start(action, root) for _ in range(FIRST_RUNS)]]
    cache.write_arrays = write
    results = [metrics(run) for run in (folder / "logs" / "MNIST-MLP").iterdir()]
    assert len(results) == FIRST_RUNS
    assert all(result == results[0] for result in results)
    return {
        "processes": FIRST_RUNS,
        "successes": len(written),
        "preparations": sum(text.count("PREPARED") for text in written),
        "said_that_they_wait": sum("Another process is building" in text for text in written),
    }


def make_archive(root: Path) -> None:
    """Put an archive of EMNIST's form into a data root."""
    numbers = np.random.default_rng(0)
    archive = root / "downloaded" / "emnist" / "gzip.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as opened:
        for part, count in (("train", 60_000), ("test", 10_000)):
            images = numbers.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            labels = np.arange(count, dtype=np.uint8) % 62
            for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
                header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
                name = f"gzip/emnist-byclass-{part}-{kind}-ubyte.gz"
                opened.writestr(name, gzip.compress(header + array.tobytes(), compresslevel=0, mtime=0))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    described = root / "raw" / "emnist" / "metadata.toml"
    described.parent.mkdir(parents=True)
    described.write_text(
        f'name = "noise"\nsource = "benchmarks/kill.py"\n\n[[files]]\nfilename = "gzip.zip"\n'
        f'size = {archive.stat().st_size}\nsha256 = "{digest}"\nurls = []\n',
        encoding="utf-8",
    )


def main() -> None:
    """Kill, compare, print, write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    options = parser.parse_args()
    random.seed(options.seed)
    pen_set.SIZES = {"train": 2560, "val": 256, "test": 512}
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_archive(folder / "archive_data")
        drawn = preparation(lambda: EMNIST(source="pen"))
        (folder / "characters").mkdir()
        Process.start(drawn, folder / "characters").finish()
        lines = preparation(lambda: EMNISTLines(source="pen", num_train=2000, num_val=200, num_test=200))
        jobs = {
            "first_runs": lambda: first_runs(folder / "first_runs"),
            "training": lambda: training(folder / "training", options.times),
            "archive": lambda: preparing(
                folder / "archive",
                preparation(EMNIST),
                options.times,
                lambda root: shutil.copytree(folder / "archive_data", root),
            ),
            "pen_set": lambda: preparing(folder / "pen_set", drawn, options.times, Path.mkdir),
            # Lines alone shall be what is interrupted: the characters are there already.
            "lines": lambda: preparing(
                folder / "lines", lines, options.times, lambda root: shutil.copytree(folder / "characters", root)
            ),
        }
        for name in options.only:
            found[name] = jobs[name]()
            print(name, json.dumps(found[name]), flush=True)
    claims = [
        Claim(f"kill -9, {name.replace('_', ' ')}", "the next run ends the same", f"{counts['killed']} kills")
        for name, counts in found.items()
        if "killed" in counts
    ]
    if "first_runs" in found:
        count = found["first_runs"]["preparations"]
        claims.append(Claim("Eight first runs at once", "1 preparation", str(count)))
    write_json("kill", "small data, each run in a process of its own", {"seed": options.seed, **found}, claims)


if __name__ == "__main__":
    main()
