"""Plot learning curves: the metrics after each epoch."""

import csv
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lab_kit.plots.figures import BLUE, ORANGE, save

# What is measured after each epoch, as `train_...` and `val_...`, and its name.
METRIC_NAMES = {"loss": "loss", "acc": "accuracy", "cer": "character error rate"}


def plot_curves(metrics_csv: Path, path: Path) -> None:
    """Draw the loss and what else was measured of training and validation, epoch by epoch."""
    curves = read_curves(metrics_csv)
    drawn = [name for name in METRIC_NAMES if {f"train_{name}", f"val_{name}"} & curves.keys()]
    last = max((epochs[-1] for epochs, _ in curves.values()), default=1)
    figure = Figure(figsize=(5.5 * len(drawn), 4.5), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, len(drawn), squeeze=False).flat, drawn, strict=True):
        for split, colour, label in (("train", ORANGE, "training"), ("val", BLUE, "validation")):
            if f"{split}_{quantity}" in curves:
                epochs, values = curves[f"{split}_{quantity}"]
                axes.plot(epochs, values, "o-", color=colour, label=label, markersize=5 if len(epochs) < 30 else 0)
        name = METRIC_NAMES[quantity]
        axes.set_title(f"{name.capitalize()} after each epoch", fontsize=13)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.set_xlim(0.5, last + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # after one epoch there is one tick
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path)


def read_curves(metrics_csv: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Return, for each metric in a run's `metrics.csv`, the epochs (from 1) and its values after them."""
    curves: dict[str, tuple[list[int], list[float]]] = {}
    with metrics_csv.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name not in ("epoch", "step"):
                    epochs, values = curves.setdefault(name, ([], []))
                    epochs.append(int(row["epoch"]) + 1)
                    values.append(float(value))
    return curves
