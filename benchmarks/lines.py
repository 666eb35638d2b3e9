"""How fast are synthetic lines written?

Claim: at least 5,000 lines of up to 32 characters a second, and at least 20 times as many as a plain loop over
characters (`reference.write_lines`), sentences included, from the same pictures, in one run.

    python benchmarks/lines.py
"""

import sys
from pathlib import Path

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import reference  # noqa: E402
from benchmarks.timing import Benchmark, Claim  # noqa: E402
from lab_kit.handwriting.pen_set import WRITERS  # noqa: E402
from text_recognizer.data import EMNISTLines  # noqa: E402
from text_recognizer.data.character_mapping import MAPPING  # noqa: E402
from text_recognizer.data.line_images import Glyphs  # noqa: E402

LINES, PLAIN_LINES = 10_000, 500  # written in each repeat


def main() -> None:
    """Measure, print, write the JSON."""
    data = EMNISTLines(source="pen")
    data.sentences.load()
    data.emnist.prepare_data()
    data.emnist.setup()
    characters = data.emnist.splits["train"]
    glyphs = Glyphs.collect(characters, WRITERS["train"], seed=[0])
    pictures = reference.pictures_by_character(characters.images, characters.labels, MAPPING)
    overlaps = (data.min_overlap, data.max_overlap)
    random = np.random.default_rng(0)

    benchmark = Benchmark("lines", "lines", "lines of up to 32 pen-stroke characters, overlap 0 to 0.33")
    benchmark.add(
        "a plain loop over characters",
        lambda: reference.write_lines(PLAIN_LINES, data.sentences, pictures, overlaps, random),
        PLAIN_LINES,
    )
    benchmark.add("this project", lambda: data.writer.write(LINES, glyphs, random), LINES)
    speeds = benchmark.run(base="a plain loop over characters")
    ratio = speeds["this project"] / speeds["a plain loop over characters"]
    benchmark.claim(
        Claim("Writing lines, against a loop over characters", "20 times", f"{ratio:.0f} times"),
        Claim("Lines written in a second", "5,000", f"{speeds['this project']:,.0f}"),
    )


if __name__ == "__main__":
    main()
