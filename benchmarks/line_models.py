"""What does it cost to read a line: window by window, or all windows at once?

Claim: `LineCNN`, which calculates what windows share once, reads several times as many lines a second as
`LineCNNSimple`, which reads each window by itself; the more the windows overlap, the more so.

    python benchmarks/line_models.py
"""

import sys
from pathlib import Path

import torch
from torch import nn

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.timing import Benchmark, Claim  # noqa: E402
from lab_kit.experiment.hardware import fast_precision  # noqa: E402
from text_recognizer.data import DataConfig  # noqa: E402
from text_recognizer.data.character_mapping import MAPPING  # noqa: E402
from text_recognizer.models import LineCNN, LineCNNSimple  # noqa: E402

LINES = 64
CONFIG = DataConfig((1, 28, 28 * 32), (32, 1), MAPPING)


def train_step(model: nn.Module, images: torch.Tensor, bf16: bool) -> None:
    """Go forward and backward."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = model(images).float().square().mean()
    model.zero_grad()
    loss.backward()


@torch.inference_mode()
def read(model: nn.Module, images: torch.Tensor, bf16: bool) -> None:
    """Go forward."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        model(images)


def main() -> None:
    """Measure, print, write the JSON."""
    torch.set_flush_denormal(True)
    bf16 = fast_precision("cpu") == "bf16-mixed"
    images = torch.rand(LINES, 1, 28, 28 * 32)
    for work in (train_step, read):
        for stride in (28, 8):
            name = f"line_models_{work.__name__}_{stride}"
            benchmark = Benchmark(name, "lines", f"lines of 32 characters, windows of 28 pixels every {stride}")
            for cls in (LineCNNSimple, LineCNN):
                model = cls(CONFIG, window_stride=stride).to(memory_format=torch.channels_last)
                model.train(work is train_step)
                benchmark.add(cls.__name__, lambda m=model, w=work: w(m, images, bf16), LINES)
            speeds = benchmark.run(base="LineCNNSimple")
            ratio = speeds["LineCNN"] / speeds["LineCNNSimple"]
            did = "Training" if work is train_step else "Reading"
            what = f"{did} line by line, against window by window, windows every {stride} pixels"
            benchmark.claim(Claim(what, "several times" if stride == 8 else "", f"{ratio:.1f} times"))


if __name__ == "__main__":
    main()
