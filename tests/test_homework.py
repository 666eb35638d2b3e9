"""The homework's checks, in copies of the labs: none passes on the starter, and all pass on the reference solution.

Those that students do not get run beside the others: a process for each would take half a minute more.
"""

import filecmp
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from curriculum import manifest, snapshot
from curriculum.manifest import HIDDEN
from lab_kit.paths import project_root

ROOT = project_root()
COURSE = manifest.load(ROOT)
LABS = [lab.number for lab in COURSE.labs]
SOLUTIONS = ROOT / "curriculum" / "solutions"
SHARED = ("conftest.py", "pytest.ini")  # the same in each lab, since a lab needs no file from outside


@dataclass
class Outcome:
    """What a run of the checks came to: its exit code, what a student read, and each check's failure, if any."""

    code: int
    output: str
    failures: dict[str, str | None]


@pytest.fixture(scope="module", params=LABS)
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Check a lab as the student finds it, from the root, and solved, from inside: both at once, to save time."""
    number = request.param
    processes = {}
    for state in ("starter", "solved"):
        root = tmp_path_factory.mktemp(f"lab{number}-{state}")
        lab = make_repository(root, number)
        if state == "solved":
            shutil.copytree(SOLUTIONS / lab.name, lab, dirs_exist_ok=True)
        for hidden in hidden_files(number):
            shutil.copy(hidden, lab / "homework")
        folder = root if state == "starter" else lab
        report = root / "report.xml"
        processes[state] = report, start_checks(folder, lab / "homework", report)
    return {state: finish(report, process) for state, (report, process) in processes.items()}


def hidden_files(number: int) -> list[Path]:
    return sorted((ROOT / HIDDEN / f"lab{number}").glob("*.py"))


def make_repository(root: Path, number: int) -> Path:
    """Make a repository of one lab, beside packages that no check must ever import; returns the lab."""
    shutil.copy(ROOT / "pyproject.toml", root)
    for package in ("text_recognizer", "training"):
        (root / package).mkdir()
        (root / package / "__init__.py").touch()
    lab = root / f"lab{number}"
    ignored = shutil.ignore_patterns("logs", "__pycache__", ".*")
    shutil.copytree(ROOT / lab.name / "homework", lab / "homework", ignore=ignored)
    for name, content in snapshot.built_files(COURSE, COURSE.lab(number)).items():  # whatever a student has made of it
        (lab / name).parent.mkdir(parents=True, exist_ok=True)
        (lab / name).write_bytes(content)
    return lab


def start_checks(folder: Path, homework: Path, report: Path, *only: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", str(homework.relative_to(folder)), f"--junitxml={report}", *only],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONPATH"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(report: Path, process: subprocess.Popen) -> Outcome:
    output, _ = process.communicate(timeout=300)
    assert report.exists(), output
    failures = {}
    for case in ElementTree.parse(report).iter("testcase"):
        problem = next((found for found in case if found.tag in ("failure", "error")), None)
        failures[case.get("name")] = None if problem is None else f"{problem.tag}: {problem.get('message')}"
    return Outcome(process.returncode, output, failures)


def test_every_check_fails_on_the_starter_and_says_what_to_do(outcomes) -> None:
    starter = outcomes["starter"]
    assert starter.code == 1, starter.output
    assert starter.failures
    for name, failure in starter.failures.items():
        assert failure is not None, f"{name} passes on the starter: it checks nothing that a student must do"
        assert failure.startswith(("failure: AssertionError: ", "failure: NotImplementedError: ")), f"{name}: {failure}"
        assert len(failure) > 80, f"{name}: {failure}"
    assert starter.output.count("  [ ] ") == len(starter.failures)
    assert f"0 of {len(starter.failures)} requirements are met." in starter.output


def test_every_check_passes_on_the_solution(outcomes) -> None:
    solved = outcomes["solved"]
    assert solved.code == 0, solved.output
    assert solved.failures.keys() == outcomes["starter"].failures.keys()
    assert set(solved.failures.values()) == {None}
    assert f"{len(solved.failures)} of {len(solved.failures)} requirements are met." in solved.output
    assert "Well done: that is all of it." in solved.output
    assert "Left out" not in solved.output


def test_nobody_is_done_before_all_checks_were_made(tmp_path) -> None:
    lab = make_repository(tmp_path, 1)
    shutil.copytree(SOLUTIONS / lab.name, lab, dirs_exist_ok=True)
    report = tmp_path / "report.xml"
    part = finish(report, start_checks(lab, lab / "homework", report, "-k", "dropout"))
    met = len(part.failures)
    assert f"{met} of {met} requirements are met." in part.output
    assert "Well done" not in part.output
    left_out = re.search(
        r"Left out: (\d+) of (\d+)\. To check all of them:\n  python -m pytest homework\n", part.output
    )
    assert int(left_out[1]) == int(left_out[2]) - met > 0


def test_mistakes_are_explained_in_whole_sentences(tmp_path) -> None:
    lab = make_repository(tmp_path, 1)
    shutil.copytree(SOLUTIONS / lab.name, lab, dirs_exist_ok=True)
    mlp = lab / "text_recognizer" / "models" / "mlp.py"
    text = mlp.read_text().replace("nn.Linear(fc3, len", "nn.Linear(fc2, len").replace("UserError(f", "ValueError(f")
    mlp.write_text(f"{text}\nDROPOUT = 0.2\n")
    report = tmp_path / "report.xml"
    text = " ".join(finish(report, start_checks(lab, lab / "homework", report, "-k", "mlp")).output.split())
    assert "layers.10 of MLP (Linear) takes 128 numbers, and is given 64: its input has the shape (8, 64)." in text
    assert "ValueError: dropout must be at least 0 and below 1, not -0.1. A UserError was expected" in text
    assert "Nothing uses the constant DROPOUT any more" in text


def test_students_read_requirements_and_lessons_and_no_tracebacks(outcomes) -> None:
    for outcome in outcomes.values():
        assert "Traceback" not in outcome.output
        assert "Warning" not in outcome.output
        assert re.search(r"^Exercise 1: .+", outcome.output, re.M)
        assert max(map(len, outcome.output.splitlines())) <= 120


def test_no_case_passes_as_an_empty_file(tmp_path) -> None:
    lab = make_repository(tmp_path, 7)
    for name in COURSE.lab(7).homework:
        (lab / name).write_text("")
    report = tmp_path / "report.xml"
    empty = finish(report, start_checks(lab, lab / "homework", report))
    assert len(empty.failures) == 12
    assert None not in empty.failures.values()


@pytest.mark.parametrize("number", LABS)
def test_each_lab_has_the_same_reporter(number) -> None:
    assert filecmp.cmpfiles(ROOT / "lab1/homework", ROOT / f"lab{number}/homework", SHARED, shallow=False)[0] == [
        *SHARED
    ]


@pytest.mark.parametrize("number", LABS)
def test_labs_toml_the_readme_and_the_solution_name_the_files_that_homework_changes(number) -> None:
    lab, solution = COURSE.lab(number), SOLUTIONS / f"lab{number}"
    readme = (ROOT / lab.folder / "homework" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\*\*File:\*\* `(.*)`$", readme, re.MULTILINE) == [*lab.homework]
    assert {file.relative_to(solution).as_posix() for file in solution.rglob("*.py")} == {*lab.homework}
    starters = snapshot.built_files(COURSE, lab)
    assert [name for name in lab.homework if starters[name] == (solution / name).read_bytes()] == []
