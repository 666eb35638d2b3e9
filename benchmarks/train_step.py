"""How fast does training go, and does it still learn as well?

Claims: the Trainer with what `run_experiment.py` chooses for this machine trains the default CNN and ResNet at least
twice as fast as a plain loop in float32, where the processor multiplies bfloat16, and never slower where it does not;
the Trainer adds at most 15% to a plain loop with the same choices, also where a step takes milliseconds (FastCNN); and
after an epoch with a learning rate that falls to zero, what the precision chosen reads of the test pictures is within
0.2 points of what float32 reads: CNN, ResNet, and LineCNNLSTM (of characters in lines).

    python benchmarks/train_step.py
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks import reference  # noqa: E402
from benchmarks.timing import Benchmark, Claim, write_json  # noqa: E402
from lab_kit.experiment import console, hardware  # noqa: E402
from lab_kit.experiment.callbacks import Stopwatch  # noqa: E402
from text_recognizer.data import MNIST, EMNISTLines  # noqa: E402
from text_recognizer.data.dataset import ImageDataset  # noqa: E402
from text_recognizer.lit_models import BaseLitModel, CTCLitModel  # noqa: E402
from text_recognizer.models import CNN, FastCNN, LineCNNLSTM, ResNet  # noqa: E402

BATCH = 128
MODELS = {CNN: 24, ResNet: 24, FastCNN: 240}  # batches of each measurement
SEEDS = (0, 1, 2)
LEARNT_FROM = 55_000  # pictures, for the comparison of accuracies
QUIET = {
    "accelerator": "cpu",
    "limit_val_batches": 0,
    "logger": False,
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
}
NO_BF16 = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}  # the newest instructions without any for bfloat16


def mnist(pictures: int) -> MNIST:
    """Return MNIST with as many training pictures."""
    data = MNIST(batch_size=BATCH)
    data.prepare_data()
    data.setup()
    train = data.splits["train"]
    data.splits["train"] = ImageDataset(train.images, train.labels, train.indices[:pictures], train.mean, train.std)
    return data


def plain(model: nn.Module, loader: DataLoader) -> float:
    """Train as tutorials do; return the seconds."""
    optimizer = torch.optim.Adam(model.parameters())
    start = time.perf_counter()
    reference.train_epoch(model, loader, optimizer)
    return time.perf_counter() - start


def tuned(model: nn.Module, loader: DataLoader) -> float:
    """Train in a plain loop, with the choices of `run_experiment.py`; return the seconds."""
    hardware.tune(model)
    bf16 = hardware.fast_precision("cpu") == "bf16-mixed"
    optimizer = torch.optim.Adam(model.parameters())
    model.train()
    start = time.perf_counter()
    for images, labels in loader:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start


def trainer(model: nn.Module, data: MNIST) -> float:
    """Train as `run_experiment.py` does; return the seconds in training batches."""
    hardware.tune(model)
    watch = Stopwatch()
    fit = pl.Trainer(max_epochs=1, precision=hardware.fast_precision("cpu"), callbacks=[watch], **QUIET)
    fit.fit(BaseLitModel(model, data.config()), datamodule=data)
    return len(data.splits["train"]) / watch.samples_per_second


def measure_speed(suffix: str = "") -> None:
    """Compare the Trainer with plain loops, for each of the models."""
    for cls, batches in MODELS.items():
        compare(cls, batches, suffix)


def compare(cls: type[nn.Module], batches: int, suffix: str) -> None:
    """Compare the Trainer with plain loops."""
    data, name = mnist(BATCH * batches), cls.__name__
    on = f"{name} on MNIST, batches of {BATCH}, {hardware.fast_precision('cpu')}"
    benchmark = Benchmark(f"train_step_{name}{suffix}", "pictures", on, repeats=5)
    pictures = len(data.splits["train"])

    def new() -> nn.Module:
        torch.manual_seed(0)
        return cls(data.config())

    base = "a plain loop in float32"
    benchmark.add(base, lambda: plain(new(), data.train_dataloader()), pictures)
    benchmark.add("a plain loop, tuned", lambda: tuned(new(), data.train_dataloader()), pictures)
    benchmark.add("this project: the Trainer, tuned", lambda: trainer(new(), data), pictures)
    speeds = benchmark.run(base=base)
    ours = speeds["this project: the Trainer, tuned"]
    where, wanted = (", without bfloat16", "never slower") if suffix else ("", "2 times")
    overhead = speeds["a plain loop, tuned"] / ours - 1
    benchmark.claim(
        Claim(f"Training the {name}, against a plain loop{where}", wanted, f"{ours / speeds[base]:.2f} times"),
        Claim(f"... what the Trainer adds to a loop of the same step{where}", "at most 15%", f"{overhead:.0%}"),
    )


def read_character(cls: type[nn.Module], seed: int, precision: str) -> float:
    """Train on single characters; return the share of the test pictures that are read."""
    data = mnist(LEARNT_FROM)
    torch.manual_seed(seed)
    lit_model = BaseLitModel(cls(data.config()), data.config(), optimizer="AdamW", one_cycle_max_lr=3e-3)
    return train_and_test(lit_model, data, 1, precision)["test_acc"]


def read_lines(cls: type[nn.Module], seed: int, precision: str) -> float:
    """Train on lines, with CTC; return 1 less the character error rate of the test lines."""
    data = EMNISTLines(max_length=16, num_train=6_000)
    torch.manual_seed(seed)
    network = cls(data.config(), window_stride=8)
    lit_model = CTCLitModel(network, data.config(), optimizer="AdamW", one_cycle_max_lr=3e-3)
    return 1 - train_and_test(lit_model, data, 8, precision)["test_cer"]


def train_and_test(
    lit_model: pl.LightningModule, data: pl.LightningDataModule, epochs: int, precision: str
) -> dict[str, float]:
    """Return the metrics of the test after as many epochs."""
    hardware.tune(lit_model.model)
    fit = pl.Trainer(max_epochs=epochs, precision=precision, **QUIET)
    fit.fit(lit_model, datamodule=data)
    return fit.test(lit_model, datamodule=data, verbose=False)[0]


def measure_accuracy() -> None:
    """Compare what is read after as many epochs in float32 and in the precision chosen here, with the same seeds."""
    chosen = hardware.fast_precision("cpu")
    read = {}
    claims = []
    for measure, cls in ((read_character, CNN), (read_character, ResNet), (read_lines, LineCNNLSTM)):
        found = read[cls.__name__] = {way: [measure(cls, seed, way) for seed in SEEDS] for way in ("32-true", chosen)}
        difference = statistics.mean(found[chosen]) - statistics.mean(found["32-true"])
        what = f"What the {cls.__name__} reads of the test, {chosen} less float32"
        claims.append(Claim(what, "within 0.2 points", f"{100 * difference:+.2f} points"))
    on = f"MNIST, {LEARNT_FROM:,} training pictures, 1 epoch; EMNISTLines, 8 epochs; mean of {len(SEEDS)} seeds"
    write_json("train_step_accuracy", on, {"read": read}, claims)


PARTS = ("speed", "speed_without_bf16", "accuracy")


def main() -> None:
    """Measure, print, write the JSONs: the parts that are named, each in a process of its own, or all of them."""
    parts = sys.argv[1:] or PARTS
    if len(parts) > 1:
        for part in parts:
            environment = os.environ | (NO_BF16 if part == "speed_without_bf16" else {})
            subprocess.run([sys.executable, __file__, part], env=environment, check=True)
        return
    console.set_up()
    torch.set_flush_denormal(True)
    if parts[0] == "accuracy":
        measure_accuracy()
    else:
        measure_speed(parts[0].removeprefix("speed"))


if __name__ == "__main__":
    main()
