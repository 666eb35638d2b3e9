"""How long until something happens?

Claims: `run_experiment.py --help` takes at most 1.15 times as long as importing torch and Lightning, and the first
training step on MNIST is done after at most 1.5 times that.

    python benchmarks/startup.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Benchmark, Claim  # noqa: E402

PROGRAM = ROOT / "training" / "run_experiment.py"
IMPORTS = "import torch, pytorch_lightning"
# The command itself, in a process that ends with its first training step.
FIRST_STEP = """
import os, runpy, sys
sys.argv = sys.argv[1:]
import torch
step = torch.optim.Adam.step
def first(self, *args, **kwargs):
    step(self, *args, **kwargs)
    os._exit(0)
torch.optim.Adam.step = first
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def main() -> None:
    """Measure, print, write the JSON."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--data_class", "MNIST", "--model_class", "MLP", "--log_dir", folder]
        commands = {
            "import torch, pytorch_lightning": ["-c", IMPORTS],
            "run_experiment.py --help": [str(PROGRAM), "--help"],
            "from command to first training step": ["-c", FIRST_STEP, str(PROGRAM), *flags],
        }
        benchmark = Benchmark("startup", "starts", "each in a process of its own, files in the page cache")
        for name, command in commands.items():
            benchmark.add(name, lambda c=command: run(c), 1)
        speeds = benchmark.run(base="import torch, pytorch_lightning")
    bare, shown, step = (1 / speeds[name] for name in commands)
    benchmark.claim(
        Claim("`--help`, against importing torch and Lightning", "at most 1.15", f"{shown / bare:.2f}"),
        Claim("From command to first training step, likewise", "at most 1.5", f"{step / bare:.2f}"),
    )


def run(command: list[str]) -> None:
    """Run Python, with compiled modules kept as everywhere else."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment, cwd=ROOT)


if __name__ == "__main__":
    main()
