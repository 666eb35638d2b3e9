"""Where does the time of a training step go? A table for people, and a trace for Perfetto."""

import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from lab_kit import atomic_write
from lab_kit.errors import UserError
from lab_kit.experiment.cpu_load import CpuClock
from lab_kit.experiment.trial import trial_fit
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole

TRACE, FIGURES = "trace.json.gz", "profile.json"
WARM, TIMED, TRACED = 10, 40, 5  # steps: before the clock runs, on the clock, and recorded for the trace
OPERATORS = 8  # in the table
MUCH_WAITING, MUCH_OTHER_WORK = 0.2, 0.3  # of a step; of a core

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepTimes:
    """The mean time of the parts of a step, in seconds.

    Args:
        data: until the next batch is there: it is prepared, or waited for, moved to the device and augmented.
        forward: from the batch to the loss, what is measured on the way included.
        backward: from the loss to the gradients.
        optimizer: from the gradients to the new weights.
        cores: of this machine, that these steps kept busy.
        other_cores: that other programs kept busy meanwhile.
        samples: in a batch.
    """

    data: float
    forward: float
    backward: float
    optimizer: float
    cores: float
    other_cores: float
    samples: float

    @property
    def step(self) -> float:
        return self.data + self.forward + self.backward + self.optimizer


class StepClock(pl.Callback):
    """Note when each part of a step ends. On a GPU, which works on its own, each part is waited for.

    Args:
        first: the step before which the clock starts, from 0.
        last: the step before which it stops.
    """

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.spent = dict.fromkeys(("data", "forward", "backward", "optimizer"), 0.0)
        self.samples = self.steps = self._seen = 0
        self._now = 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._end_of("data", pl_module)
        if self._is_timed():
            self.samples += len(batch[0])

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        self._end_of("forward", pl_module)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end_of("backward", pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._end_of("optimizer", pl_module)
        self.steps += self._is_timed()
        self._seen += 1
        if self._seen == self.first:
            self._clock = CpuClock()
        elif self._seen == self.last:
            self.load = self._clock.look()

    def times(self) -> StepTimes:
        """Return the means."""
        parts = {name: seconds / self.steps for name, seconds in self.spent.items()}
        return StepTimes(**parts, cores=self.load.own, other_cores=self.load.others, samples=self.samples / self.steps)

    def _is_timed(self) -> bool:
        return self.first <= self._seen < self.last

    def _end_of(self, part: str, pl_module: pl.LightningModule) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        before, self._now = self._now, time.perf_counter()
        if self._is_timed():
            self.spent[part] += self._now - before


class Recorder(pl.Callback):
    """Record what PyTorch calculates in some steps.

    Args:
        first: the step before which it starts, from 0.
        last: the step before which it stops.
    """

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self._seen = first, last, 0
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
        self.profile = profile(activities=activities)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._seen += 1
        if self._seen == self.first:
            self.profile.start()
        elif self._seen == self.last:
            self.profile.stop()

    def operators(self) -> list[tuple[str, float]]:
        """Return the operators that take most time, and their shares of the time of all."""
        means = self.profile.key_averages()
        kind = "self_device_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        spent = [(mean.key, getattr(mean, kind)) for mean in means if not mean.key.startswith("ProfilerStep")]
        whole = sum(value for _, value in spent) or 1
        return [(name, value / whole) for name, value in sorted(spent, key=lambda pair: -pair[1])[:OPERATORS]]


def profile_steps(
    trainer: pl.Trainer, model: pl.LightningModule, data: pl.LightningDataModule, folder: Path
) -> StepTimes:
    """Train some steps, say where their time went, and put everything back.

    It leaves `profile.json` and a trace in the folder; https://ui.perfetto.dev shows the trace, without sending it
    anywhere.

    Raises:
        UserError: there is nothing to train on.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # of the recorder, which reports that there is no GPU as an error
    log.info("Training %d steps, to see where their time goes", WARM + TIMED + TRACED)
    clock, recorder = StepClock(WARM, WARM + TIMED), Recorder(WARM + TIMED, WARM + TIMED + TRACED)
    trial_fit(trainer, model, data, [clock, recorder], WARM + TIMED + TRACED + 1)
    if not clock.steps:
        raise UserError("There are no training batches to profile.")
    times, operators = clock.times(), recorder.operators()
    with atomic_write.replaced(folder / TRACE) as unfinished:
        exported = unfinished.with_name("export.json.gz")  # by its end it decides whether to pack
        recorder.profile.export_chrome_trace(str(exported))
        exported.replace(unfinished)
    figures = {"step": times.step, **asdict(times), "operators": dict(operators)}
    atomic_write.write_json(figures, folder / FIGURES)
    print_times(times, operators, getattr(data, "num_workers", 0), PlainConsole())
    log.info("All operators, one after the other: open %s on https://ui.perfetto.dev", readable(folder / TRACE))
    return times


def print_times(times: StepTimes, operators: list[tuple[str, float]], workers: int, console: PlainConsole) -> None:
    """Print where the time went, and what to do about it."""
    table = Table(title="Where the time of a step goes", title_justify="left")
    for name, justify in (("part", "left"), ("ms", "right"), ("share", "right"), ("", "left")):
        table.add_column(name, justify=justify)
    how = f"waiting for {workers} workers" if workers else "prepared in the loop"
    for name, seconds, what in (
        ("data", times.data, how),
        ("forward", times.forward, "from the batch to the loss"),
        ("backward", times.backward, "from the loss to the gradients"),
        ("optimizer", times.optimizer, "from the gradients to the weights"),
        ("a step", times.step, f"{times.samples / times.step:,.0f} pictures a second"),
    ):
        table.add_row(name, f"{1000 * seconds:,.2f}", f"{seconds / times.step:.0%}", what)
    console.print(table)
    table = Table(title="What PyTorch calculated meanwhile", title_justify="left")
    table.add_column("operator")
    table.add_column("share", justify="right")
    for name, share in operators:
        table.add_row(name, f"{share:.0%}")
    console.print(table)
    count = os.cpu_count() or 1
    console.print(f"Busy cores: {times.cores:.1f} of {count} by this run, {times.other_cores:.1f} by other programs.")
    for line in advice(times, workers):
        console.print(line, soft_wrap=True)


def advice(times: StepTimes, workers: int) -> list[str]:
    """Return what to do, in words."""
    said = []
    if times.data > MUCH_WAITING * times.step:
        more = (
            "Try more workers where cores are free (--num_workers), or none where the network is small."
            if workers
            else "Workers can prepare it ahead (--num_workers 2), but for what --augment does."
        )
        said.append(f"{times.data / times.step:.0%} of the time goes into getting a batch. {more}")
    if times.other_cores > MUCH_OTHER_WORK:
        said.append("Other programs are at work on this machine: threads of this run wait for each other. Stop them.")
    return said
