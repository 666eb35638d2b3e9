"""Report what was done when a review was applied: a CSV file with a row for each file, and a table for each class."""

import csv
import io
from collections import Counter
from pathlib import Path

from rich.table import Table

from lab_kit import atomic_write
from lab_kit.curation.review_plan import Step
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole

REPORT_COLUMNS = ("file", "done", "label", "new_label", "grade", "new_file")
SUMMARY_COLUMNS = {  # what is counted -> heading
    "before": "before",
    "deleted": "deleted",
    "relabelled": "moved out",
    "moved in": "moved in",
    "other grade": "other grade",
    "after": "after",
}
REMARKS = {
    "not looked at": "{} pictures that nobody has looked at were copied as they are.",
    "not in review": "{} files that are not in the review were copied as they are.",
    "missing": "{} pictures of the review are no longer in the folder.",
}


def report_file(new_folder: Path) -> Path:
    """Return the path of the report on `new_folder`: beside the folder, so that it is not taken for data."""
    return new_folder.with_name(f"{new_folder.name}-report.csv")


def write_report(steps: list[Step], path: Path) -> None:
    """Write the report: a CSV file with a row for each step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(REPORT_COLUMNS)
    writer.writerows([getattr(step, column) for column in REPORT_COLUMNS] for step in steps)
    content = text.getvalue().encode("utf-8", "backslashreplace")  # a file's name may have bytes that are not text
    atomic_write.write_bytes(content, path)


def count_by_class(steps: list[Step]) -> dict[str, Counter]:
    """Count for each class of the reviewed pictures: pictures before, each kind of change, and pictures after."""
    counts: dict[str, Counter] = {}
    for step in steps:
        if step.label and step.done != "missing":
            counts.setdefault(step.label, Counter()).update(["before", step.done])
        if step.new_label:
            counts.setdefault(step.new_label, Counter()).update(["after"])
            if step.done == "relabelled":
                counts[step.new_label]["moved in"] += 1
    return counts


def print_summary(steps: list[Step], folder: Path, new_folder: Path, console: PlainConsole) -> None:
    """Print a table of the changes in each class, and what a person should know besides."""
    counts = count_by_class(steps)
    done = Counter(step.done for step in steps)
    table = Table(title=f"Pictures in {readable(new_folder)}", title_justify="left", title_style="bold")
    table.add_column("class", style="cyan", no_wrap=True)
    for heading in SUMMARY_COLUMNS.values():
        table.add_column(heading, justify="right")
    rows = {label: counts[label] for label in sorted(counts)}
    rows["all"] = sum(counts.values(), Counter())
    for label, row in rows.items():
        if label == "all":
            table.add_section()
        table.add_row(label, *(str(row[column]) if row[column] else "-" for column in SUMMARY_COLUMNS))
    console.print(table)
    for what, sentence in REMARKS.items():
        if done[what]:
            console.print(sentence.format(done[what]))
    for label, row in counts.items():
        if row["before"] and not row["after"]:
            console.print(f"The class {label} has no pictures any more.", style="bold red")
    console.print(f"What was done with each picture: {readable(report_file(new_folder))}", soft_wrap=True)
    console.print(f"{readable(folder)} was not changed. Train again on {readable(new_folder)}.", soft_wrap=True)
