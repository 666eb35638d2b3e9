"""Colours of the plots, and saving a figure as PNG."""

from pathlib import Path

from matplotlib.figure import Figure

from lab_kit import atomic_write

# Colours that people with any colour vision tell apart (Okabe and Ito, 2008).
BLUE, ORANGE, RED = "#0072B2", "#E69F00", "#D55E00"
DPI = 120


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_write.replaced(path) as unfinished:
        figure.savefig(unfinished, dpi=DPI, format="png")
