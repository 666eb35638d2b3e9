"""Can a model that has only ever seen pen strokes read real people's handwriting?

Claim: trained on pen strokes alone for at most 10 minutes on two cores, this package's ResNet reads at least 95% of
real digits and 90% of real letters (case aside) by people in no training set, as the median of 3 seeds.

    TEXT_RECOGNIZER_DATA=/folder/with/an/archive python benchmarks/pen_to_real.py
    TEXT_RECOGNIZER_DATA=/folder/with/an/archive python benchmarks/pen_to_real.py --ablation --seeds 0

The real characters are the test split of the archive in EMNIST's form that lies in the data root. No real image is used
for training, stopping or choosing: each run trains for a fixed number of epochs, and the model after the last one is
tested. The pen paths and the writers' range of styles were tuned by looking at the *train* split of an archive of
MNIST's digits and Chars74K's letters; its *test* split (other writers) served only for the figures.

The pictures show single characters without their surroundings, so that 0, O and o, or 1, I and l, or c and C cannot
always be told apart. So digits and letters are counted twice: with the answer free among all 62 classes, and with it
restricted to the ten digits or the 52 letters, as in a digit or letter recogniser.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from lab_kit.experiment.hardware import fast_precision  # noqa: E402
from lab_kit.handwriting.pen_strokes import draw_set  # noqa: E402
from text_recognizer.data import EMNIST, DataConfig  # noqa: E402
from text_recognizer.data.character_mapping import ALPHANUMERIC  # noqa: E402
from text_recognizer.data.emnist import FIRST_CLASS  # noqa: E402
from text_recognizer.models import ResNet  # noqa: E402

TRAIN_WRITERS, VAL_WRITERS = range(1_000_000), range(1_000_000, 1_001_000)
CASE_ASIDE = torch.tensor([ALPHANUMERIC.index(character.upper()) for character in ALPHANUMERIC])
PARTS = {"no allographs": {"allographs": False}, "no writers": {"writer_styles": False}, "no warp": {"warp": False}}
FIGURES = {
    "digits, of 10": "digits; the answer is one of the ten digits",
    "digits, of 62": "digits; the answer is any of the 62 characters",
    "letters, of 52": "letters with case; the answer is a letter",
    "no case, of 52": "letters without case; the answer is a letter",
    "no case, of 62": "letters without case; the answer is any of the 62 characters",
    "all 62": "all characters, with case; the answer is any of the 62",
}


def read_real(split: str) -> tuple[Tensor, Tensor, str]:
    """Return upright images (N, 28, 28) uint8, labels (N,) int64 below 62, and the source, of the archive's split."""
    data = EMNIST(source="download", balance=False)
    data.prepare_data()
    data.setup()
    parts = [data.splits[name] for name in (("train", "val") if split == "train" else ("test",))]
    images = torch.cat([part.images[part.indices] for part in parts])
    labels = torch.cat([part.labels[part.indices] for part in parts]).long() - FIRST_CLASS
    return images, labels, data.source_used


def to_input(images: Tensor) -> Tensor:
    """uint8 (B, 28, 28) -> float32 (B, 1, 28, 28) about zero."""
    return ((images.unsqueeze(1).float() / 255 - 0.17) / 0.33).contiguous(memory_format=torch.channels_last)


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Small random affine maps: up to 12% in size, 2 pixels in place, and some shear."""

    def within(limit: float) -> Tensor:
        return (2 * torch.rand(len(x), generator=generator) - 1) * limit

    rows = [
        torch.stack([1 + within(0.12), within(0.15), within(0.14)], dim=1),
        torch.stack([within(0.10), 1 + within(0.12), within(0.14)], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return x.contiguous(memory_format=torch.channels_last)


def autocast() -> torch.autocast:
    """Calculate as the training program would choose to."""
    return torch.autocast("cpu", torch.bfloat16, enabled=fast_precision("cpu") == "bf16-mixed")


def train(model: nn.Module, seed: int, epochs: int, samples: int, batch_size: int, lr: float, **switches) -> None:
    """Train on `samples` characters per epoch, written anew for each."""
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * math.ceil(samples / batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.2)
    model.train()
    for epoch in range(epochs):
        images, labels = draw_set(ALPHANUMERIC, samples, TRAIN_WRITERS, seed=1000 * seed + epoch, **switches)
        for batch in torch.randperm(samples, generator=generator).split(batch_size):
            x = augment(to_input(images[batch]), generator)
            with autocast():
                logits = model(x)
            loss = F.cross_entropy(logits.float(), labels[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


@torch.inference_mode()
def predict(model: nn.Module, images: Tensor) -> Tensor:
    """Logits (N, 62)."""
    model.eval()
    with autocast():
        return torch.cat([model(to_input(part)).float() for part in images.split(1000)])


def score(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """The figures of FIGURES, as fractions."""
    free = logits.argmax(dim=1)
    digit = labels < 10
    as_digit, as_letter = logits[:, :10].argmax(dim=1), 10 + logits[:, 10:].argmax(dim=1)
    letters, truth = ~digit, CASE_ASIDE[labels]
    figures = (
        (as_digit == labels)[digit],
        (free == labels)[digit],
        (as_letter == labels)[letters],
        (CASE_ASIDE[as_letter] == truth)[letters],
        (CASE_ASIDE[free] == truth)[letters],
        free == labels,
    )
    return {name: hits.float().mean().item() for name, hits in zip(FIGURES, figures, strict=True)}


def table(rows: dict[str, dict[str, float]]) -> str:
    """One line for each row, one column for each figure."""
    columns = list(next(iter(rows.values())))
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{name:>16}" for name in columns)]
    for row, figures in rows.items():
        lines.append(f"{row:<{width}}" + "".join(f"{figures[name]:>16.4f}" for name in columns))
    return "\n".join(lines)


def median(rows: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def run(seed: int, switches: dict[str, bool], arguments: argparse.Namespace) -> tuple[nn.Module, float]:
    """Return a model trained on pen strokes, and the seconds that took."""
    torch.manual_seed(seed)
    config = DataConfig(input_dims=(1, 28, 28), output_dims=(1,), mapping=ALPHANUMERIC)
    model = ResNet(config, arguments.conv_dim, arguments.num_blocks).to(memory_format=torch.channels_last)
    start = time.perf_counter()
    train(model, seed, arguments.epochs, arguments.samples, arguments.batch_size, arguments.lr, **switches)
    return model, time.perf_counter() - start


def main() -> None:
    """Train, test, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=("train", "test"), default="test", help="train: for tuning the generator")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--samples", type=int, default=100_000, help="characters per epoch, written anew for each")
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--conv_dim", type=int, default=32)
    parser.add_argument("--num_blocks", type=int, default=1)
    parser.add_argument(
        "--ablation", action="store_true", help="also leave out one part of the generator after another"
    )
    parser.add_argument("--json", type=Path, help="write the medians here")
    arguments = parser.parse_args()
    torch.set_flush_denormal(True)  # nearly dead weights would slow the processor down many times over

    images, labels, source = read_real(arguments.split)
    print(f"Real characters: {len(labels):,}, the {arguments.split} split of {source}")
    print("\n".join(f"  {name:<15} {meaning}" for name, meaning in FIGURES.items()))
    medians = {}
    for variant, switches in ({"all of it": {}} | (PARTS if arguments.ablation else {})).items():
        rows, times = {}, []
        for seed in arguments.seeds:
            model, seconds = run(seed, switches, arguments)
            pen = draw_set(ALPHANUMERIC, 10_000, VAL_WRITERS, seed=seed, **switches)
            rows[f"seed {seed}, real people"] = real = score(predict(model, images), labels)
            times.append(seconds)
            print(f"\n{variant}, seed {seed}: {seconds:.0f} s of training on {torch.get_num_threads()} threads")
            print(table({"real people": real, "pen strokes, other writers": score(predict(model, pen[0]), pen[1])}))
            sys.stdout.flush()
        medians[variant] = median(list(rows.values())) | {"seconds": statistics.median(times)}
    print(f"\nReal people, median of {len(arguments.seeds)} seed(s)")
    print(table(medians))
    if arguments.json:
        about = {"source": source, "seeds": arguments.seeds, "machine": platform.machine(), "torch": torch.__version__}
        arguments.json.write_text(json.dumps(about | {"medians": medians}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
