"""Grade homework: points for each requirement, from the folders or zips that students have handed in.

python -m lab_kit.grade --lab 2 handed_in/* --csv grades.csv
"""

import hashlib
import os
import signal
import sys
import tempfile
import tomllib
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.table import Table

from lab_kit import atomic_write, program
from lab_kit.errors import UserError
from lab_kit.grading import handed_in, reports
from lab_kit.grading.grader import Grade, Grader
from lab_kit.paths import MANIFEST, project_root, readable
from lab_kit.plain_console import PlainConsole

KIT = Path(__file__).resolve().parent
HIDDEN = "curriculum/hidden"  # checks that students do not get, labN/ in it


def grade(
    folders: list[Path],
    lab: int | None = None,
    csv: Path | None = None,
    gradescope: Path | None = None,
    github: bool = False,
    hidden: Path | None = None,
    seconds: float = 10,
    memory: float = 4,
    jobs: int | None = None,
) -> None:
    """Grade homework that students have handed in, against this folder's own checks.

    Args:
        folders: of one student each, or a zip: a repository, a lab, or only the files that were to be changed.
        lab: number of the lab.
        csv: write a table for spreadsheets, and beside it a folder with a text for each student.
        gradescope: write Gradescope's results.json, for one student.
        github: write what GitHub Classroom's reporter reads, and a summary, in a workflow on GitHub; for one student.
        hidden: a folder of checks that students do not have; by default curriculum/hidden/labN, where there is one.
        seconds: that a check may take.
        memory: gigabytes that a check may take, besides Python and PyTorch.
        jobs: students who are graded at the same time; as many as there are cores if not given.
    """
    if not __debug__:
        raise UserError(
            "Python runs without assertions, so every check would pass. Leave out -O, or: unset PYTHONOPTIMIZE"
        )
    root = project_root()
    if lab is None:
        raise UserError("Homework of which lab? Add --lab 2, for example.")
    if seconds <= 0 or memory <= 0 or (jobs is not None and jobs < 1):
        raise UserError("--seconds and --memory must be greater than 0, and --jobs at least 1.")
    if (gradescope or github) and len(folders) != 1:
        raise UserError("--gradescope and --github are for one student: give one folder.")
    if github and not os.environ.get("GITHUB_OUTPUT"):
        raise UserError("--github is for a workflow on GitHub, which sets GITHUB_OUTPUT.")
    texts = csv and csv.with_name(f"{csv.stem}-feedback")
    for target in (csv, gradescope):
        if target:
            _assert_writable(target)
    if texts and texts.exists() and not texts.is_dir():
        raise UserError(f"{texts} is a file, and should be the folder of the texts for students: move it away.")
    homework = _homework(root, lab)
    place = root / f"lab{lab}"
    _assert_as_handed_out(place)
    own = hidden or root / HIDDEN / place.name
    if hidden and not hidden.is_dir():
        raise UserError(f"There is no folder {hidden} with checks.")
    work = [handed_in.read(folder, place.name, homework) for folder in folders]
    if not any(folder.is_dir() or zipfile.is_zipfile(folder) for folder in folders):
        raise UserError(f"{folders[0]} is neither a folder nor a zip.")
    handed_in.name_apart(work, folders)
    secret = (
        root,
        Path(tempfile.gettempdir()),  # where others are graded at the same time
        *(folder.resolve() for folder in folders),
        *(target.resolve() for target in (csv, gradescope) if target),
    )
    grader = Grader(place, own if own.is_dir() else None, seconds, memory, secret, (KIT,))

    console = PlainConsole()
    grades: list[Grade] = []
    try:
        _grade_all(grader, work, min(jobs or os.cpu_count() or 1, len(work)), grades, console)
    finally:  # what is done is kept, also after Ctrl-C
        if grades:
            _show(grades, console)
        if csv and grades:
            reports.write_feedback(grades, place.name, texts)
            atomic_write.write_text(reports.csv_text(grades), csv)
            said = f"Written: {csv}, and a text for each student in {texts}"
            left = len(work) - len(grades)
            console.print(f"{said}{f'; {left} of {len(work)} are missing' if left else ''}", soft_wrap=True)
    if gradescope:
        atomic_write.write_json(reports.gradescope(grades[0]), gradescope)
    if github:
        _append("GITHUB_OUTPUT", f"result={reports.classroom(grades[0])}\n")
        _append("GITHUB_STEP_SUMMARY", reports.markdown(grades[0], place.name))


def _assert_writable(target: Path) -> None:
    """Say before any work where a file cannot be written."""
    if not target.resolve().parent.is_dir():
        raise UserError(f"There is no folder {target.parent} for {target.name}: make it first.")
    if target.is_dir():
        raise UserError(f"{target} is a folder: give the name of a file.")
    if not os.access(target.resolve().parent, os.W_OK):
        raise UserError(f"You may not write into {target.parent}: choose another folder for {target.name}.")


def _homework(root: Path, number: int) -> list[str]:
    """Return the files that are handed in, as labs.toml names them."""
    path = root / MANIFEST
    if not path.is_file():
        raise UserError(f"There is no {MANIFEST} in {root}: start this in the course's folder.")
    labs = {lab["number"]: lab for lab in tomllib.loads(path.read_text(encoding="utf-8")).get("lab", [])}
    if number not in labs:
        raise UserError(f"There is no lab {number}: {readable(path)} has {', '.join(map(str, labs))}.")
    if not labs[number].get("homework"):
        raise UserError(f"{readable(path)} does not say which files are handed in: lab {number} has no `homework`.")
    return labs[number]["homework"]


def _assert_as_handed_out(lab: Path) -> None:
    """Refuse to grade beside a lab in which somebody has worked: its files stand in for those not handed in."""
    record = lab / ".generated"
    for line in record.read_text(encoding="utf-8").splitlines() if record.is_file() else []:
        expected, _, name = line.partition("  ")
        path = lab / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise UserError(
                f"{readable(path)} is not as it was handed out, and students are graded beside it. Keep your own work "
                f"elsewhere, and take the file back: git checkout {readable(path)}"
            )


def _grade_all(
    grader: Grader, work: list[handed_in.HandedIn], jobs: int, grades: list[Grade], console: PlainConsole
) -> None:
    """Put the grades into a list, at last in the order of the work; one line a student, as they come."""
    grader.requirements()  # what is wrong with the checks should be said before anything starts
    console.print(f"Grading {len(work)} {'student' if len(work) == 1 else 'students'} in {grader.lab.name} ...")
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = [pool.submit(grader.grade, one) for one in work]
        for number, future in enumerate(as_completed(futures), start=1):
            grades.append(done := future.result())
            text = (
                f"{number} of {len(work)}  {done.student}: {done.points} of {len(done.results)} ({done.seconds:.0f} s)"
            )
            console.print(text, soft_wrap=True)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave processes and folders behind
        if not grades:
            sys.stderr.write("\nNothing was written.")
        raise
    finally:
        grader.stop.set()
        pool.shutdown(cancel_futures=True)
        order = {one.student: place for place, one in enumerate(work)}
        grades.sort(key=lambda grade: order[grade.student])


def _show(grades: list[Grade], console: PlainConsole) -> None:
    """Print who has how many points in which exercise, which requirements were met by how many, and what to look at."""
    requirements = [result.requirement for result in grades[0].results]
    exercises = list(dict.fromkeys(requirement.exercise for requirement in requirements))
    table = Table(title="Points")
    table.add_column("student", overflow="fold")
    for exercise in exercises:
        own = [requirement for requirement in requirements if requirement.exercise == exercise]
        hidden = ", hidden" if own[0].hidden else ""
        table.add_column(f"{exercise.partition(':')[0]}{hidden}\nof {len(own)}", justify="right")
    table.add_column(f"all\nof {len(requirements)}", justify="right")
    for one in grades:
        points = Counter(result.requirement.exercise for result in one.results if result.met)
        table.add_row(one.student, *(str(points[exercise]) for exercise in exercises), str(one.points))
    console.print(table)

    table = Table(title="Requirements")
    table.add_column("met by", justify="right")
    table.add_column("requirement")
    for index, requirement in enumerate(requirements):
        met = sum(one.results[index].met for one in grades)
        table.add_row(f"{met} of {len(grades)}", f"{requirement.text}{' (hidden)' if requirement.hidden else ''}")
    console.print(table)
    for one in grades:
        for note in one.notes:
            console.print(f"{one.student}: {note}", soft_wrap=True)


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    program.run(grade)
