"""How near is a training step to what this processor can do at most?

The time that a step needs at least is that of its multiplications at the processor's peak (measured with a large matrix
product), or that of its bytes at the memory's (measured by copying), whichever is longer: the roofline (Williams,
Waterman and Patterson, 2009). Bytes are those of weights, gradients and optimizer, and of all results of layers, each
written once and read once forward and once backward.

    python benchmarks/roofline.py
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import machine, write_json  # noqa: E402
from lab_kit.experiment import hardware  # noqa: E402
from lab_kit.plain_console import PlainConsole  # noqa: E402
from text_recognizer.data import EMNISTLines, IAMLines  # noqa: E402
from text_recognizer.data_config import DataConfig  # noqa: E402
from text_recognizer.models import CNN, CRNN, FastCNN, LineCNN, LineCNNLSTM, ResNet  # noqa: E402

SIDE, COPIED = 2048, 1 << 26  # of the matrices; numbers that are copied
REPEATS = 7
CHARACTERS = DataConfig((1, 28, 28), (1,), tuple("0123456789"))


def seconds(run: Callable[[], object]) -> float:
    """Return the median time of a function."""
    times = []
    for repeat in range(REPEATS + 2):
        start = time.perf_counter()
        run()
        if repeat >= 2:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def peaks() -> dict[str, float]:
    """Return multiplications and additions a second in float32 and bfloat16, and bytes a second of the memory."""
    found = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        one, two = (torch.randn(SIDE, SIDE).to(kind) for _ in range(2))
        found[name] = 2 * SIDE**3 / seconds(lambda one=one, two=two: one @ two)
    source, target = torch.randn(COPIED), torch.empty(COPIED)
    found["memory"] = 2 * 4 * COPIED / seconds(lambda: target.copy_(source))
    return found


class Step:
    """A training step of a network, in the precision that is chosen here."""

    def __init__(self, network: nn.Module, images: Tensor, bf16: bool) -> None:
        hardware.tune(network)
        self.network, self.images, self.bf16 = network, images, bf16
        self.optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def forward(self) -> Tensor:
        """Return a loss. (Which one matters little for the time: CTC takes 2 to 7%.)"""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            return functional.mse_loss(logits := self.network(self.images).float(), torch.zeros_like(logits))

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self.forward().backward()
        self.optimizer.step()

    def work(self) -> tuple[float, float]:
        """Return the multiplications and additions of a step, and its bytes."""
        with FlopCounterMode(display=False) as counter:
            self.forward().backward()
        sizes: list[int] = []
        flops = [counter.get_total_flops()]

        def count(layer: nn.Module, inputs: tuple[Tensor, ...], out: object) -> None:
            sizes.append(out.numel() if torch.is_tensor(out) else out[0].numel())
            if isinstance(layer, nn.LSTM):  # the counter does not know it. Backward takes twice as much as forward
                matrices = sum(weight.numel() for weight in layer.parameters() if weight.dim() == 2)
                flops.append(3 * 2 * matrices * inputs[0].shape[0] * inputs[0].shape[1])

        layers = [layer for layer in self.network.modules() if not list(layer.children())]
        hooks = [layer.register_forward_hook(count) for layer in layers]
        self.forward()
        for hook in hooks:
            hook.remove()
        weights = sum(weight.numel() for weight in self.network.parameters())
        return sum(flops), (2 if self.bf16 else 4) * 4 * sum(sizes) + 4 * 7 * weights


def main() -> None:
    """Measure the processor and the steps, print, write the JSON."""
    found, bf16 = peaks(), hardware.fast_precision("cpu") == "bf16-mixed"
    lines, natural = EMNISTLines(max_length=16).config(), IAMLines(max_length=40, source="pen").config()
    torch.manual_seed(0)
    cases = [
        ("FastCNN", FastCNN(CHARACTERS), torch.randn(128, 1, 28, 28)),
        ("CNN", CNN(CHARACTERS), torch.randn(128, 1, 28, 28)),
        ("ResNet", ResNet(CHARACTERS), torch.randn(128, 1, 28, 28)),
        ("LineCNN", LineCNN(lines), torch.randn(32, *lines.input_dims)),
        ("LineCNNLSTM", LineCNNLSTM(lines), torch.randn(32, *lines.input_dims)),
        ("CRNN", CRNN(natural), torch.randn(16, 1, natural.input_dims[1], 600)),
    ]
    table = Table("step of", "ms", "GFLOP", "MB", "at least, ms", "share of what is possible", "bound by")
    steps = {}
    for name, network, images in cases:
        step = Step(network, images, bf16)
        flops, moved = step.work()
        taken = seconds(step)
        bounds = {"multiplying": flops / found["bfloat16" if bf16 else "float32"], "memory": moved / found["memory"]}
        least, by = max((value, key) for key, value in bounds.items())
        steps[name] = {"seconds": taken, "flops": flops, "bytes": moved, "least": least, "bound": by}
        table.add_row(name, f"{1e3 * taken:.1f}", f"{flops / 1e9:.2f}", f"{moved / 1e6:.0f}", f"{1e3 * least:.1f}",
                      f"{least / taken:.0%}", by)  # fmt: skip
    console = PlainConsole()
    console.print(table)
    console.print(", ".join(f"{name} {value / 1e9:,.0f} G/s" for name, value in found.items()))
    console.print(machine())
    write_json("roofline", "batches of 128, 32 and 16", {"peaks": found, "steps": steps, "bf16": bf16})


if __name__ == "__main__":
    main()
