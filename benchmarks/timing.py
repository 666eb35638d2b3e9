"""Measure functions side by side: in turns, several times, medians and ratios at the end."""

import json
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from rich.table import Table

from lab_kit.experiment.hardware import processor_name
from lab_kit.plain_console import PlainConsole

RESULTS = Path(__file__).resolve().parent / "results"
REPEATS = 7


@dataclass(frozen=True)
class Claim:
    """A row of the README's table.

    Args:
        what: is compared with what.
        wanted: in words, such as "at least 20 times".
        measured: in words, such as "24.6 times".
    """

    what: str
    wanted: str
    measured: str


@dataclass
class Benchmark:
    """One claim about speed.

    Args:
        name: of the JSON file in `results/`, in the folder of this processor.
        unit: what is counted, such as "lines".
        on: what it was measured on, beside the machine.
        repeats: how often each contestant runs; medians are reported.
    """

    name: str
    unit: str
    on: str
    repeats: int = REPEATS
    contestants: dict[str, tuple[Callable[[], object], int]] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)  # items a second: filled by run()

    def add(self, name: str, run: Callable[[], object], items: int) -> None:
        """Let `run`, which handles `items` items, take part.

        It is timed, unless it returns the seconds that count, as a float.
        """
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
                own = run()
                taken = own if isinstance(own, float) else time.perf_counter() - start
                if repeat:
                    seconds[name].append(taken)
        for name, (_, items) in self.contestants.items():
            self.speeds[name] = items / statistics.median(seconds[name])
        ratios = {name: speed / self.speeds[base] for name, speed in self.speeds.items()}
        self._print(self.speeds, ratios, base)
        self._content = {"unit": f"{self.unit}/s", "repeats": self.repeats, "base": base}
        self._content |= {"median_speed": self.speeds, "ratio": ratios, "seconds": seconds}
        write_json(self.name, self.on, self._content)
        return self.speeds

    def claim(self, *claims: Claim) -> None:
        """Add to the JSON, and print, what was claimed and what came out; `run` must have come first."""
        write_json(self.name, self.on, self._content, claims)

    def _print(self, speeds: dict[str, float], ratios: dict[str, float], base: str) -> None:
        table = Table(title=f"{self.name}: {self.on}", title_justify="left")
        table.add_column("")
        table.add_column(f"{self.unit}/s, median of {self.repeats}", justify="right")
        table.add_column(f"times {base}", justify="right")
        for name, speed in speeds.items():
            table.add_row(name, f"{speed:,.0f}" if speed > 100 else f"{speed:.3g}", f"{ratios[name]:.2f}")
        console = PlainConsole()
        console.print(table)
        console.print(machine())


def machine() -> str:
    """Return what ran the benchmark, in words."""
    return f"{processor_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def write_json(name: str, on: str, content: dict[str, object], claims: Sequence[Claim] = ()) -> None:
    """Write `results/<processor>/<name>.json`: on what was measured, what came out, and what had been claimed."""
    folder = RESULTS / re.sub(r"[^a-z0-9]+", "_", processor_name().lower()).strip("_")
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"on": on, "machine": machine(), "claims": [asdict(claim) for claim in claims]} | content
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    for claim in claims:
        print(f"{claim.what}: {claim.measured} (wanted: {claim.wanted})")
