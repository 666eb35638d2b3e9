"""How long until 99% of MNIST's test digits are read?

Claims, for the recipe below: at most 4 s of training as the median of twenty seeds, each at 99.0% or better; and at
most 11 s for the whole command, from Python's start to the pictures in the run folder. The comparison is the convnet
of the T81-558 lecture, trained as tutorials do, for one epoch of its twelve.

    python benchmarks/mnist_99.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks import reference  # noqa: E402
from benchmarks.timing import Claim, write_json  # noqa: E402
from text_recognizer.data import MNIST  # noqa: E402

DATA = "--data_class MNIST --source download"
RECIPE = f"{DATA} --model_class FastCNN --max_epochs 1 --optimizer AdamW --one_cycle_max_lr 1.5e-2"
RECIPE += " --label_smoothing 0.1"
SEEDS = range(20)


def command(seed: int, log_dir: str) -> dict[str, float]:
    """Run the recipe in a process of its own; return the seconds of training and of all, and the test accuracy."""
    program = [sys.executable, str(ROOT / "training" / "run_experiment.py")]
    flags = [*RECIPE.split(), "--seed", str(seed), "--log_dir", log_dir]
    start = time.perf_counter()
    subprocess.run(
        [*program, *flags], check=True, capture_output=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    )
    whole = time.perf_counter() - start
    [folder] = Path(log_dir).glob(f"*/version_{seed}")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {"training_s": metrics["seconds"], "command_s": whole, "test_acc": metrics["test_acc"]}


def lecture() -> dict[str, float]:
    """Train the lecture's convnet for one epoch of its twelve."""
    data = MNIST(source="download")
    data.prepare_data()
    data.setup()
    loaders = [
        reference.picture_by_picture(s.images[s.indices], s.labels[s.indices], data.mean, data.std, 128, 0)
        for s in (data.splits["train"], data.splits["test"])
    ]
    torch.manual_seed(0)
    model = reference.keras_convnet()
    start = time.perf_counter()
    reference.train_epoch(model, loaders[0], torch.optim.Adam(model.parameters()))
    return {"epoch_s": time.perf_counter() - start, "test_acc": reference.accuracy(model, loaders[1])}


def main() -> None:
    """Measure, print, write the JSONs."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [command(seed, folder) for seed in SEEDS]
    training, whole = (statistics.median(run[name] for run in runs) for name in ("training_s", "command_s"))
    worst = min(run["test_acc"] for run in runs)
    claims = [
        Claim("MNIST to 99.0% of the test digits: training", "at most 4 s", f"{training:.1f} s"),
        Claim("... the worst seed", "99.0%", f"{worst:.2%}"),
        Claim("... the whole command, imports and tests included", "at most 11 s", f"{whole:.1f} s"),
    ]
    on = f"MNIST, {len(runs)} seeds, each a command of its own: {RECIPE}"
    write_json("mnist_99", on, {"repeats": len(runs), "runs": runs}, claims)

    slow = lecture()
    ratio = f"{slow['epoch_s'] / training:.0f} times"
    what = "... one epoch of the T81-558 convnet (98.4%) in a plain loop takes"
    write_json("mnist_99_lecture", "MNIST, float32, picture by picture", slow, [Claim(what, "", ratio)])


if __name__ == "__main__":
    main()
