"""Measure how fast a shipped model is on this device, and what 8 bits cost.

python -m text_recognizer.benchmark shipped
"""

import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from tqdm import tqdm

from lab_kit import atomic_write
from lab_kit.errors import UserError
from lab_kit.paths import code_root, readable
from lab_kit.plain_console import PlainConsole
from lab_kit.plots.speed import plot_speed
from lab_kit.program import run
from text_recognizer.shipping.backends import FILES
from text_recognizer.shipping.model_card import ModelCard

log = logging.getLogger(__name__)

NAMES = {"torch": "PyTorch eager", "onnx": "ONNX Runtime", "int8": "ONNX in 8 bits"}
PERCENTILES = (50, 95, 99)
NOISE = 256  # pictures of noise, where there are no others


def benchmark(
    model: Path,
    out: Path | None = None,
    rounds: int = 3,
    seconds: float = 3.0,
    threads: int = 1,
    pictures: int = 10_000,
) -> None:
    """Measure a shipped model with PyTorch, ONNX Runtime, and ONNX Runtime in 8 bits; print a table, draw a plot.

    Each measurement has a process of its own. The backends are measured in turns, so that other work of the machine
    affects all of them.

    Args:
        model: the folder of a shipped model.
        out: the folder for benchmark.json and benchmark.png; the model's own, if not given.
        rounds: how often each backend is measured.
        seconds: how long single pictures are timed in each round.
        threads: how many share the work for a batch.
        pictures: test pictures to read for the accuracy, at most.
    """
    for name, value in {"rounds": rounds, "seconds": seconds, "threads": threads, "pictures": pictures}.items():
        if value <= 0:
            raise UserError(f"{name} must be greater than 0, not {value}.")
    card = ModelCard.read(model)
    inputs, texts = _test_pictures(card, pictures)
    backends = [name for name in NAMES if FILES[name] in card.files]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inputs.npy"
        np.save(file, inputs)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in backends}
        with tqdm(total=rounds * len(backends), desc="Measuring", unit=" processes", disable=None) as progress:
            for k in range(rounds):
                for name in backends:
                    read_all = k == 0 and texts is not None
                    found[name].append(_measured(model, name, file, threads, seconds, read_all))
                    progress.update()
    results = {name: _summary(found[name], model, name, card, texts) for name in backends}
    target = model if out is None else out
    target.mkdir(parents=True, exist_ok=True)
    content = {"model": card.digest, "model_class": card.model_class, "threads": threads, "rounds": rounds} | results
    atomic_write.write_text(json.dumps(content, indent=1) + "\n", target / "benchmark.json")
    plot_speed(results, NAMES, PERCENTILES, target / "benchmark.png")
    _print(results, card, len(inputs) if texts is not None else 0, target)


def _test_pictures(card: ModelCard, count: int) -> tuple[np.ndarray, list[str] | None]:
    """Return pictures of the test set of the run, and what they show; noise and None if the data is not here."""
    from text_recognizer.shipping.held_out import held_out, load_data

    try:
        return held_out(load_data(card), "test", count)
    except UserError as error:
        log.warning("Without the data of the run, there is no accuracy: %s", error)
        noise = np.random.default_rng(0).integers(0, 256, (NOISE, *card.input_dims), dtype=np.uint8)
        return noise, None


def _measured(model: Path, backend: str, inputs: Path, threads: int, seconds: float, read_all: bool) -> dict[str, Any]:
    words = [model.resolve(), backend, inputs, threads, seconds, read_all]
    command = [sys.executable, "-m", "text_recognizer.measure_speed", *map(str, words)]
    done = subprocess.run(command, cwd=code_root(), capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it ended without a word"]
        raise UserError(f"{NAMES[backend]} could not be measured: {lines[-1].removeprefix('error: ')}")
    return json.loads(done.stdout)


def _summary(
    found: list[dict[str, Any]], model: Path, backend: str, card: ModelCard, texts: list[str] | None
) -> dict[str, Any]:
    """Return the figures of a backend: of latencies, percentiles over all rounds; of the rest, the median round."""
    latencies = np.concatenate([one["latencies"] for one in found])
    batches = {int(size): float(np.median([one["batches"][size] for one in found])) for size in found[0]["batches"]}
    summary = {
        "file_bytes": (model / FILES[backend]).stat().st_size,
        "startup_s": float(np.median([one["startup"] for one in found])),
        "load_s": float(np.median([one["load"] for one in found])),
        "memory_bytes": float(np.median([one["memory"] for one in found])),
        **{f"p{p}_ms": float(np.percentile(latencies, p)) * 1e3 for p in PERCENTILES},
        "p50_ms_by_round": [float(np.median(one["latencies"])) * 1e3 for one in found],
        "batch_ms": {size: taken * 1e3 for size, taken in batches.items()},
        "one_by_one_per_s": 1 / float(latencies.mean()),
        "in_batches_per_s": max(size / taken for size, taken in batches.items()),
    }
    if texts is not None:
        from text_recognizer.shipping.held_out import error_rate

        summary["cer" if card.kind == "line" else "error"] = error_rate(found[0]["texts"], texts, card.kind)
    return summary


def _print(results: dict[str, dict[str, Any]], card: ModelCard, count: int, target: Path) -> None:
    table = Table(title=f"{card.model_class}, one picture at a time", title_justify="left", title_style="bold")
    table.add_column("", style="cyan")
    quality = "character errors" if card.kind == "line" else "accuracy"
    for name in ("file", "start", "memory", *(f"p{p}" for p in PERCENTILES), "one by one", "in batches", quality):
        table.add_column(name, justify="right")
    for backend, of in results.items():
        rate = of.get("cer", 1 - of["error"] if "error" in of else None)
        table.add_row(
            NAMES[backend],
            f"{of['file_bytes'] / 1e6:.2f} MB",
            f"{of['startup_s']:.2f} s",
            f"{of['memory_bytes'] / 1e6:.0f} MB",
            *(f"{of[f'p{p}_ms']:.2f} ms" for p in PERCENTILES),
            f"{of['one_by_one_per_s']:,.0f}/s",
            f"{of['in_batches_per_s']:,.0f}/s",
            "?" if rate is None else f"{rate:.2%}",
        )
    console = PlainConsole()
    console.print(table)
    if count:
        console.print(f"Accuracy on {count:,} test pictures of {card.source}.", soft_wrap=True)
    for backend in ("onnx", "int8"):
        if backend in results:
            ratios = np.divide(results["torch"]["p50_ms_by_round"], results[backend]["p50_ms_by_round"])
            console.print(
                f"{NAMES[backend]} answers one picture {np.median(ratios):.1f} times as fast as PyTorch "
                f"({min(ratios):.1f} to {max(ratios):.1f} in {len(ratios)} rounds).",
                soft_wrap=True,
            )
    console.print(f"{readable(target / 'benchmark.json')}, {readable(target / 'benchmark.png')}", soft_wrap=True)


if __name__ == "__main__":
    run(benchmark)
