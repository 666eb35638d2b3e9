"""How fast does training go, and does it still learn as well?

Claims: the Trainer with what `run_experiment.py` chooses for this machine trains the default CNN and ResNet at least
twice as fast as a plain loop in float32, where the processor multiplies matrices of bfloat16, and never slower where
it does not; the Trainer adds at most 10% to a plain loop with the same choices; and after as many epochs, the test
accuracy is the same within 0.2 points.

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
from text_recognizer.data import MNIST  # noqa: E402
from text_recognizer.data.dataset import ImageDataset  # noqa: E402
from text_recognizer.lit_models import BaseLitModel  # noqa: E402
from text_recognizer.models import CNN, ResNet  # noqa: E402

BATCH, BATCHES = 128, 24  # of each measurement
MODELS = (CNN, ResNet)
SEEDS = (0, 1, 2)
LEARNT_FROM, EPOCHS = 30_000, 1  # pictures, for the comparison of accuracies
QUIET = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "enable_progress_bar": False}
NO_AMX = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}  # the newest instructions without any for bfloat16


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


def trainer(model: nn.Module, data: MNIST, epochs: int = 1) -> float:
    """Train as `run_experiment.py` does; return the seconds in training batches."""
    hardware.tune(model)
    watch = Stopwatch()
    fit = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        precision=hardware.fast_precision("cpu"),
        limit_val_batches=0,
        callbacks=[watch],
        **QUIET,
    )
    fit.fit(BaseLitModel(model, data.config()), datamodule=data)
    return epochs * len(data.splits["train"]) / watch.samples_per_second


def measure_speed(suffix: str = "") -> None:
    """Compare the Trainer with plain loops."""
    data = mnist(BATCH * BATCHES)
    for cls in MODELS:
        name = cls.__name__
        on = f"{name} on MNIST, batches of {BATCH}, {hardware.fast_precision('cpu')}"
        benchmark = Benchmark(f"train_step_{name}{suffix}", "pictures", on, repeats=5)
        pictures = len(data.splits["train"])

        def new(cls: type[nn.Module] = cls) -> nn.Module:
            torch.manual_seed(0)
            return cls(data.config())

        base = "a plain loop in float32"
        benchmark.add(base, lambda n=new: plain(n(), data.train_dataloader()), pictures)
        benchmark.add("a plain loop, tuned", lambda n=new: tuned(n(), data.train_dataloader()), pictures)
        benchmark.add("this project: the Trainer, tuned", lambda n=new: trainer(n(), data), pictures)
        speeds = benchmark.run(base=base)
        ours = speeds["this project: the Trainer, tuned"]
        where, wanted = (", without AMX", "never slower") if suffix else ("", "2 times")
        overhead = speeds["a plain loop, tuned"] / ours - 1
        benchmark.claim(
            Claim(f"Training the {name}, against a plain loop{where}", wanted, f"{ours / speeds[base]:.2f} times"),
            Claim(f"... what the Trainer adds to a loop of the same step{where}", "at most 10%", f"{overhead:.0%}"),
        )


def measure_accuracy() -> None:
    """Compare the test accuracy after as many epochs in float32 and with what is chosen here."""
    data = mnist(LEARNT_FROM)
    test = data.test_dataloader()
    read = {}
    claims = []
    for cls in MODELS:
        found = {"float32": [], "chosen": []}
        for seed in SEEDS:
            for way, accuracies in found.items():
                torch.manual_seed(seed)
                model = cls(data.config())
                if way == "float32":
                    optimizer = torch.optim.Adam(model.parameters())
                    for epoch in range(EPOCHS):
                        loader = data.train_dataloader()
                        loader.batch_sampler.set_epoch(epoch)
                        reference.train_epoch(model, loader, optimizer)
                else:
                    trainer(model, data, EPOCHS)
                accuracies.append(reference.accuracy(model, test))
        read[cls.__name__] = found
        means = {way: 100 * statistics.mean(accuracies) for way, accuracies in found.items()}
        difference = means["chosen"] - means["float32"]
        claims.append(
            Claim(
                f"Test accuracy of the {cls.__name__}, {hardware.fast_precision('cpu')} less float32",
                "within 0.2 points",
                f"{difference:+.2f} points",
            )
        )
    on = f"MNIST, {LEARNT_FROM:,} training pictures, {EPOCHS} epochs, mean of {len(SEEDS)} seeds"
    write_json("train_step_accuracy", on, {"test_accuracy": read}, claims)


PARTS = ("speed", "speed_without_amx", "accuracy")


def main() -> None:
    """Measure, print, write the JSONs: the parts that are named, each in a process of its own, or all of them."""
    parts = sys.argv[1:] or PARTS
    if len(parts) > 1:
        for part in parts:
            environment = os.environ | (NO_AMX if part == "speed_without_amx" else {})
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
