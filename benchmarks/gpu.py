"""What the course does on a GPU: the student's command, lines, two processes' protocol, resuming, export, speed.

    bash benchmarks/gpu.sh OUT.json            # at most six minutes
    bash benchmarks/gpu.sh OUT.json --tiny     # hardly any work, on any machine: does every step run?

Each step is a program in a process of its own, with a time limit. What it needs of the network is nothing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT = 345  # seconds for all steps together
LINES = "--data_class EMNISTLines --source pen --loss ctc --window_stride 8"
SPEED = {  # the models of the labs, each with the data that it reads
    "MLP": "--data_class MNIST --source pen --model_class MLP",
    "CNN": "--data_class EMNIST --source pen --model_class CNN",
    "ResNet": "--data_class EMNIST --source pen --model_class ResNet --augment",
    "LineCNN": f"{LINES} --model_class LineCNN",
    "LineCNNLSTM": f"{LINES} --model_class LineCNNLSTM",
    "LineCNNTransformer": "--data_class EMNISTLines --source pen --loss transformer --model_class LineCNNTransformer",
}


@dataclass
class Steps:
    """Runs programs one after the other, and keeps what came out.

    Args:
        out: the JSON file, written anew after each step.
        logs: where run folders go.
        tiny: do hardly any work.
    """

    out: Path
    logs: Path
    tiny: bool
    found: dict[str, dict] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    def train(self, name: str, flags: str, seconds: int, tiny: str = "--limit_train_batches 3") -> Path | None:
        """Run the program that trains; return the run folder, or None if it failed."""
        logs = self.logs / name.replace(" ", "_")
        small = f" --max_epochs 1 --limit_val_batches 2 --limit_test_batches 2 {tiny}" if self.tiny else ""
        command = [sys.executable, "training/run_experiment.py", *f"{flags}{small} --log_dir {logs}".split()]
        if not self.run(name, command, seconds):
            return None
        (folder,) = logs.glob("*/*")
        for file in ("metrics.json", "profile.json"):
            if (folder / file).is_file():
                self.found[name] |= json.loads((folder / file).read_text(encoding="utf-8"))
        self.write()
        return folder

    def run(self, name: str, command: list[str], seconds: int) -> bool:
        """Run one program; return whether it ended well in its time."""
        left = LEFT - (time.monotonic() - self.start)
        if left < 5:
            self.found[name] = {"left out": "no time was left"}
            self.write()
            return False
        begin = time.monotonic()
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=min(seconds, left)
            )
            code, said = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as error:
            code, said = None, (error.stdout or b"").decode(errors="replace")
        self.found[name] = {"exit code": code, "wall seconds": round(time.monotonic() - begin, 1)}
        if code != 0:
            self.found[name] |= {"command": " ".join(command[1:]), "said": said.splitlines()[-12:]}
        print(f"{name}: {'done' if code == 0 else f'exit code {code}'}, {time.monotonic() - begin:.0f} s", flush=True)
        self.write()
        return code == 0

    def write(self) -> None:
        """Write what is known so far: this machine may be taken away at any time."""
        whole = {"tiny": self.tiny, "seconds": round(time.monotonic() - self.start), "steps": self.found}
        self.out.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Parse the command line, and go through the steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as logs:
        steps = Steps(arguments.out.resolve(), Path(logs), arguments.tiny)
        steps.run("doctor", [sys.executable, "-m", "lab_kit.doctor", "--no-network"], 60)
        first = "--data_class EMNIST --model_class CNN --gpus 1 --source pen --max_epochs 2"
        folder = steps.train("the student's command", first, 100)
        if folder:
            steps.run("export", [sys.executable, "-m", "text_recognizer.export", str(folder)], 40)
            again = ["--resume", str(folder), "--max_epochs", "3"]
            steps.run("resume", [sys.executable, "training/run_experiment.py", *again], 60)
        steps.train("lines with CTC", f"{LINES} --model_class LineCNNLSTM --gpus 1 --max_time 00:00:00:40", 90)
        ddp = "--model_class FastCNN --source pen --max_epochs 1"
        gpu = "--gpus 1 --strategy ddp" if not arguments.tiny else "--accelerator cpu --devices 1 --strategy ddp"
        steps.train("DDP with one device", f"{ddp} {gpu}", 100)
        if not arguments.tiny:
            steps.train("float16", f"{first} --precision 16-mixed --limit_train_batches 0.2", 60)
        for name, flags in SPEED.items():
            steps.train(f"speed of {name}", f"{flags} --gpus 1 --profile", 60, "")
    bad = [name for name, one in steps.found.items() if one.get("exit code") != 0]
    print(f"{len(steps.found) - len(bad)} of {len(steps.found)} steps ended well. {', '.join(bad)}")


if __name__ == "__main__":
    main()
