"""How fast do batches come?

Claims: the default loader is at least 15 times as fast as the best loader that turns pictures into tensors one by one,
and has at least 0.6 of the speed of indexing a tensor, which is the limit; with augmentation, at least 5 times that of
torchvision's augmentation picture by picture; and a picture costs the same in a large set as in a small one.

    python benchmarks/loader.py
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.utils.data import DataLoader

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import reference  # noqa: E402
from benchmarks.timing import Benchmark, Claim  # noqa: E402
from text_recognizer.data import MNIST  # noqa: E402
from text_recognizer.data.dataset import ImageDataset  # noqa: E402

BATCH = 128
PICTURES, FEW = 55_000, 5_000  # in an epoch of the fast ones, and of the slow ones
SIZES = (10_000, 100_000, 700_000)
READ = 50_000  # pictures, from each of these


def pictures(count: int) -> tuple[Tensor, Tensor]:
    """Return pictures (count, 28, 28) and labels (count,) of chance, uint8."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
    return images, torch.randint(0, 10, (count,), dtype=torch.uint8, generator=generator)


def module(images: Tensor, labels: Tensor, **settings: object) -> MNIST:
    """Return MNIST's data module, with other pictures."""
    data = MNIST(batch_size=BATCH, **settings)
    data.splits = {"train": ImageDataset(images, labels, None, MNIST.mean, MNIST.std)}
    return data


def read(loader: DataLoader, batches: int | None = None) -> None:
    """Go through a loader."""
    for number, _ in enumerate(loader, start=1):
        if number == batches:
            break


def index(images: Tensor, labels: Tensor) -> None:
    """Index tensors that are floats already, in random order: no loader can be faster."""
    for chosen in torch.randperm(len(images)).split(BATCH):
        images[chosen], labels[chosen]


def augmented(data: MNIST) -> None:
    """Go through the training batches and augment them, as the Trainer does."""
    data.trainer = SimpleNamespace(training=True, overfit_batches=0, global_rank=0, world_size=1, current_epoch=0)
    for batch in data.train_dataloader():
        data.on_after_batch_transfer(batch, 0)


def measure_loaders(images: Tensor, labels: Tensor) -> None:
    """Compare with picture by picture, and with the limit."""
    floats = images.unsqueeze(1).float().div(255).sub(MNIST.mean).div(MNIST.std)
    longs = labels.long()
    benchmark = Benchmark("loader", "pictures", f"{PICTURES:,} pictures of 28x28, shuffled, batches of {BATCH}")
    for workers in (0, 2):
        loader = reference.picture_by_picture(images[:FEW], labels[:FEW], MNIST.mean, MNIST.std, BATCH, workers)
        benchmark.add(f"picture by picture, {workers} workers", lambda r=loader: read(r), FEW)
    loader = module(images, labels).train_dataloader()
    benchmark.add("this project", lambda: read(loader), PICTURES)
    benchmark.add("indexing float tensors: the limit", lambda: index(floats, longs), PICTURES)
    speeds = benchmark.run(base="picture by picture, 0 workers")
    best = max(speed for name, speed in speeds.items() if name.startswith("picture"))
    ours, limit = speeds["this project"], speeds["indexing float tensors: the limit"]
    benchmark.claim(
        Claim("Batches, against the best loader that goes picture by picture", "15 times", f"{ours / best:.0f} times"),
        Claim("Batches, against bare tensor indexing", "0.6", f"{ours / limit:.2f}"),
    )


def measure_augmentation(images: Tensor, labels: Tensor) -> None:
    """Compare with torchvision's augmentation."""
    benchmark = Benchmark("loader_augment", "pictures", "turned, scaled, sheared and shifted, differently each time")
    for workers in (0, 2):
        loader = reference.picture_by_picture(
            images[:FEW], labels[:FEW], MNIST.mean, MNIST.std, BATCH, workers, augment=True
        )
        benchmark.add(f"torchvision, picture by picture, {workers} workers", lambda r=loader: read(r), FEW)
    data = module(images, labels, augment=True)
    benchmark.add("this project", lambda: augmented(data), PICTURES)
    speeds = benchmark.run(base="torchvision, picture by picture, 0 workers")
    best = max(speed for name, speed in speeds.items() if name.startswith("torchvision"))
    ratio = speeds["this project"] / best
    benchmark.claim(Claim("Augmented batches, against torchvision's best", "5 times", f"{ratio:.1f} times"))


def measure_sizes() -> None:
    """See whether a picture costs more in a larger set."""
    benchmark = Benchmark("loader_sizes", "pictures", f"{READ:,} pictures, in random order, from sets of three sizes")
    images, labels = pictures(max(SIZES))
    for size in SIZES:
        loader = module(images[:size], labels[:size]).train_dataloader()
        epochs = max(1, READ // size)
        batches = None if size <= READ else READ // BATCH
        benchmark.add(f"{size:,} pictures", lambda r=loader, e=epochs, b=batches: [read(r, b) for _ in range(e)], READ)
    speeds = benchmark.run(base=f"{SIZES[0]:,} pictures")
    dearest = max(speeds.values()) / min(speeds.values())
    benchmark.claim(
        Claim("Cost of a picture, 10,000 to 700,000 pictures", "flat within 15%", f"within {dearest - 1:.0%}")
    )


def main() -> None:
    """Measure, print, write the JSONs."""
    images, labels = pictures(PICTURES)
    measure_loaders(images, labels)
    measure_augmentation(images, labels)
    measure_sizes()


if __name__ == "__main__":
    main()
