"""Show where a network looked while it wrote each character of a text: as a picture, and step by step."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from lab_kit.plots.figures import BLUE, RED, save

HEIGHT = 0.17  # inches for each character of a line
SIGNS = {" ": "\u2423", "\n": "\u21b5"}


@dataclass(frozen=True)
class Glances:
    """Where a network looked in one picture.

    Args:
        picture: (H, W), ink 1 on paper 0.
        characters: the T characters and tokens that were written, in this order.
        weights: (T, rows, columns), how much of each glance fell on each part of the picture; they add up to 1.
    """

    picture: np.ndarray
    characters: list[str]
    weights: np.ndarray

    def names(self) -> list[str]:
        """Return the characters as signs that can be seen."""
        return [SIGNS.get(name, name) for name in self.characters]

    def centres(self) -> np.ndarray:
        """Return the middle of each glance, in pixels, (T, 2): x and y.

        A convolution with an odd kernel and half of it as padding looks at pixels around 0, k, 2 k, ..., if its stride
        is k: so the first place of the picture is at its edge.
        """
        _, rows, columns = self.weights.shape
        height, width = self.picture.shape
        x = (self.weights.sum(axis=1) * np.arange(columns)).sum(axis=1) * width / columns
        y = (self.weights.sum(axis=2) * np.arange(rows)).sum(axis=1) * height / rows
        return np.stack([x, y], axis=1)


def plot_attention(glances: Glances, path: Path) -> None:
    """Draw a PNG file: of a line, a row for each character; of a page, the way from character to character."""
    save(_line(glances) if glances.weights.shape[1] == 1 else _page(glances), path)


def _line(glances: Glances) -> Figure:
    height, width = glances.picture.shape
    count = len(glances.characters)
    inches = min(16, max(6, 1.2 * width / height))
    figure = Figure(figsize=(inches, inches * height / width + HEIGHT * count + 1), layout="constrained")
    ratios = [inches * height / width, HEIGHT * count]
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=ratios)
    above.imshow(glances.picture, cmap="gray_r", vmin=0, vmax=1, aspect="auto", extent=(0, width, height, 0))
    above.set_axis_off()
    above.set_title("Where the decoder looked for each character", fontsize=12, loc="left")
    below.imshow(glances.weights[:, 0], cmap="Blues", aspect="auto", extent=(0, width, count, 0), vmin=0)
    below.set_yticks(np.arange(count) + 0.5, glances.names(), fontsize=8, parse_math=False)
    below.set_xlabel("pixels from the left")
    below.set_ylabel("written, from top to bottom")
    return figure


def _page(glances: Glances) -> Figure:
    height, width = glances.picture.shape
    figure = Figure(figsize=(9, 9 * height / width + 0.5), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(glances.picture, cmap="gray_r", vmin=0, vmax=2, extent=(0, width, height, 0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.set_title("Where the decoder looked: from the first character (blue) to the last (yellow)", fontsize=12)
    centres = glances.centres()
    colours = colormaps["plasma"](np.linspace(0, 0.9, len(centres)))
    for k in range(1, len(centres)):
        axes.plot(*centres[k - 1 : k + 1].T, color=colours[k], linewidth=0.8, alpha=0.6)
    for (x, y), name, colour in zip(centres, glances.names(), colours, strict=True):
        axes.text(x, y, name, color=colour, fontsize=10, ha="center", va="center", fontweight="bold", parse_math=False)
    return figure


def animate(glances: Glances) -> FuncAnimation:
    """Return an animation with a frame for each character, for `lab_kit.notebooks.player.play`."""
    height, width = glances.picture.shape
    figure = Figure(figsize=(8, max(1.6, 8 * height / width + 0.8)), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(glances.picture, cmap="gray_r", vmin=0, vmax=1, extent=(0, width, height, 0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    half = np.array([width, height]) / np.array(glances.weights.shape[:0:-1]) / 2  # of a place: see `centres`
    extent = (-half[0], width - half[0], height - half[1], -half[1])
    # Between the middles of the parts, the eye is helped by a smooth picture.
    shown = axes.imshow(
        glances.weights[0], cmap="Reds", extent=extent, alpha=0.6, interpolation="bilinear", vmin=0, vmax=1
    )
    text = axes.set_title("", loc="left", fontsize=11, color=BLUE, parse_math=False)
    (mark,) = axes.plot([], [], "o", color=RED, markersize=5)
    names, centres = glances.names(), glances.centres()

    def draw(frame: int) -> tuple:
        weights = glances.weights[frame]
        shown.set_data(weights / weights.max())
        mark.set_data(*centres[frame : frame + 1].T)
        text.set_text(f"{''.join(names[:frame])}[{names[frame]}]"[-80:])
        return shown, mark, text

    return FuncAnimation(figure, draw, frames=len(names))
