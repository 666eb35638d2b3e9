"""Measure functions side by side: in turns, several times, medians and ratios at the end."""

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).resolve().parent / "results"
REPEATS = 7


@dataclass
class Benchmark:
    """One claim about speed.

    Args:
        name: of the JSON file in `results/`.
        unit: what is counted, such as "lines".
        on: what it was measured on, beside the machine.
        repeats: how often each contestant runs; medians are reported.
    """

    name: str
    unit: str
    on: str
    repeats: int = REPEATS
    contestants: dict[str, tuple[Callable[[], object], int]] = field(default_factory=dict)

    def add(self, name: str, run: Callable[[], object], items: int) -> None:
        """Let `run`, which handles `items` items, take part."""
        self.contestants[name] = (run, items)

    def run(self, base: str) -> dict[str, float]:
        """Let everyone run in turns, print the table, and write the JSON.

        Args:
            base: the contestant with which the others are compared.

        Returns:
            the speeds, in items a second.
        """
        seconds = {name: [] for name in self.contestants}
        for repeat in range(1 + self.repeats):  # the first round warms up
            for name, (run, _) in self.contestants.items():
                start = time.perf_counter()
                run()
                if repeat:
                    seconds[name].append(time.perf_counter() - start)
        speeds = {name: items / statistics.median(seconds[name]) for name, (_, items) in self.contestants.items()}
        ratios = {name: speed / speeds[base] for name, speed in speeds.items()}
        self._print(speeds, ratios, base)
        content = {"on": self.on, "machine": machine(), "repeats": self.repeats, "unit": f"{self.unit}/s", "base": base}
        write_json(self.name, content | {"median_speed": speeds, "ratio": ratios, "seconds": seconds})
        return speeds

    def _print(self, speeds: dict[str, float], ratios: dict[str, float], base: str) -> None:
        table = Table(title=f"{self.name}: {self.on}", title_justify="left")
        table.add_column("")
        table.add_column(f"{self.unit}/s, median of {self.repeats}", justify="right")
        table.add_column(f"times {base}", justify="right")
        for name, speed in speeds.items():
            table.add_row(name, f"{speed:,.0f}", f"{ratios[name]:.2f}")
        console = Console()
        console.print(table)
        console.print(machine(), highlight=False)


def machine() -> str:
    """Return what ran the benchmark, in words."""
    return f"{_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def write_json(name: str, content: dict[str, object]) -> None:
    """Write `results/<name>.json`."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
