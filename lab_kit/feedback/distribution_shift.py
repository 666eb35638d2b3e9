"""Compare the distribution of a statistic in visitors' pictures with that in the training data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lab_kit.feedback.image_statistics import Reference
from lab_kit.feedback.stability import PSI_SOME_CHANGE, PSI_STRONG_CHANGE, psi, psi_by_chance

FALSE_ALARMS = 0.01  # probability per report: someone who looks daily gets a false alarm about every three months

# What a shift of a statistic to lower and to higher values means.
MEANINGS = {
    "confidence": ("the model is less sure of its readings", "the model is more sure of its readings"),
    "ink": ("there is less ink: thinner, paler or smaller writing", "there is more ink: thicker or larger writing"),
    "contrast": ("pictures have less contrast: thin or pale strokes", "pictures have more contrast: thick strokes"),
    "width": ("the writing is narrower", "the writing is wider"),
    "height": ("the writing is less tall", "the writing is taller"),
    "centre": ("the writing is closer to the middle", "the writing is further from the middle"),
}


@dataclass(frozen=True)
class Shift:
    """The difference of one statistic between visitors' pictures and the training data.

    Args:
        name: one of `image_statistics.STATISTICS`, or `classes` (the readings).
        psi: the population stability index.
        chance: the largest index that chance explains.
        bins: the names of the bins: their ranges, or the classes.
        reference: the share of training pictures in each bin.
        now: the share of visitors' pictures in each bin.
        meaning: a text that says what has changed; empty without a change.
    """

    name: str
    psi: float
    chance: float
    bins: tuple[str, ...]
    reference: tuple[float, ...]
    now: tuple[float, ...]
    meaning: str

    @property
    def level(self) -> str:
        """`none`, `some` or `strong`: the size of the change, if it is more than chance."""
        if self.psi < PSI_SOME_CHANGE or self.psi <= self.chance:
            return "none"
        return "strong" if self.psi >= PSI_STRONG_CHANGE else "some"


def measure_shifts(reference: Reference, columns: dict[str, np.ndarray], texts: Sequence[str]) -> tuple[Shift, ...]:
    """Compare visitors' pictures with the training data.

    Args:
        reference: the statistics of the training data.
        columns: each of the statistics of N visitors' pictures, (N,).
        texts: the N readings.
    """
    counts = {}
    for name, shares in reference.histograms.items():
        edges = np.array(reference.edges[name][1:-1], dtype=np.float64)
        now = np.bincount(np.searchsorted(edges, columns[name], side="right"), minlength=len(shares))
        if len(shares) > 1:  # a constant statistic has one bin, and nothing to compare
            counts[name] = (np.round(np.array(shares) * reference.count), now, _bin_names(edges))
    if reference.classes:
        names = sorted(reference.classes.keys() | set(texts))
        before = np.array([reference.classes.get(name, 0) for name in names])
        counts["classes"] = (before, np.array([texts.count(name) for name in names]), names)
    found = []
    for name, (before, now, bins) in counts.items():
        chance = psi_by_chance(before, now, FALSE_ALARMS / len(counts))  # shared among all statistics
        shares = [tuple((part / part.sum()).tolist()) for part in (before, now)]
        shift = Shift(name, float(psi(before, now)), chance, tuple(bins), *shares, meaning="")
        found.append(replace(shift, meaning=_meaning(shift)) if shift.level != "none" else shift)
    return tuple(found)


def _bin_names(edges: np.ndarray) -> list[str]:
    """Return the names of the bins that these edges separate."""
    inner = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:.3g}", *inner, f"from {edges[-1]:.3g}"] if len(edges) else ["all"]


def _meaning(shift: Shift) -> str:
    """Return a text that says what has changed."""
    before, now = np.array(shift.reference), np.array(shift.now)
    if shift.name == "classes":
        most = int(np.abs(now - before).argmax())
        return (
            f"other things are written: '{shift.bins[most]}' is {now[most]:.0%} of the readings, "
            f"in training it was {before[most]:.0%}"
        )
    # The probability that a visitor's picture has a higher value than a training picture: 0.5 for a change of spread.
    higher = float(now @ (before.cumsum() - before / 2))
    if abs(higher - 0.5) < 0.05:
        return f"{shift.name} has another spread: there are more extreme or more medium values"
    return MEANINGS[shift.name][higher > 0.5]
