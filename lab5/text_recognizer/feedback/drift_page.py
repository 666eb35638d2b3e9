"""The page on drift: a report as HTML that needs nothing else, no script and no other file.

It shows sums over many pictures, and never a picture: whoever may see the page learns nothing of a single visitor.
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

from text_recognizer.errors import UserError
from text_recognizer.feedback.drift_charts import histogram, trend
from text_recognizer.feedback.drift_report import AS_BEFORE, CHANGED, DriftReport, Period, Shift, days_ago, report
from text_recognizer.feedback.stability import SOME
from text_recognizer.feedback.store import Store
from text_recognizer.shipping.model_card import ModelCard

DAYS = 7  # under review, unless ?days= says otherwise
FRESH_S = 30  # a report is asked for anew after this time: nobody can keep the server busy with reports
STYLE = Path(__file__).with_suffix(".css")
MOST_CLASSES = 14  # in a chart: those that have changed most
ICONS = {AS_BEFORE: "✓", CHANGED: "!"}
TITLES = {
    "confidence": "How sure the model is",
    "ink": "Ink",
    "contrast": "Contrast",
    "width": "Width of the writing",
    "height": "Height of the writing",
    "centre": "Distance from the middle",
    "classes": "What is read",
}


def routes(store: Store, card: ModelCard) -> list[Route]:
    """Return `GET /drift` and `GET /drift.json` of a model; `?days=14` looks two weeks back."""
    reports = _Reports(store, card)

    def show(request: Request) -> Response:
        try:
            found = reports.get(request.query_params.get("days"))
        except UserError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        rules = {"Content-Security-Policy": _rules(), "Cache-Control": "no-store"}
        return HTMLResponse(page(found), headers=rules)

    def as_json(request: Request) -> Response:
        try:
            found = reports.get(request.query_params.get("days"))
        except UserError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        content = asdict(found)
        for part, shift in zip(content["shifts"], found.shifts, strict=True):
            part["level"] = shift.level
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    return [Route("/drift", show), Route("/drift.json", as_json)]


class _Reports:
    """Reports by days, made one at a time and kept for a while."""

    def __init__(self, store: Store, card: ModelCard) -> None:
        self.store, self.card = store, card
        self._lock = threading.Lock()
        self._made: dict[int, tuple[float, DriftReport]] = {}

    def get(self, days: str | None) -> DriftReport:
        if days is not None and not (days.isascii() and days.isdecimal() and len(days) <= 4):
            raise UserError("days must be a whole number, such as 7.")
        number = DAYS if days is None else int(days)
        since = days_ago(number)
        with self._lock:
            now = time.monotonic()
            self._made = {key: made for key, made in self._made.items() if now - made[0] < FRESH_S}
            if number not in self._made:
                self._made[number] = (now, report(self.store, self.card, since))
            return self._made[number][1]


def _rules() -> str:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _style() -> str:
    return STYLE.read_text(encoding="utf-8")


def page(found: DriftReport) -> str:
    """Return a report as a page of HTML."""
    kind = {AS_BEFORE: "good", CHANGED: "bad"}.get(found.status, "open")
    since = f"since {found.since[:10]}" if found.since else "of all times"
    others = f" {found.other_models:,} pictures that other models have read are left out." if found.other_models else ""
    compared = f", compared with {found.compared_with:,} pictures of the training data" if found.compared_with else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Drift: {escape(found.status)}</title>
<style>{_style()}</style>
</head>
<body>
<main>
<header>
<h1>Do visitors write what the model has learned?</h1>
<p class="soft">Model <code>{escape(found.model)}</code>:
{found.period.pictures:,} pictures {since}{compared}.{others}</p>
</header>
<section class="status {kind}" aria-label="Conclusion">
<span class="icon" aria-hidden="true">{ICONS.get(found.status, "…")}</span>
<div><h2>{escape(found.status[0].upper() + found.status[1:])}</h2>
<p>{escape(found.summary)}</p><p>{escape(found.advice)}</p></div>
</section>
{_figures(found.period)}
{_shifts(found.shifts)}
{_days(found.days)}
<footer class="soft">As of {escape(found.until[:16].replace("T", " "))} UTC. Only pictures that visitors agreed to have
kept count, one by one: thirty of one visitor are thirty. The page shows sums, never pictures.</footer>
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
    return f'<ul class="figures" aria-label="In this time">{items}</ul>'


def _interval(interval: tuple[float, float]) -> str:
    return f"95% interval {interval[0]:.0%} to {interval[1]:.0%}"


def _shifts(shifts: Sequence[Shift]) -> str:
    if not shifts:
        return ""
    in_order = sorted(shifts, key=lambda shift: (shift.level == "none", -shift.psi / shift.chance))
    return f"""<section aria-labelledby="now"><h2 id="now">Now and in training</h2>
<p class="soft"><span class="key now"></span> visitors' pictures <span class="key before"></span> training data.
The stability index says how far the two are apart. A change is reported where it is at least 0.1, which is when it
begins to matter, and more than chance makes of so few pictures.</p>
<div class="charts">{"".join(map(_shift, in_order))}</div></section>"""


def _shift(shift: Shift) -> str:
    title = TITLES.get(shift.name, shift.name)
    bins = list(zip(shift.bins, shift.reference, shift.now, strict=True))
    if shift.name == "classes":
        most = sorted(bins, key=lambda row: -abs(row[2] - row[1]))[:MOST_CLASSES]
        bins = [row for row in bins if row in most]
    same = "As in training." if shift.psi < SOME else "No change that chance would not explain."
    meaning = f"{shift.meaning[0].upper()}{shift.meaning[1:]}." if shift.meaning else same
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{before:.1%}</td><td>{now:.1%}</td></tr>'
        for name, before, now in bins
    )
    only = f" The {len(bins)} that differ most." if len(bins) < len(shift.bins) else ""
    return f"""<article class="card {shift.level}">
<h3>{escape(title)}</h3>
<p>{escape(meaning)}</p>
{histogram(bins, f"{title}: shares of pictures now and in training. {meaning}{only}")}
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
    charts = [("Mean confidence", trend(sure, "Mean confidence by day, with 95% intervals"))]
    if len(wrong) > 1:
        charts.append(
            ("Judged readings that were wrong", trend(wrong, "Share of wrong readings by day, with 95% intervals"))
        )
    articles = "".join(f'<article class="card"><h3>{title}</h3>{chart}</article>' for title, chart in charts)
    rows = "".join(
        f'<tr><th scope="row">{day.name}</th><td>{day.pictures:,}</td><td>{day.confidence:.0%}</td>'
        f"<td>{day.labelled:,}</td><td>{day.corrected:,}</td></tr>"
        for day in reversed(days)
    )
    return f"""<section aria-labelledby="days"><h2 id="days">Day by day</h2>
<p class="soft">Dots are what was measured, bars the 95% intervals: where few pictures were kept, they are long.</p>
<div class="charts wide">{articles}</div>
<details><summary>Numbers</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Numbers: day by day"><table>
<thead><tr><th scope="col">day (UTC)</th><th scope="col">pictures</th><th scope="col">mean confidence</th>
<th scope="col">judged</th><th scope="col">wrong</th></tr></thead>
<tbody>{rows}</tbody></table></div></details></section>"""
