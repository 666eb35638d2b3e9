"""How does this project compare with other ways of training the same network on MNIST?

The same network and the same 55,000 pictures, until 98.5% of the test pictures are read: this project, a plain
Lightning tutorial, fastai, and Keras on PyTorch, each as its own tutorials do it (`peer_scripts/`), each other library
in an environment of its own, which is made here and removed. The seconds of training include the test after each epoch.

    python benchmarks/peers.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, machine, write_json  # noqa: E402
from lab_kit.plain_console import PlainConsole  # noqa: E402
from text_recognizer.data import MNIST  # noqa: E402

SCRIPTS = Path(__file__).resolve().parent / "peer_scripts"
PEERS = {
    "plain Lightning": ("lightning_program.py", None),
    "fastai": ("fastai_program.py", ["fastai"]),
    "Keras on PyTorch": ("keras_program.py", ["keras", "torch"]),
}
OURS = "this project"
RECIPE = "--data_class MNIST --source download --model_class FastCNN --max_epochs 1 --optimizer AdamW "
RECIPE += "--one_cycle_max_lr 1.5e-2 --label_smoothing 0.1"
SEEDS = range(3)
SETTINGS = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}


def write_data(folder: Path) -> None:
    """Write MNIST as arrays, and as picture files in a folder for each class."""
    data = MNIST(source="download")
    data.prepare_data()
    data.setup()
    arrays = {}
    for split in ("train", "test"):
        part = data.splits[split]
        arrays[f"{split}_images"] = part.images[part.indices].numpy()
        arrays[f"{split}_labels"] = part.labels[part.indices].numpy()
        for digit in range(10):
            (folder / split / str(digit)).mkdir(parents=True)
        for number, (image, label) in enumerate(zip(arrays[f"{split}_images"], arrays[f"{split}_labels"], strict=True)):
            Image.fromarray(image).save(folder / split / str(label) / f"{number}.png", compress_level=1)
    np.savez(folder / "mnist.npz", **arrays)


def environment(folder: Path, packages: list[str] | None) -> str:
    """Return the Python of a new environment with these packages; without any, this one."""
    if packages is None:
        return sys.executable
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *packages], check=True)
    return str(folder / "bin" / "python")


def peer(python: str, script: str, data: Path, seed: int) -> dict[str, float]:
    """Run a program; return what it measured, and the seconds of all of it."""
    start = time.perf_counter()
    done = subprocess.run(
        [python, SCRIPTS / script, data, str(seed)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=SETTINGS,
        cwd=data,
    )
    return json.loads(done.stdout.splitlines()[-1]) | {"command_s": time.perf_counter() - start}


def ours(seed: int, log_dir: Path) -> dict[str, float]:
    """Run this project's command; return the same."""
    start = time.perf_counter()
    program = [sys.executable, str(ROOT / "training" / "run_experiment.py"), *RECIPE.split()]
    process = subprocess.Popen(
        [*program, "--seed", str(seed), "--log_dir", str(log_dir)],
        env=SETTINGS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{RECIPE}: {status}")
    whole = time.perf_counter() - start
    [folder] = log_dir.glob(f"*/version_{seed}")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {
        "training_s": metrics["seconds"], "epochs": 1, "test_acc": metrics["test_acc"], "command_s": whole,
        "memory_mb": used.ru_maxrss / 1024, "pictures_per_s": 55_000 / metrics["seconds"],
    }  # fmt: skip


def lines(script: str) -> int:
    """Return how many lines of code a program has, without the network, what is measured, and imports."""
    code = (SCRIPTS / script).read_text(encoding="utf-8").split('"""')[2]
    kept = [line for line in code.splitlines() if line.strip() and not line.startswith(("import", "from", "os."))]
    return sum("measured" not in line for line in kept)


def main() -> None:
    """Run everyone in turns, print the table, write the JSON."""
    runs: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_data(data)
        pythons = {
            name: environment(Path(folder) / script.partition("_")[0], packages)
            for name, (script, packages) in PEERS.items()
        }
        for seed in SEEDS:  # in turns
            runs.setdefault(OURS, []).append(ours(seed, Path(folder) / "logs"))
            for name, (script, _) in PEERS.items():
                runs.setdefault(name, []).append(peer(pythons[name], script, data, seed))
    middle = {
        name: {what: statistics.median(run[what] for run in own) for what in own[0]} for name, own in runs.items()
    }
    table = Table("", "train, s", "epochs", "test", "pictures/s", "all, s", "MB", "lines")
    for name, own in middle.items():
        count = 1 if name == OURS else lines(PEERS[name][0])
        own["lines"] = count
        table.add_row(
            name, f"{own['training_s']:.1f}", f"{own['epochs']:.0f}", f"{own['test_acc']:.2%}",
            f"{own['pictures_per_s']:,.0f}", f"{own['command_s']:.1f}", f"{own['memory_mb']:,.0f}", str(count),
        )  # fmt: skip
    console = PlainConsole()
    console.print(table)
    console.print(machine())
    claims = [
        Claim(f"MNIST to 98.5%: training with {name}, in times of this project's", "",
              f"{own['training_s'] / middle[OURS]['training_s']:.1f} times")
        for name, own in middle.items() if name != OURS
    ]  # fmt: skip
    write_json("peers", f"MNIST, FastCNN, batches of 128, {len(SEEDS)} seeds", {"runs": runs, "median": middle}, claims)


if __name__ == "__main__":
    main()
