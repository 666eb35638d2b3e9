"""What can be said about a model's visitors: how far their pictures are from what the model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import numpy as np

from text_recognizer.errors import UserError
from text_recognizer.feedback.stability import SOME, STRONG, mean_interval, psi, psi_by_chance, share_interval
from text_recognizer.feedback.store import Kept, Store
from text_recognizer.shipping.model_card import ModelCard, Reference
from text_recognizer.shipping.quantities import measured

FEWEST = 30  # pictures that can be compared with anything
FALSE_ALARMS = 0.01  # of looks at which nothing has changed: who looks daily is wrongly alarmed in three months
TREND = timedelta(days=28)
CHUNK = 500  # pictures measured at a time
NO_PIXELS = np.zeros((0, 0, 0), np.uint8)

TOO_FEW, AS_BEFORE, CHANGED, UNKNOWN = "too few to tell", "as in training", "drifting", "nothing to compare with"

# What a shift of a quantity to lower and to higher values means.
MEANING = {
    "confidence": ("the model is less sure of its readings", "the model is surer of its readings"),
    "ink": ("there is less ink: thinner, paler or smaller writing", "there is more ink: thicker or larger writing"),
    "contrast": ("pictures have less contrast: thin or pale strokes", "pictures have more contrast: thick strokes"),
    "width": ("the writing is narrower", "the writing is wider"),
    "height": ("the writing is less tall", "the writing is taller"),
    "centre": ("the writing is closer to the middle", "the writing is further from the middle"),
}


@dataclass(frozen=True)
class Shift:
    """How far one quantity is from what it was in training.

    Args:
        name: one of `shipping.quantities`, or `classes`: what was read.
        psi: the population stability index.
        chance: what the index can be where nothing has changed.
        bins: their names: from where to where, or which class.
        reference, now: the share of pictures in each bin.
        meaning: in words, what has changed; empty if nothing has.
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
        """`none`, `some` or `strong`: whether it matters, and is more than chance."""
        if self.psi < SOME or self.psi <= self.chance:
            return "none"
        return "strong" if self.psi >= STRONG else "some"


@dataclass(frozen=True)
class Period:
    """What visitors' pictures came to in a day, or in all of the time under review; intervals are those of 95%.

    Args:
        name: the day in UTC, such as 2026-11-22.
        pictures: how many.
        confidence, confidence_interval: the mean; None without pictures.
        labelled, corrected: how many pictures visitors have said something about, and how many were read wrong.
        corrected_share, corrected_interval: of the labelled ones; None if there are none.
    """

    name: str
    pictures: int
    confidence: float | None
    confidence_interval: tuple[float, float]
    labelled: int
    corrected: int
    corrected_share: float | None
    corrected_interval: tuple[float, float]


@dataclass(frozen=True)
class DriftReport:
    """What there is to say about a model's visitors.

    Args:
        status: "too few to tell", "as in training", "drifting" or "nothing to compare with".
        summary: one sentence: what has changed.
        advice: one sentence: what to do.
        model: the digest.
        since, until: the time under review, ISO 8601 in UTC; `since` is None for all of it.
        period: the pictures of that time.
        compared_with: pictures of the training data.
        other_models: pictures of that time that other models have read; they are left out.
        shifts: by name.
        days: the last four weeks, day by day; those without a picture are left out.
    """

    status: str
    summary: str
    advice: str
    model: str
    since: str | None
    until: str
    period: Period
    compared_with: int
    other_models: int
    shifts: tuple[Shift, ...]
    days: tuple[Period, ...]


def days_ago(days: int) -> datetime:
    """Return the time some days ago.

    Raises:
        UserError: these are no days.
    """
    if not 1 <= days <= 3650:
        raise UserError(f"days must be from 1 to 3650, not {days}.")
    return datetime.now(UTC) - timedelta(days=days)


def report(store: Store, card: ModelCard, since: datetime | None = None) -> DriftReport:
    """Compare the pictures that a model has read since some time, or ever, with its training data."""
    now = datetime.now(UTC)
    start = None if since is None else min(since, now - TREND)
    everything: list[Kept] = []
    values: list[dict[str, np.ndarray]] = []
    pictures = store.readings(start, card.digest)
    while chunk := list(islice(pictures, CHUNK)):
        if recent := [picture for picture in chunk if since is None or picture.when >= since]:
            values.append(measured(np.stack([picture.seen for picture in recent]), recent))
        everything += [replace(picture, seen=NO_PIXELS) for picture in chunk]
    recent = [picture for picture in everything if since is None or picture.when >= since]
    shifts: tuple[Shift, ...] = ()
    if card.reference is not None and len(recent) >= FEWEST:
        columns = {name: np.concatenate([part[name] for part in values]) for name in values[0]}
        shifts = _shifts(card.reference, columns, [picture.text for picture in recent])
    status, summary, advice = _conclusion(card.reference, len(recent), shifts)
    by_day: dict[str, list[Kept]] = {}
    for picture in everything:
        if picture.when >= now - TREND:
            by_day.setdefault(picture.when.date().isoformat(), []).append(picture)
    return DriftReport(
        status=status,
        summary=summary,
        advice=advice,
        model=card.digest,
        since=since and since.isoformat(timespec="seconds"),
        until=now.isoformat(timespec="seconds"),
        period=_period("all", recent),
        compared_with=card.reference.count if card.reference else 0,
        other_models=store.counts(since)["all"] - len(recent),
        shifts=shifts,
        days=tuple(_period(day, pictures) for day, pictures in sorted(by_day.items())),
    )


def _shifts(reference: Reference, columns: dict[str, np.ndarray], texts: Sequence[str]) -> tuple[Shift, ...]:
    """Compare each quantity, (N,) of the pictures, and the N texts that were read."""
    counts = {}
    for name, shares in reference.histograms.items():
        edges = np.array(reference.edges[name][1:-1], dtype=np.float64)
        now = np.bincount(np.searchsorted(edges, columns[name], side="right"), minlength=len(shares))
        if len(shares) > 1:  # a quantity that was the same everywhere has one bin, and nothing to compare
            counts[name] = (np.round(np.array(shares) * reference.count), now, _between(edges))
    if reference.classes:
        names = sorted(reference.classes.keys() | set(texts))
        before = np.array([reference.classes.get(name, 0) for name in names])
        counts["classes"] = (before, np.array([texts.count(name) for name in names]), names)
    found = []
    for name, (before, now, bins) in counts.items():
        chance = psi_by_chance(before, now, FALSE_ALARMS / len(counts))  # several chances of a false alarm
        shares = [tuple((part / part.sum()).tolist()) for part in (before, now)]
        shift = Shift(name, float(psi(before, now)), chance, tuple(bins), *shares, meaning="")
        found.append(replace(shift, meaning=_meaning(shift)) if shift.level != "none" else shift)
    return tuple(found)


def _between(edges: np.ndarray) -> list[str]:
    """Return names of the bins between inner edges, and below and above them."""
    inner = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:.3g}", *inner, f"from {edges[-1]:.3g}"] if len(edges) else ["all"]


def _meaning(shift: Shift) -> str:
    before, now = np.array(shift.reference), np.array(shift.now)
    if shift.name == "classes":
        most = int(np.abs(now - before).argmax())
        return (
            f"other things are written: '{shift.bins[most]}' is {now[most]:.0%} of what is read, "
            f"where it was {before[most]:.0%}"
        )
    # How often a picture of today has the higher value than one of then: a half, if they differ in spread alone.
    higher = float(now @ (before.cumsum() - before / 2))
    if abs(higher - 0.5) < 0.05:
        return f"{shift.name} is spread differently: there are more extreme or more medium values"
    return MEANING[shift.name][higher > 0.5]


def _conclusion(reference: Reference | None, count: int, shifts: Sequence[Shift]) -> tuple[str, str, str]:
    """Return the status, what has changed, and what to do."""
    if reference is None:
        return (
            UNKNOWN,
            "This model does not say what its training data looked like, because that had gone when it was exported.",
            "Export the run again where its data is.",
        )
    if count < FEWEST:
        seen = f"{count} picture was" if count == 1 else f"{count} pictures were"
        return (
            TOO_FEW,
            f"{seen} kept in this time: fewer than {FEWEST} say nothing about a change.",
            "Wait, or look further back.",
        )
    changed = sorted((shift for shift in shifts if shift.level != "none"), key=lambda shift: -shift.psi / shift.chance)
    if not changed:
        least = max(max(shift.chance, SOME) for shift in shifts)
        return (
            AS_BEFORE,
            f"What visitors write looks like what the model has learned from, as far as {count} pictures tell.",
            f"Nothing needs to be done. A change with an index below {least:.2f} would not have been noticed yet.",
        )
    first = "; ".join(shift.meaning for shift in changed[:3])
    return (
        CHANGED,
        f"{first[0].upper()}{first[1:]}{'; and more' if len(changed) > 3 else ''}.",
        "Look at the newest pictures. If they are what you want the model to read, collect corrections and learn from "
        "them (feedback.export, training.fine_tune); if not, something on the way to the model has changed.",
    )


def _period(name: str, pictures: Sequence[Kept]) -> Period:
    sure = [picture.confidence for picture in pictures]
    labelled = sum(picture.label is not None for picture in pictures)
    corrected = sum(picture.corrected for picture in pictures)
    return Period(
        name=name,
        pictures=len(pictures),
        confidence=float(np.mean(sure)) if sure else None,
        confidence_interval=mean_interval(sure),
        labelled=labelled,
        corrected=corrected,
        corrected_share=corrected / labelled if labelled else None,
        corrected_interval=share_interval(corrected, labelled),
    )
