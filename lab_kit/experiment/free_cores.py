"""Calculate on as many threads as there are free cores.

Threads share out each operator, and wait for each other at its end, dozens of times in a step. If one of them has to
share its core with another program, all wait for it: two threads on two cores, one of which is busy, are slower than
one thread, up to sixty times.
"""

import logging
import math
import os
import time
from typing import Any

import pytorch_lightning as pl
import torch

from lab_kit.experiment.cpu_load import CpuClock

INTERVAL_S = 0.5  # between two looks: the system counts in hundredths of a second
BUSY = 0.45  # of a core: where other programs keep more of it busy, a thread there makes the others wait

log = logging.getLogger(__name__)


class FreeCores(pl.Callback):
    """Look at the start, and then twice a second, at what other programs do, and choose the number of threads.

    It leaves alone what is not calculated by the threads of one process: GPUs, and several processes, which share the
    cores out when they start. The number of threads may change the last digits of sums.
    """

    def __init__(self) -> None:
        self._most, self._said = 0, False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        alone = trainer.strategy.root_device.type == "cpu" and trainer.world_size == 1
        self._most = torch.get_num_threads() if alone else 1
        self._clock = CpuClock()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._most > 1:
            torch.set_num_threads(self._most)

    def on_fit_start(self, *_: Any) -> None:
        """Look before the first step, which on too many threads can take as long as a hundred others."""
        if self._most > 1:
            time.sleep(max(0.0, INTERVAL_S - self._clock.age))
        self._look()

    def on_train_batch_end(self, *_: Any) -> None:
        self._look()

    def on_validation_batch_end(self, *_: Any) -> None:
        self._look()

    def on_test_batch_end(self, *_: Any) -> None:
        self._look()

    def _look(self) -> None:
        if self._most == 1 or self._clock.age < INTERVAL_S:
            return
        others = self._clock.look().others
        threads = threads_beside(others, os.cpu_count() or self._most, self._most)
        if threads == torch.get_num_threads():
            return
        torch.set_num_threads(threads)
        if not self._said:
            self._said = True
            log.info(
                "Other programs keep %.1f cores busy: going on with %d of %d threads until they stop.",
                others, threads, self._most,
            )  # fmt: skip


def threads_beside(others: float, cores: int, most: int) -> int:
    """Return how many threads are fastest beside other programs, at least one.

    Args:
        others: how many cores those keep busy; a fraction counts.
        cores: of this machine.
        most: how many threads are fastest when nothing else runs: a container may use fewer than all cores.
    """
    return max(1, min(most, cores - math.floor(others + 1 - BUSY)))
