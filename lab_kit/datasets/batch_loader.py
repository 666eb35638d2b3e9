"""A DataLoader that says in one line when its worker processes run out of shared memory, and never waits for ever."""

import multiprocessing
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lab_kit.errors import UserError

SHARED_MEMORY = Path("/dev/shm")  # where Linux keeps it; a Docker container has 64 MB, unless it is given more
IN_HAND = 2  # batches that the training loop holds while others wait in the queue
MORE = "or, in a container, give it more with a larger --shm-size."
FULL = f"Shared memory is full, and the workers that prepare batches need more: take fewer --num_workers, {MORE}"
ENDED = (
    "A worker that prepares batches has ended unexpectedly, as happens where memory runs out: take fewer "
    "--num_workers. With --num_workers 0, another error would show itself."
)
WORKER_ERRORS = {  # what PyTorch says, and what to do
    "unable to allocate shared memory": FULL,
    "workers are out of shared memory": FULL,
    "killed by signal: Killed": ENDED,
    "exited unexpectedly": ENDED,
    "killed by signal: Terminated": "The workers that prepare batches were stopped from outside.",
    "Too many open files": "The workers that prepare batches need more open files than are allowed: take fewer "
    "--num_workers, or allow more with `ulimit -n 4096`.",
}


class BatchLoader(DataLoader):
    """A DataLoader of whole batches, which workers hand over in shared memory.

    On Linux workers are copies of this process (`fork`), also where Python's default is another method: they all see
    the pictures in memory, and nothing is copied. `multiprocessing.set_start_method` overrules this.

    Raises, with the first batch or a later one:
        UserError: shared memory is too small; or an error of `explain_worker_errors`.
    """

    def __iter__(self) -> Iterator[Any]:
        return self._from_workers() if self.num_workers > 0 else super().__iter__()

    def _from_workers(self) -> Iterator[Any]:
        if self.multiprocessing_context is None:
            self.multiprocessing_context = _start_method()
        if self._iterator is None:  # else its workers are there already
            self._check_shared_memory()
        with explain_worker_errors():
            started = False
            try:
                batches = super().__iter__()
                started = True
                yield from batches
            except (ConnectionError, EOFError) as error:  # half a batch, and nobody there to send the rest
                raise UserError(ENDED) from error
            except OSError as error:
                if started:
                    raise
                raise UserError(
                    f"The workers that prepare batches cannot be started ({error.strerror or error}): "
                    "take fewer --num_workers (0 needs none)."
                ) from error

    def _check_shared_memory(self) -> None:
        if not SHARED_MEMORY.is_dir():
            return
        size, memory = self._batch_bytes(), shutil.disk_usage(SHARED_MEMORY)
        ahead = self.prefetch_factor * self.num_workers
        batches = min(len(self), ahead + IN_HAND)
        # Where training and validation take turns, both keep batches.
        too_much = batches * size > memory.free or (batches + min(len(self), ahead)) * size > memory.total
        if memory.total > 0 and too_much:  # a total of 0 means that there is no limit
            fit = int(memory.total / size - IN_HAND) // (2 * self.prefetch_factor)
            raise UserError(
                f"--num_workers {self.num_workers} keeps up to {batches} batches of {size / 1e6:,.1f} MB in shared "
                f"memory. {SHARED_MEMORY} has {memory.free / 1e6:,.0f} MB free of {memory.total / 1e6:,.0f} MB: "
                f"take --num_workers {max(0, min(fit, self.num_workers - 1))}, {MORE}"
            )

    def _batch_bytes(self) -> int:
        settings = {"batch_sampler": self.batch_sampler, "collate_fn": self.collate_fn, "generator": torch.Generator()}
        with torch.random.fork_rng(devices=[]):  # to look changes nothing
            batch = next(iter(DataLoader(self.dataset, **settings)), ())
        return sum(part.nbytes for part in batch if isinstance(part, Tensor))


@contextmanager
def explain_worker_errors() -> Iterator[None]:
    """Turn what PyTorch raises when a worker fails into a UserError, where there is something to do.

    PyTorch raises some of it wherever the main program happens to be, not only where it asks for a batch.
    """
    try:
        yield
    except RuntimeError as error:
        if known := next((sign for sign in WORKER_ERRORS if sign in str(error)), None):
            raise UserError(WORKER_ERRORS[known]) from error
        raise


def _start_method() -> str | None:
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen or ("fork" if sys.platform == "linux" else None)
