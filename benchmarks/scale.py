"""What does a set cost that does not fit into memory?

Claim: batches of ten million pictures that lie on the disk, mapped into memory, cost little more per picture than those
of 700,000 pictures in memory: once the system has them in its cache, and, in blocks of neighbours, also if it has not.

    python benchmarks/scale.py [FOLDER]

FOLDER is on the disk to measure; 8 GB are written to it, and removed.
"""

import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.loader import BATCH, module  # noqa: E402
from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.datasets import batch_index_sampler, cache, cache_format  # noqa: E402

MANY, FEW = 10_000_000, 700_000
SCATTERED = 20_000  # pictures are enough to see that they are slow
REPEATS = 3


class Made:
    """Pictures or labels of chance, made as they are written."""

    dtype = np.dtype(np.uint8)

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def __getitem__(self, rows: slice) -> np.ndarray:
        random = np.random.default_rng(rows.start)
        return np.frombuffer(random.bytes((rows.stop - rows.start) * int(np.prod(self.shape[1:]))), np.uint8).reshape(
            -1, *self.shape[1:]
        )


def drop(path: Path) -> None:
    """Let the system forget what it has of a file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def per_picture(arrays: cache.Arrays, pictures: int, scattered: bool = False) -> float:
    """Read as many pictures in training batches; return the microseconds that one takes."""
    images, labels = (torch.from_numpy(arrays[name]) for name in ("images", "labels"))
    data = module(images, labels, num_workers=0)
    loader, usual = data.train_dataloader(), batch_index_sampler.SCATTERED
    batch_index_sampler.SCATTERED = sys.maxsize if scattered else usual
    try:
        batches = iter(loader)
        next(batches)  # with it, the order of all the others was made
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in itertools.islice(batches, -(-pictures // BATCH) - 1))
        return 1e6 * (time.perf_counter() - start) / count
    finally:
        batch_index_sampler.SCATTERED = usual


def main() -> None:
    """Write the set, go through it in several ways, print, write the JSON."""
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=folder) as root:
        path = Path(root) / "scale.h5"
        start = time.perf_counter()
        cache_format.write_arrays(path, {"images": Made(MANY, 28, 28), "labels": Made(MANY)}, compress=False)
        seconds = {"write": time.perf_counter() - start}
        drop(path)
        cache_format.MOST_MEMORY = 0.0  # whatever this machine has: map it
        start = time.perf_counter()
        arrays = cache_format.read_arrays(path)
        seconds["check"] = time.perf_counter() - start
        few = {name: np.array(array[:FEW]) for name, array in arrays.items()}
        found: dict[str, list[float]] = {}
        for _ in range(REPEATS):  # in turns
            found.setdefault("in memory", []).append(per_picture(few, FEW))
            found.setdefault("mapped, cached", []).append(per_picture(arrays, FEW))
        found["mapped, cached, a whole epoch"] = [per_picture(arrays, MANY)]
        for _ in range(REPEATS):
            for name, pictures, scattered in (("blocks", FEW, False), ("scattered", SCATTERED, True)):
                places = {key: (array.dtype, array.offset, array.shape) for key, array in arrays.items()}
                del arrays  # the system keeps what somebody has mapped
                drop(path)
                arrays = {
                    key: np.memmap(path, dtype, "c", offset, shape) for key, (dtype, offset, shape) in places.items()
                }
                found.setdefault(f"mapped, from the disk, {name}", []).append(per_picture(arrays, pictures, scattered))
        middle = {name: float(np.median(times)) for name, times in found.items()}
        base = middle["in memory"]
        claims = [
            Claim(f"A picture of ten million, {name}, against one in memory", "", f"{value / base:.2f} times")
            for name, value in middle.items()
            if name != "in memory"
        ]
        on = f"{MANY:,} pictures of 28 x 28 pixels, {path.stat().st_size / 1e9:.1f} GB; batches of {BATCH}"
        write_json("scale", on, {"seconds": seconds, "microseconds per picture": found, "median": middle}, claims)
        print({name: round(value, 2) for name, value in (middle | seconds).items()})


if __name__ == "__main__":
    main()
