"""How long, and how much memory, does all of EMNIST take from the archive to the first batch?

Claims: an archive of EMNIST's shape (697,932 + 116,323 pictures) is ready in at most 90 s, with at most 2.5 GB of
memory; from the cache, the first batch comes in at most 3 s; and loading keeps one copy of the pictures, in uint8.
The archive is made here, of random strokes, and each measurement runs in a process of its own.

    python benchmarks/prepare.py
"""

import gzip
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, write_json  # noqa: E402

PICTURES = {"train": 697_932, "test": 116_323}
CLASSES = 62
PIXELS = 28 * 28
REPEATS = 5

# What is measured: in a process of its own, so that its memory is its own.
MEASURED = """
import json, re, time
from text_recognizer.data import EMNIST
def peak():
    # Not ru_maxrss: that begins with what the parent process had.
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
imported = peak()
start = time.perf_counter()
data = EMNIST()
data.prepare_data()
data.setup()
ready = time.perf_counter() - start
images, labels = next(iter(data.train_dataloader()))
first = time.perf_counter() - start
copies = {split.images.data_ptr(): split.images.nbytes for split in data.splits.values()}
print(json.dumps({"ready": ready, "first_batch": first, "peak": peak(), "imported": imported,
                  "pictures": sum(copies.values()), "dtype": str(data.splits["train"].images.dtype)}))
"""


def idx(array: np.ndarray) -> bytes:
    """Return an array of uint8 as an IDX file."""
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def make_archive(path: Path) -> None:
    """Write a zip file like EMNIST's: as many pictures of random strokes, about as compressible as handwriting."""
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        mapping = "\n".join(f"{label} {ord(c)}" for label, c in enumerate(_characters()))
        archive.writestr("gzip/emnist-byclass-mapping.txt", mapping)
        for part, count in PICTURES.items():
            images = np.zeros((count, PIXELS), dtype=np.uint8)
            images[:, 200:350] = random.integers(0, 256, (count, 150), dtype=np.uint8)
            labels = random.integers(0, CLASSES, count, dtype=np.uint8)
            for kind, array in (("images-idx3", images.reshape(count, 28, 28)), ("labels-idx1", labels)):
                name = f"gzip/emnist-byclass-{part}-{kind}-ubyte.gz"
                archive.writestr(name, gzip.compress(idx(array), compresslevel=1))


def _characters() -> str:
    return "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def make_data_root(root: Path) -> None:
    """Make a data root that holds the archive, with its hash."""
    archive = root / "downloaded" / "emnist" / "gzip.zip"
    archive.parent.mkdir(parents=True)
    make_archive(archive)
    with archive.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    (root / "raw" / "emnist").mkdir(parents=True)
    (root / "raw" / "emnist" / "metadata.toml").write_text(
        f'name = "random strokes"\nsource = "benchmarks/prepare.py"\n\n[[files]]\nfilename = "gzip.zip"\n'
        f'size = {archive.stat().st_size}\nsha256 = "{sha256}"\nurls = []\n',
        encoding="utf-8",
    )


def measure(root: Path) -> dict[str, float]:
    """Prepare, load and take a batch in a new process."""
    environment = os.environ | {"TEXT_RECOGNIZER_DATA": str(root), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", MEASURED], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    """Measure, print, write the JSON."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_data_root(root)
        cold, warm = [], []
        for _ in range(REPEATS):
            for cache in (root / "processed").glob("emnist/*"):
                cache.unlink()
            cold.append(measure(root))
            warm.append(measure(root))
    median = {name: statistics.median(run[name] for run in cold) for name in ("ready", "peak")}
    first = statistics.median(run["first_batch"] for run in warm)
    held = [(run["peak"] - run["imported"]) / run["pictures"] for run in warm]
    claims = [
        Claim("All of EMNIST, from archive to ready", "at most 90 s", f"{median['ready']:.0f} s"),
        Claim("... memory at its peak, Python and PyTorch included", "2.5 GB", f"{median['peak'] / 1e9:.2f} GB"),
        Claim("... from the cache to the first batch", "at most 3 s", f"{first:.1f} s"),
        Claim("... memory that loading takes, in copies of the pictures", "1", f"{statistics.median(held):.2f}"),
    ]
    on = f"{sum(PICTURES.values()):,} pictures of 28x28, {REPEATS} times in turns, each in a process of its own"
    write_json("prepare", on, {"repeats": REPEATS, "from_archive": cold, "from_cache": warm}, claims)


if __name__ == "__main__":
    main()
