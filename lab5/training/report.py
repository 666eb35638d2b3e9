"""What every run leaves for people to look at: learning curves, figures, and the final table."""

import csv
import json
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from text_recognizer import atomic

# Colours that people with any colour vision tell apart (Okabe and Ito, 2008).
BLUE, ORANGE, RED = "#0072B2", "#E69F00", "#D55E00"
DPI = 120

# What is measured after each epoch, as `train_...` and `val_...`, and its name.
QUANTITIES = {"loss": "loss", "acc": "accuracy", "cer": "character error rate"}


def plot_curves(metrics_csv: Path, path: Path) -> None:
    """Draw the loss and what else was measured of training and validation, epoch by epoch."""
    curves = read_curves(metrics_csv)
    drawn = [name for name in QUANTITIES if {f"train_{name}", f"val_{name}"} & curves.keys()]
    figure = Figure(figsize=(5.5 * len(drawn), 4.5), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, len(drawn), squeeze=False).flat, drawn, strict=True):
        for split, colour, label in (("train", ORANGE, "training"), ("val", BLUE, "validation")):
            if f"{split}_{quantity}" in curves:
                epochs, values = curves[f"{split}_{quantity}"]
                axes.plot(epochs, values, "o-", color=colour, label=label, markersize=5 if len(epochs) < 30 else 0)
        name = QUANTITIES[quantity]
        axes.set_title(f"{name.capitalize()} after each epoch", fontsize=13)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.get_major_locator().set_params(integer=True)
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


def write_json(content: dict[str, object], path: Path) -> None:
    """Write `content` whole or not at all."""
    atomic.write_text(json.dumps(content, indent=2) + "\n", path)


def print_table(title: str, rows: dict[str, object], console: Console) -> None:
    """Print the end of a run."""
    table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, str(value))
    console.print(table)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic.replaced(path) as unfinished:
        figure.savefig(unfinished, dpi=DPI, format="png")
