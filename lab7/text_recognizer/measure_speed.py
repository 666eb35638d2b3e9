"""Measure the speed of a shipped model in a process of its own.

`text_recognizer.benchmark` starts it, once for each backend and round, and reads what it prints.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from lab_kit.program import run
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.backends import Backend

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
WARM_UP = 20  # answers that are not timed: memory is still being allocated
CHUNK = 64


def measure(model: Path, backend: Backend, inputs: Path, threads: int, seconds: float, read_all: bool) -> None:
    """Print, as JSON, how long a model takes.

    `startup` are seconds from the start of the process to the first answer, `load` those of opening the model alone;
    `memory` are bytes in use while it answers one by one; `latencies` are seconds for one picture each, `batches`
    seconds for a batch of each size; `texts` is what was read.

    Args:
        model: the folder of a shipped model.
        backend: what runs it.
        inputs: a NumPy file with pictures (N, C, H, W) uint8.
        threads: how many share the work.
        seconds: how long single pictures are timed, and at least how long all batches together.
        read_all: whether to read all pictures, too.
    """
    pictures = np.load(inputs, allow_pickle=False)
    before = time.perf_counter()
    recognizer = Recognizer.load(model, backend, threads)
    load = time.perf_counter() - before
    recognizer.read(pictures[:1])
    startup = time.time() - psutil.Process().create_time()
    for k in range(WARM_UP):
        recognizer.read(_batch(pictures, k, 1))
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        picture = _batch(pictures, len(latencies), 1)
        before = time.perf_counter()
        recognizer.read(picture)
        latencies.append(time.perf_counter() - before)
    memory = psutil.Process().memory_info().rss
    batches = {size: _batch_seconds(recognizer, pictures, size, seconds / len(BATCHES)) for size in BATCHES}
    texts = []
    if read_all:
        for start in range(0, len(pictures), CHUNK):
            texts += [reading.text for reading in recognizer.read(pictures[start : start + CHUNK])]
    found = {"startup": startup, "load": load, "memory": memory, "latencies": latencies}
    json.dump(found | {"batches": batches, "texts": texts}, sys.stdout)


def _batch(pictures: np.ndarray, k: int, size: int) -> np.ndarray:
    """Return the k-th batch; after the last picture comes the first."""
    return pictures[np.arange(k * size, (k + 1) * size) % len(pictures)]


def _batch_seconds(recognizer: Recognizer, pictures: np.ndarray, size: int, seconds: float) -> float:
    """Return the median time for a batch of `size`."""
    recognizer.read(_batch(pictures, 0, size))
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        batch = _batch(pictures, len(taken), size)
        before = time.perf_counter()
        recognizer.read(batch)
        taken.append(time.perf_counter() - before)
    return float(np.median(taken))


if __name__ == "__main__":
    run(measure)
