"""Draw a contact sheet of pen-stroke handwriting: characters, lines, or pages, by different writers.

python -m lab_kit.handwriting.pen_sheet --save sheet.png
python -m lab_kit.handwriting.pen_sheet --of lines --save lines.png
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from lab_kit.handwriting.pen_glyphs import load_glyphs
from lab_kit.handwriting.pen_lines import write_lines
from lab_kit.handwriting.pen_pages import break_lines, write_page
from lab_kit.handwriting.pen_strokes import PenStrokes

SENTENCES = (
    "Nobody writes twice the same.",
    "A line is as wide as what it says.",
    "Some people join their letters;",
    "others print them, one by one.",
    "Minimum, hill, jazz, quay, box?",
    "Paid 75 + 30, on 14/8: see No. 269!",
)
PARAGRAPH = (
    "An imaginary writer has a slant, a pen, and letters of a certain size. Some lines rise and others fall; words are",
    "nearer to each other here than there, and where a line ends, a long word may have to be divided. Nobody keeps the",
    "left edge quite straight.",
)


def draw_lines(path: Path, seed: int = 0, rows: int = 20, columns: int = 3, height: int = 48) -> None:
    """Draw lines of `SENTENCES`, each by another writer, and write them to the picture file `path`."""
    texts = [SENTENCES[k % len(SENTENCES)] for k in range(rows * columns)]
    writers = len(texts) * seed + torch.arange(len(texts))
    lines = write_lines(texts, writers, torch.Generator().manual_seed(seed), height)
    width = max(line.shape[1] for line in lines)
    sheet = np.zeros((rows * (height + 12), columns * (width + 24)), np.uint8)
    for k, line in enumerate(lines):
        top, left = k % rows * (height + 12) + 6, k // rows * (width + 24) + 12
        sheet[top : top + height, left : left + line.shape[1]] = line
    Image.fromarray(255 - sheet).save(path)


def draw_pages(path: Path, seed: int = 0, rows: int = 2, columns: int = 3) -> None:
    """Draw pages of `PARAGRAPH`, each by another writer, and write them to the picture file `path`."""
    random, pages = np.random.default_rng(seed), []
    for k in range(rows * columns):
        lines = break_lines(" ".join(PARAGRAPH), int(random.integers(24, 48)), random)
        writer = rows * columns * seed + k
        page = write_page(lines, writer, torch.Generator().manual_seed(writer), (576, 640))
        pages.append(np.pad(page, 2, constant_values=60))  # a frame
    Image.fromarray(255 - np.block([pages[k * columns : (k + 1) * columns] for k in range(rows)])).save(path)


def draw_characters(path: Path, seed: int = 0, samples: int = 12, columns: int = 3) -> None:
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


DRAW = {"characters": draw_characters, "lines": draw_lines, "pages": draw_pages}


def main() -> None:
    """Parse the command line and draw the sheet."""
    parser = argparse.ArgumentParser(description="Draw what imaginary writers write: a contact sheet.")
    parser.add_argument("--of", choices=DRAW, default="characters", help="what is drawn")
    parser.add_argument("--save", type=Path, required=True, help="where to write the picture")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other writers")
    arguments = parser.parse_args()
    try:
        DRAW[arguments.of](arguments.save, arguments.seed)
    except (OSError, ValueError) as error:  # the file cannot be written, or matplotlib does not know its format
        parser.error(f"cannot write {arguments.save}: {error}")


if __name__ == "__main__":
    main()
