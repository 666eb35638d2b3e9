"""Draw a contact sheet of pen-stroke handwriting: a row for each character, with samples by different writers.

python -m lab_kit.handwriting.pen_sheet --save sheet.png
"""

import argparse
import math
from pathlib import Path

import torch
from matplotlib.figure import Figure

from lab_kit.handwriting.pen_glyphs import load_glyphs
from lab_kit.handwriting.pen_strokes import PenStrokes


def draw_sheet(path: Path, seed: int = 0, samples: int = 12, columns: int = 3) -> None:
    """Draw the sheet and write it to the picture file `path`; column k of every row is by the same writer."""
    characters = [character for character, count in load_glyphs().count.items() if count]
    labels = torch.arange(len(characters)).repeat_interleave(samples)
    writers = (samples * seed + torch.arange(samples)).repeat(len(characters))
    images = PenStrokes(characters).draw(labels, writers, torch.Generator().manual_seed(seed))
    strips = images.unflatten(0, (len(characters), samples)).transpose(1, 2).flatten(2)  # (C, 28, samples * 28)

    rows = math.ceil(len(characters) / columns)
    figure = Figure(figsize=(columns * (samples + 1) * 0.42, rows * 0.44), dpi=110)
    for axes in figure.subplots(rows, columns).flat:
        axes.set_axis_off()
    for place, (character, strip) in enumerate(zip(characters, strips, strict=True)):
        axes = figure.axes[place % rows * columns + place // rows]
        axes.imshow(strip.numpy(), cmap="gray_r", vmin=0, vmax=255)
        axes.text(-10, 14, character, ha="right", va="center", size=13, family="monospace", color="tab:red")
    figure.subplots_adjust(0.03, 0.01, 0.99, 0.99, wspace=0.06, hspace=0.05)
    figure.savefig(path)


def main() -> None:
    """Parse the command line and draw the sheet."""
    parser = argparse.ArgumentParser(description="Draw several writers' forms of every character.")
    parser.add_argument("--save", type=Path, required=True, help="where to write the picture")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other writers")
    arguments = parser.parse_args()
    try:
        draw_sheet(arguments.save, arguments.seed)
    except (OSError, ValueError) as error:  # the file cannot be written, or matplotlib does not know its format
        parser.error(f"cannot write {arguments.save}: {error}")


if __name__ == "__main__":
    main()
