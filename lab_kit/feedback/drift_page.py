"""The drift page: a drift report as one HTML page, without scripts or other files.

It shows only statistics of many pictures, and never a picture, so it tells nothing about a single visitor.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lab_kit.errors import UserError
from lab_kit.feedback.drift_charts import histogram, trend
from lab_kit.feedback.drift_report import AS_IN_TRAINING, DRIFTING, DriftReport, Period, Shift, build_report, days_ago
from lab_kit.feedback.image_statistics import Reference
from lab_kit.feedback.stability import PSI_SOME_CHANGE
from lab_kit.feedback.store import Store
from lab_kit.html_page import template

DEFAULT_DAYS = 7  # to look back, unless the address has ?days=
CACHE_SECONDS = 30  # a report is kept this long, so that requests for reports cannot overload the server
PAGE, STYLE = (Path(__file__).with_suffix(suffix) for suffix in (".html", ".css"))
MAX_CLASSES_SHOWN = 14  # in a chart: the classes that have changed most
ICONS = {AS_IN_TRAINING: "✓", DRIFTING: "!"}
TITLES = {
    "confidence": "Confidence of the model",
    "ink": "Ink",
    "contrast": "Contrast",
    "width": "Width of the writing",
    "height": "Height of the writing",
    "centre": "Distance from the centre",
    "classes": "Readings",
}


def routes(store: Store, digest: str, reference: Reference | None) -> list[Route]:
    """Return the routes `GET /drift` and `GET /drift.json` of a model; `?days=14` looks back two weeks."""
    reports = _ReportCache(store, digest, reference)

    def show(request: Request) -> Response:
        try:
            report = reports.get(request.query_params.get("days"))
        except UserError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        headers = {"Content-Security-Policy": _content_security_policy(), "Cache-Control": "no-store"}
        return HTMLResponse(html_page(report), headers=headers)

    def as_json(request: Request) -> Response:
        try:
            report = reports.get(request.query_params.get("days"))
        except UserError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        content = asdict(report)
        for part, shift in zip(content["shifts"], report.shifts, strict=True):
            part["level"] = shift.level
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    return [Route("/drift", show), Route("/drift.json", as_json)]


class _ReportCache:
    """Makes reports one at a time, and keeps each for `CACHE_SECONDS`."""

    def __init__(self, store: Store, digest: str, reference: Reference | None) -> None:
        self.store, self.digest, self.reference = store, digest, reference
        self._lock = threading.Lock()
        self._made: dict[int, tuple[float, DriftReport]] = {}

    def get(self, days: str | None) -> DriftReport:
        """Return the report for the text after `?days=`; raise UserError if it is not a number of days."""
        if days is not None and not (days.isascii() and days.isdecimal() and len(days) <= 4):
            raise UserError("days must be a whole number, such as 7.")
        number = DEFAULT_DAYS if days is None else int(days)
        since = days_ago(number)
        with self._lock:
            now = time.monotonic()
            self._made = {key: made for key, made in self._made.items() if now - made[0] < CACHE_SECONDS}
            if number not in self._made:
                self._made[number] = (now, build_report(self.store, self.digest, self.reference, since))
            return self._made[number][1]


def _content_security_policy() -> str:
    """Return a policy that allows the style sheet and the charts of the page, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _style() -> str:
    return STYLE.read_text(encoding="utf-8")


def html_page(report: DriftReport) -> str:
    """Return the HTML page of a report."""
    in_order = sorted(report.shifts, key=lambda shift: (shift.level == "none", -shift.psi / shift.chance))
    return template(PAGE).render(
        report=report,
        style=_style(),
        kind={AS_IN_TRAINING: "good", DRIFTING: "bad"}.get(report.status, "open"),
        icon=ICONS.get(report.status, "…"),
        shifts=list(map(_shift, in_order)),
        trends=_trends(report.days),
    )


def _shift(shift: Shift) -> dict[str, object]:
    """Return what the page shows of a shift."""
    bins = list(zip(shift.bins, shift.reference, shift.now, strict=True))
    if shift.name == "classes":
        most = sorted(bins, key=lambda row: -abs(row[2] - row[1]))[:MAX_CLASSES_SHOWN]
        bins = [row for row in bins if row in most]
    same = "As in training." if shift.psi < PSI_SOME_CHANGE else "No more change than chance explains."
    return {
        "title": TITLES.get(shift.name, shift.name),
        "level": shift.level,
        "meaning": f"{shift.meaning[0].upper()}{shift.meaning[1:]}." if shift.meaning else same,
        "psi": shift.psi,
        "chance": shift.chance,
        "bins": bins,
        "what": "read" if shift.name == "classes" else "from, to",
        "only": f" Only the {len(bins)} that differ most are shown." if len(bins) < len(shift.bins) else "",
        "chart": histogram(bins),
    }


def _trends(days: Sequence[Period]) -> list[tuple[str, str, str]]:
    """Return the charts of all days: of each a title, words for those who cannot see it, and a data URL."""
    if len(days) < 2:
        return []
    sure = [(day.name, day.confidence, day.confidence_interval) for day in days]
    wrong = [(day.name, day.corrected_share, day.corrected_interval) for day in days if day.labelled]
    charts = [("Mean confidence", "Mean confidence by day, with 95% intervals", trend(sure))]
    if len(wrong) > 1:
        words = "Share of wrong readings by day, with 95% intervals"
        charts.append(("Judged readings that were wrong", words, trend(wrong)))
    return charts
