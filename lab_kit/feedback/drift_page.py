"""The drift page: a drift report as one HTML page, without scripts or other files.

It shows only statistics of many pictures, and never a picture, so it tells nothing about a single visitor.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lab_kit.errors import UserError
from lab_kit.feedback.drift_charts import histogram_svg, trend_svg
from lab_kit.feedback.drift_report import AS_IN_TRAINING, DRIFTING, DriftReport, Period, Shift, build_report, days_ago
from lab_kit.feedback.image_statistics import Reference
from lab_kit.feedback.stability import PSI_SOME_CHANGE
from lab_kit.feedback.store import Store

DEFAULT_DAYS = 7  # to look back, unless the address has ?days=
CACHE_SECONDS = 30  # a report is kept this long, so that requests for reports cannot overload the server
STYLE = Path(__file__).with_suffix(".css")
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
    """Return a policy that allows the style sheet of the page and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _style() -> str:
    return STYLE.read_text(encoding="utf-8")


def html_page(report: DriftReport) -> str:
    """Return the HTML page of a report."""
    kind = {AS_IN_TRAINING: "good", DRIFTING: "bad"}.get(report.status, "open")
    since = f"since {report.since[:10]}" if report.since else "of all time"
    others = f" {report.other_models:,} pictures that other models read are left out." if report.other_models else ""
    compared = f", compared with {report.compared_with:,} pictures of the training data" if report.compared_with else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Drift: {escape(report.status)}</title>
<style>{_style()}</style>
</head>
<body>
<main>
<header>
<h1>Do visitors' pictures look like the training data?</h1>
<p class="soft">Model <code>{escape(report.model)}</code>:
{report.period.pictures:,} pictures {since}{compared}.{others}</p>
</header>
<section class="status {kind}" aria-label="Conclusion">
<span class="icon" aria-hidden="true">{ICONS.get(report.status, "…")}</span>
<div><h2>{escape(report.status[0].upper() + report.status[1:])}</h2>
<p>{escape(report.summary)}</p><p>{escape(report.advice)}</p></div>
</section>
{_figures(report.period)}
{_shifts(report.shifts)}
{_days(report.days)}
<footer class="soft">As of {escape(report.until[:16].replace("T", " "))} UTC. Only pictures that visitors agreed to have
kept are counted. Thirty pictures of one visitor count as thirty. The page shows statistics, never pictures.</footer>
</main>
</body>
</html>
"""


def _figures(period: Period) -> str:
    if not period.pictures:
        return ""
    cards = [(f"{period.pictures:,}", "pictures kept", "")]
    cards.append((f"{period.confidence:.0%}", "mean confidence", _interval(period.confidence_interval)))
    if period.labelled:
        judged = f"of {period.labelled:,} readings that visitors judged were wrong"
        cards.append((f"{period.corrected_share:.0%}", judged, _interval(period.corrected_interval)))
    items = "".join(
        f"<li><b>{value}</b><span>{words}</span><small>{range_}</small></li>" for value, words, range_ in cards
    )
    return f'<ul class="figures" aria-label="In this period">{items}</ul>'


def _interval(interval: tuple[float, float]) -> str:
    return f"95% interval {interval[0]:.0%} to {interval[1]:.0%}"


def _shifts(shifts: Sequence[Shift]) -> str:
    if not shifts:
        return ""
    in_order = sorted(shifts, key=lambda shift: (shift.level == "none", -shift.psi / shift.chance))
    return f"""<section aria-labelledby="now"><h2 id="now">Now and in training</h2>
<p class="soft"><span class="key now"></span> visitors' pictures <span class="key before"></span> training data.
The population stability index says how different the two are. A change is reported if the index is at least 0.1 (below
that, changes do not matter) and larger than chance explains with this number of pictures.</p>
<div class="charts">{"".join(map(_shift, in_order))}</div></section>"""


def _shift(shift: Shift) -> str:
    title = TITLES.get(shift.name, shift.name)
    bins = list(zip(shift.bins, shift.reference, shift.now, strict=True))
    if shift.name == "classes":
        most = sorted(bins, key=lambda row: -abs(row[2] - row[1]))[:MAX_CLASSES_SHOWN]
        bins = [row for row in bins if row in most]
    same = "As in training." if shift.psi < PSI_SOME_CHANGE else "No more change than chance explains."
    meaning = f"{shift.meaning[0].upper()}{shift.meaning[1:]}." if shift.meaning else same
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{before:.1%}</td><td>{now:.1%}</td></tr>'
        for name, before, now in bins
    )
    only = f" Only the {len(bins)} that differ most are shown." if len(bins) < len(shift.bins) else ""
    return f"""<article class="card {shift.level}">
<h3>{escape(title)}</h3>
<p>{escape(meaning)}</p>
{histogram_svg(bins, f"{title}: shares of pictures now and in training. {meaning}{only}")}
<p class="soft">Index {shift.psi:.2f}; chance explains up to {shift.chance:.2f}.{only}</p>
<details><summary>Numbers</summary><div class="scroll" tabindex="0" role="region" aria-label="Numbers: {escape(title)}">
<table><thead><tr><th scope="col">{"read" if shift.name == "classes" else "from, to"}</th>
<th scope="col">training</th><th scope="col">now</th></tr></thead><tbody>{rows}</tbody></table></div></details>
</article>"""


def _days(days: Sequence[Period]) -> str:
    if len(days) < 2:
        return ""
    sure = [(day.name, day.confidence, day.confidence_interval) for day in days]
    wrong = [(day.name, day.corrected_share, day.corrected_interval) for day in days if day.labelled]
    charts = [("Mean confidence", trend_svg(sure, "Mean confidence by day, with 95% intervals"))]
    if len(wrong) > 1:
        charts.append(
            ("Judged readings that were wrong", trend_svg(wrong, "Share of wrong readings by day, with 95% intervals"))
        )
    articles = "".join(f'<article class="card"><h3>{title}</h3>{chart}</article>' for title, chart in charts)
    rows = "".join(
        f'<tr><th scope="row">{day.name}</th><td>{day.pictures:,}</td><td>{day.confidence:.0%}</td>'
        f"<td>{day.labelled:,}</td><td>{day.corrected:,}</td></tr>"
        for day in reversed(days)
    )
    return f"""<section aria-labelledby="days"><h2 id="days">Day by day</h2>
<p class="soft">Dots are measured values, bars are 95% intervals: they are long on days with few pictures.</p>
<div class="charts wide">{articles}</div>
<details><summary>Numbers</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Numbers: day by day"><table>
<thead><tr><th scope="col">day (UTC)</th><th scope="col">pictures</th><th scope="col">mean confidence</th>
<th scope="col">judged</th><th scope="col">wrong</th></tr></thead>
<tbody>{rows}</tbody></table></div></details></section>"""
