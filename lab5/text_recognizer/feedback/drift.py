"""Do visitors write what the model has learned to read?

    python -m text_recognizer.feedback.drift corrections.sqlite shipped-model

Nobody says whether most readings are right. But a pen that has become thinner, or drawings that are not centred any
more, show in the pictures themselves, and in how sure the model is: each of these is compared with the model's own
training data, which `python -m text_recognizer.export` has measured. What visitors corrected comes beside it.

Pictures count one by one. Thirty of one visitor are thirty, although they are one hand: the store cannot tell.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from text_recognizer import program
from text_recognizer.feedback.drift_report import AS_BEFORE, CHANGED, DriftReport, days_ago
from text_recognizer.feedback.drift_report import report as report
from text_recognizer.feedback.store import Store
from text_recognizer.shipping.model_card import ModelCard

DRIFTING = 3  # the exit code, if that is asked for


def drift(store: Path, folder: Path, days: int = 7, fail: bool = False) -> None:
    """Compare what visitors wrote lately with what a model was trained on.

    Args:
        store: the SQLite file that the web page keeps.
        folder: the shipped model that has read the pictures.
        days: how many days back to look.
        fail: end with exit code 3 if visitors write something else than the model has learned.
    """
    card = ModelCard.read(folder)
    opened = Store.open(store, create=False)
    try:
        found = report(opened, card, days_ago(days))
    finally:
        opened.close()
    _print(found, Console())
    if fail and found.status == CHANGED:
        sys.exit(DRIFTING)


def _print(found: DriftReport, console: Console) -> None:
    colour = {AS_BEFORE: "green", CHANGED: "red"}.get(found.status, "yellow")
    console.print(f"[bold {colour}]{found.status.capitalize()}.[/] {escape(found.summary)} {escape(found.advice)}")
    since = f"since {found.since[:10]}" if found.since else "of all times"
    console.print(
        f"{found.period.pictures} pictures {since}, {found.compared_with} of the training data to compare with."
    )
    if found.other_models:
        console.print(f"{found.other_models} pictures that other models have read are left out.")
    if found.period.labelled:
        low, high = found.period.corrected_interval
        console.print(
            f"{found.period.corrected} of {found.period.labelled} readings that visitors judged were wrong: "
            f"{found.period.corrected_share:.0%} (95% interval {low:.0%} to {high:.0%})"
        )
    if found.shifts:
        table = Table("quantity", "index", "by chance up to", "changed", title="Now and in training")
        for column in table.columns[1:3]:
            column.justify = "right"
        for shift in found.shifts:
            table.add_row(shift.name, f"{shift.psi:.2f}", f"{shift.chance:.2f}", escape(shift.meaning) or "no")
        console.print(table)
    if len(found.days) > 1:
        table = Table("day", "pictures", "mean confidence", "judged", "wrong", title="Day by day")
        for column in table.columns[1:]:
            column.justify = "right"
        for day in found.days:
            wrong = f"{day.corrected_share:.0%}" if day.labelled else ""
            table.add_row(day.name, str(day.pictures), f"{day.confidence:.0%}", str(day.labelled), wrong)
        console.print(table)


if __name__ == "__main__":
    program.run(drift)
