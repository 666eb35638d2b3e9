"""Check for drift: compare visitors' pictures with the training data of a model.

    python -m app.drift_check corrections.sqlite shipped-model

For most readings, nobody says whether they are right. But thinner pens, or drawings that are no longer centred, show in
the pictures themselves and in the confidence of the model. These statistics are compared with those of the training
data, which `python -m text_recognizer.export` has measured. The corrections of visitors are counted as well.

Each picture counts. Thirty pictures of one visitor count as thirty: the store does not know who wrote them.
"""

import sys
from pathlib import Path

from rich.table import Table
from rich.text import Text

from lab_kit import program
from lab_kit.feedback.drift_report import AS_IN_TRAINING, DRIFTING, DriftReport, build_report, days_ago
from lab_kit.feedback.store import Store
from lab_kit.plain_console import PlainConsole
from text_recognizer.shipping.model_card import ModelCard

EXIT_DRIFTING = 3  # the exit code with --fail True


def drift(store: Path, folder: Path, days: int = 7, fail: bool = False) -> None:
    """Compare the pictures of recent visitors with the training data of a model.

    Args:
        store: the SQLite file of the web server (`--feedback`).
        folder: the shipped model that has read the pictures.
        days: how many days to look back.
        fail: end with exit code 3 if there is drift.
    """
    card = ModelCard.read(folder)
    opened = Store.open(store, create=False)
    try:
        report = build_report(opened, card.digest, card.reference, days_ago(days))
    finally:
        opened.close()
    _print(report, PlainConsole())
    if fail and report.status == DRIFTING:
        sys.exit(EXIT_DRIFTING)


def _print(report: DriftReport, console: PlainConsole) -> None:
    colour = {AS_IN_TRAINING: "green", DRIFTING: "red"}.get(report.status, "yellow")
    verdict = (f"{report.status.capitalize()}.", f"bold {colour}")
    console.print(Text.assemble(verdict, f" {report.summary} {report.advice}"))
    since = f"since {report.since[:10]}" if report.since else "of all time"
    console.print(
        f"{report.period.pictures} pictures {since}, compared with {report.compared_with} pictures "
        "of the training data."
    )
    if report.other_models:
        console.print(f"{report.other_models} pictures that other models read are left out.")
    if report.period.labelled:
        low, high = report.period.corrected_interval
        console.print(
            f"{report.period.corrected} of {report.period.labelled} readings that visitors judged were wrong: "
            f"{report.period.corrected_share:.0%} (95% interval {low:.0%} to {high:.0%})"
        )
    if report.shifts:
        table = Table("statistic", "index", "by chance up to", "changed", title="Now and in training")
        for column in table.columns[1:3]:
            column.justify = "right"
        for shift in report.shifts:
            table.add_row(shift.name, f"{shift.psi:.2f}", f"{shift.chance:.2f}", shift.meaning or "no")
        console.print(table)
    if len(report.days) > 1:
        table = Table("day", "pictures", "mean confidence", "judged", "wrong", title="Day by day")
        for column in table.columns[1:]:
            column.justify = "right"
        for day in report.days:
            wrong = f"{day.corrected_share:.0%}" if day.labelled else ""
            table.add_row(day.name, str(day.pictures), f"{day.confidence:.0%}", str(day.labelled), wrong)
        console.print(table)


if __name__ == "__main__":
    program.run(drift)
