"""How fast is CTC's greedy decoding?

Claim: at least 20 times as fast as a plain loop (`reference.greedy_decode`) on a batch of 128 lines of 112 windows.

    python benchmarks/decode.py
"""

import sys
from pathlib import Path

import torch

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import reference  # noqa: E402
from benchmarks.timing import Benchmark, Claim  # noqa: E402
from text_recognizer.data.character_mapping import BLANK, MAPPING, PADDING  # noqa: E402
from text_recognizer.lit_models.greedy_decode import greedy_decode  # noqa: E402

LINES, WINDOWS = 128, 112
BLANK_SHARE, REPEAT_SHARE = 0.5, 0.2  # as in what a trained network says


def main() -> None:
    """Measure, print, write the JSON."""
    generator = torch.Generator().manual_seed(0)
    blank, padding = MAPPING.index(BLANK), MAPPING.index(PADDING)
    classes = torch.randint(padding + 1, len(MAPPING), (LINES, WINDOWS), generator=generator)
    classes[torch.rand(classes.shape, generator=generator) < BLANK_SHARE] = blank
    repeats = torch.rand(LINES, WINDOWS - 1, generator=generator) < REPEAT_SHARE
    classes[:, 1:] = torch.where(repeats, classes[:, :-1], classes[:, 1:])

    benchmark = Benchmark("decode", "batches", f"greedy decoding of {LINES} lines of {WINDOWS} windows")
    contestants = {
        "a plain loop": (reference.greedy_decode, 1),
        "a loop over lists, itertools.groupby": (reference.greedy_decode_lists, 20),
        "this project": (greedy_decode, 200),
    }
    for name, (decode, batches) in contestants.items():
        benchmark.add(name, lambda d=decode, n=batches: [d(classes, blank, padding) for _ in range(n)], batches)
    speeds = benchmark.run(base="a plain loop")
    ratio = speeds["this project"] / speeds["a plain loop"]
    benchmark.claim(Claim("Greedy CTC decoding, against a plain loop", "20 times", f"{ratio:,.0f} times"))


if __name__ == "__main__":
    main()
