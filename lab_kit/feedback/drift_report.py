"""The drift report: compare visitors' pictures with the training data of a model, and say what to do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np

from lab_kit.errors import UserError
from lab_kit.feedback.distribution_shift import Shift, measure_shifts
from lab_kit.feedback.image_statistics import Reference, image_statistics
from lab_kit.feedback.kept_picture import KeptPicture
from lab_kit.feedback.stability import PSI_SOME_CHANGE, mean_interval, share_interval
from lab_kit.feedback.store import Store

MIN_PICTURES = 30  # fewer pictures are not compared
TREND_PERIOD = timedelta(days=28)  # shown day by day
CHUNK = 500  # pictures in memory at a time
NO_PIXELS = np.zeros((0, 0, 0), np.uint8)

# The status of a report.
TOO_FEW_PICTURES = "too few to tell"
AS_IN_TRAINING = "as in training"
DRIFTING = "drifting"
NO_REFERENCE = "nothing to compare with"


@dataclass(frozen=True)
class Period:
    """The numbers of visitors' pictures of one day, or of the whole period; all intervals are 95% intervals.

    Args:
        name: the day in UTC, such as 2026-11-22, or `all`.
        pictures: the number of pictures.
        confidence, confidence_interval: the mean confidence; None without pictures.
        labelled: how many readings visitors confirmed or corrected.
        corrected: how many readings visitors corrected.
        corrected_share, corrected_interval: the share of corrected ones among the labelled ones; None without labels.
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
    """The result of a comparison of visitors' pictures with the training data.

    Args:
        status: "too few to tell", "as in training", "drifting" or "nothing to compare with".
        summary: one sentence that says what has changed.
        advice: one sentence that says what to do.
        model: the digest of the model.
        since, until: the period, ISO 8601 in UTC; `since` is None for all pictures.
        period: the numbers of the period.
        compared_with: the number of training pictures.
        other_models: pictures of the period that other models read; they are left out.
        shifts: the shifts of all statistics.
        days: the last four weeks, day by day; days without pictures are left out.
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
    """Return the time `days` days ago.

    Raises:
        UserError: `days` is not from 1 to 3650.
    """
    if not 1 <= days <= 3650:
        raise UserError(f"days must be from 1 to 3650, not {days}.")
    return datetime.now(UTC) - timedelta(days=days)


def build_report(store: Store, digest: str, reference: Reference | None, since: datetime | None = None) -> DriftReport:
    """Compare the pictures that a model read since a time (None: all) with its training data.

    Args:
        store: the store of visitors' pictures.
        digest: the digest of the model.
        reference: the statistics of its training data, if they are known.
        since: the start of the period.
    """
    now = datetime.now(UTC)
    start = None if since is None else min(since, now - TREND_PERIOD)
    everything: list[KeptPicture] = []
    values: list[dict[str, np.ndarray]] = []
    pictures = store.readings(start, digest)
    while chunk := list(islice(pictures, CHUNK)):
        if recent := [picture for picture in chunk if since is None or picture.when >= since]:
            values.append(image_statistics([picture.seen for picture in recent], [each.confidence for each in recent]))
        everything += [replace(picture, seen=NO_PIXELS) for picture in chunk]
    recent = [picture for picture in everything if since is None or picture.when >= since]
    shifts: tuple[Shift, ...] = ()
    if reference is not None and len(recent) >= MIN_PICTURES:
        columns = {name: np.concatenate([part[name] for part in values]) for name in values[0]}
        shifts = measure_shifts(reference, columns, [picture.text for picture in recent])
    status, summary, advice = _conclusion(reference, len(recent), shifts)
    by_day: dict[str, list[KeptPicture]] = {}
    for picture in everything:
        if picture.when >= now - TREND_PERIOD:
            by_day.setdefault(picture.when.date().isoformat(), []).append(picture)
    return DriftReport(
        status=status,
        summary=summary,
        advice=advice,
        model=digest,
        since=since and since.isoformat(timespec="seconds"),
        until=now.isoformat(timespec="seconds"),
        period=_period("all", recent),
        compared_with=reference.count if reference else 0,
        other_models=store.counts(since)["all"] - len(recent),
        shifts=shifts,
        days=tuple(_period(day, pictures) for day, pictures in sorted(by_day.items())),
    )


def _conclusion(reference: Reference | None, count: int, shifts: Sequence[Shift]) -> tuple[str, str, str]:
    """Return the status, the summary and the advice."""
    if reference is None:
        return (
            NO_REFERENCE,
            "The model has no statistics of its training data, because the data was missing when it was exported.",
            "Export the run again on a machine that has its data.",
        )
    if count < MIN_PICTURES:
        seen = f"{count} picture was" if count == 1 else f"{count} pictures were"
        return (
            TOO_FEW_PICTURES,
            f"{seen} kept in this period. At least {MIN_PICTURES} are needed to detect a change.",
            "Wait, or look further back.",
        )
    changed = sorted((shift for shift in shifts if shift.level != "none"), key=lambda shift: -shift.psi / shift.chance)
    if not changed:
        least = max(max(shift.chance, PSI_SOME_CHANGE) for shift in shifts)
        return (
            AS_IN_TRAINING,
            f"Visitors' pictures look like the training data, as far as {count} pictures can tell.",
            f"Nothing needs to be done. A change with an index below {least:.2f} would not be detected yet.",
        )
    first = "; ".join(shift.meaning for shift in changed[:3])
    return (
        DRIFTING,
        f"{first[0].upper()}{first[1:]}{'; and more' if len(changed) > 3 else ''}.",
        "Look at the newest pictures. If the model should read such pictures, collect corrections and train on them "
        "(app.corrections_export, training.fine_tune). If not, find out what has changed before the model.",
    )


def _period(name: str, pictures: Sequence[KeptPicture]) -> Period:
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
