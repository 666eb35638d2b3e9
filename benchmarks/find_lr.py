"""Are the learning rates that the finder suggests worth training with?

Four optimizers on three networks, on digits of pen strokes: what the finder suggests with three seeds, and how well the
network reads after a short training with that rate and with each of a hand-made grid.

    python benchmarks/find_lr.py

Claims: every suggestion reads at least nine tenths of what the best rate of the grid reads, and no seed's suggestion is
further from another's than a factor of three.
"""

import logging
import sys
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, write_json  # noqa: E402
from text_recognizer.data import MNIST  # noqa: E402
from text_recognizer.lit_models import BaseLitModel  # noqa: E402
from text_recognizer.models import CNN, MLP, ResNet  # noqa: E402
from training.find_lr import find_lr  # noqa: E402

NETWORKS = {
    "MLP": lambda config: MLP(config),
    "CNN": lambda config: CNN(config, conv_dim=16),
    "ResNet": lambda config: ResNet(config, conv_dim=16, num_blocks=1),
}
OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop")
GRID = [float(f"{rate:.1e}") for rate in np.geomspace(1e-5, 1, 11)]  # two rates a power of ten
SEEDS = range(3)
BATCH_SIZE, STEPS = 64, 150
TEST = range(2_000)  # pictures
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "limit_val_batches": 0,
}


def new_model(network: str, optimizer: str, data: MNIST, seed: int, lr: float = 1e-3) -> BaseLitModel:
    """Return a model whose weights depend on the seed alone."""
    torch.manual_seed(seed)
    return BaseLitModel(NETWORKS[network](data.config()), data.config(), optimizer=optimizer, lr=lr)


def accuracy(network: str, optimizer: str, data: MNIST, lr: float) -> float:
    """Train for STEPS steps, and return the share of test pictures that are read."""
    model = new_model(network, optimizer, data, seed=0, lr=lr)
    pl.Trainer(max_steps=STEPS, **QUIET).fit(model, datamodule=data)
    images, labels = data.splits["test"].__getitems__(TEST)
    model.eval()
    with torch.no_grad():
        return float((model(images).argmax(dim=1) == labels).float().mean())


def measure(network: str, optimizer: str, data: MNIST) -> dict[str, object]:
    """Return what the finder suggests with each seed, and the accuracies with the first one and with the grid."""
    suggested = [
        find_lr(pl.Trainer(**QUIET), new_model(network, optimizer, data, seed), data).suggestion for seed in SEEDS
    ]
    grid = {lr: accuracy(network, optimizer, data, lr) for lr in GRID}
    best = max(grid, key=grid.__getitem__)
    as_suggested = [accuracy(network, optimizer, data, lr) if lr else 0.0 for lr in suggested]
    print(
        f"| {network} | {optimizer} | {', '.join(f'{lr:.1e}' if lr else 'none' for lr in suggested)} | "
        f"{min(as_suggested):.1%} | {best:.1e} | {grid[best]:.1%} |",
        flush=True,
    )
    return {"suggested": suggested, "accuracy": as_suggested, "grid": grid}


def main() -> None:
    """Measure, print, write the JSON."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    data = MNIST(batch_size=BATCH_SIZE, source="pen")
    data.prepare_data()
    data.setup()
    print("| network | optimizer | suggested | then reads at least | best of the grid | reads |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = {
        f"{network} {optimizer}": measure(network, optimizer, data) for network in NETWORKS for optimizer in OPTIMIZERS
    }
    share = min(min(row["accuracy"]) / max(row["grid"].values()) for row in found.values())
    apart = max(max(row["suggested"]) / min(row["suggested"]) for row in found.values())
    claims = [
        Claim("A suggested learning rate reads, of what the best of a grid reads", "at least 90%", f"{share:.1%}"),
        Claim("... the suggestions with three seeds differ by a factor of", "at most 3", f"{apart:.1f}"),
    ]
    on = f"digits of pen strokes, {STEPS} batches of {BATCH_SIZE}; {len(TEST):,} test pictures"
    write_json("find_lr", on, found, claims)


if __name__ == "__main__":
    main()
