"""Grades as files: a table for spreadsheets, a text for each student, and what Gradescope and GitHub Classroom read."""

import base64
import csv
import io
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from lab_kit import atomic_write
from lab_kit.grading.grader import Grade, Result
from lab_kit.grading.printable import file_name

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet would calculate
HIDDEN = "This check is not part of what was handed out. Read the exercise again: which cases does it name?"


def csv_text(grades: Sequence[Grade]) -> str:
    """Return one row a student: points, of how many, percent, a 1 or 0 for each requirement, and notes.

    It begins with the mark by which Excel knows that a table is in UTF-8.
    """
    requirements = [result.requirement for result in grades[0].results]
    table = io.StringIO(newline="")
    table.write("\ufeff")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["student", "points", "of", "percent", *(one.name for one in requirements), "notes"])
    for grade in grades:
        met = [int(result.met) for result in grade.results]
        percent = f"{100 * grade.points / len(met):.1f}"
        writer.writerow([_cell(grade.student), grade.points, len(met), percent, *met, _cell(" ".join(grade.notes))])
    return table.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def feedback(grade: Grade, lab: str) -> str:
    """Return what a student reads: the exercises, a box for each requirement, and what to do about the empty ones."""
    lines = [f"Homework of {lab}: {grade.student}", ""]
    for exercise, results in groupby(grade.results, key=lambda result: result.requirement.exercise):
        lines.append(exercise)
        last = None
        for result in results:
            lines.append(f"  [{'x' if result.met else ' '}] {result.requirement.text}")
            lesson = _lesson(result)
            lines += [f"      {line}" for line in ("As above." if lesson == last else lesson).splitlines()]
            last = lesson or None
        lines.append("")
    lines += [note for note in grade.notes if not note.startswith("Look at")]  # those are for the instructor
    return "\n".join([*lines, f"{grade.points} of {len(grade.results)} requirements are met.", ""])


def write_feedback(grades: Sequence[Grade], lab: str, folder: Path) -> None:
    """Write a text file for each student."""
    folder.mkdir(parents=True, exist_ok=True)
    for grade in grades:
        atomic_write.write_text(feedback(grade, lab), folder / f"{file_name(grade.student)}.txt")


def gradescope(grade: Grade) -> dict[str, object]:
    """Return the content of Gradescope's `results.json`.

    Checks that students do not have are shown once the grades are published. Source:
    https://gradescope-autograders.readthedocs.io/en/latest/specs/
    """
    tests = [
        {
            "name": f"{result.requirement.exercise}: {result.requirement.text}",
            "score": float(result.met),
            "max_score": 1.0,
            "status": "passed" if result.met else "failed",
            "output": _lesson(result),
            "visibility": "after_published" if result.requirement.hidden else "visible",
        }
        for result in grade.results
    ]
    notes = [note for note in grade.notes if not note.startswith("Look at")]
    return {
        "execution_time": round(grade.seconds),
        "output": "\n".join([*notes, f"{grade.points} of {len(tests)} requirements are met."]),
        "extra_data": {"notes": grade.notes},
        "tests": tests,
    }


def classroom(grade: Grade) -> str:
    """Return what GitHub Classroom's reporter takes from a step: JSON, in base64.

    Source: https://github.com/classroom-resources/autograding-grading-reporter
    """
    tests = [
        {
            "name": result.requirement.text,
            "status": "pass" if result.met else "fail",
            "score": int(result.met),
            "message": _lesson(result),
            "test_code": result.requirement.name,
            "filename": result.requirement.file.name,
            "line_no": 0,
            "duration": 0,
        }
        for result in grade.results
    ]
    all_met = grade.points == len(tests)
    report = {"version": 1, "status": "pass" if all_met else "fail", "max_score": len(tests), "tests": tests}
    return base64.b64encode(json.dumps(report).encode()).decode()


def markdown(grade: Grade, lab: str) -> str:
    """Return the summary that GitHub shows below a workflow's run."""
    boxes = [f"- [{'x' if result.met else ' '}] {result.requirement.text}" for result in grade.results]
    return "\n".join([f"## Homework of {lab}: {grade.points} of {len(boxes)}", "", *boxes, ""])


def _lesson(result: Result) -> str:
    """Return what a student reads about a requirement that is not met; of a hidden check nothing that it found."""
    if result.met:
        return ""
    return HIDDEN if result.requirement.hidden else result.lesson
