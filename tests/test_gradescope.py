"""Gradescope's zip, run as its documentation says, in a folder in place of /autograder."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from curriculum import gradescope, manifest
from lab_kit.errors import UserError
from lab_kit.paths import project_root
from tests.test_grade import RESULTS_SCHEMA, clean

ROOT = project_root()
COURSE = manifest.load(ROOT)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """Return a folder like /autograder after the image was built."""
    root = tmp_path_factory.mktemp("autograder")
    root.chmod(0o755)
    gradescope.build(COURSE, COURSE.lab(2), root / "autograder.zip")
    with zipfile.ZipFile(root / "autograder.zip") as archive:
        archive.extractall(root / "source")
    for name in ("submission", "results"):
        (root / name).mkdir()
    shutil.copy(root / "source" / "run_autograder", root)
    (root / "source" / ".venv" / "bin").mkdir(parents=True)  # in place of setup.sh, which needs the network
    python = root / "source" / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


def test_the_zip_has_what_grading_needs_and_no_solution(unpacked, tmp_path):
    names = zipfile.ZipFile(unpacked / "autograder.zip").namelist()
    assert {"setup.sh", "run_autograder", "labs.toml", "lab2/homework/test_cnn.py", "lab_kit/grade.py"} <= set(names)
    assert not [name for name in names if "solution" in name or name.startswith(("lab1/", "lab3/", "tests/"))]
    modes = {
        entry.filename: entry.external_attr >> 16 for entry in zipfile.ZipFile(unpacked / "autograder.zip").infolist()
    }
    assert modes["run_autograder"] & 0o111
    gradescope.build(COURSE, COURSE.lab(2), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (unpacked / "autograder.zip").read_bytes()


def test_a_submission_of_bare_files_is_graded(unpacked):
    """The solution, as the student's file alone: all points."""
    shutil.copy(ROOT / "curriculum/solutions/lab2/text_recognizer/models/cnn.py", unpacked / "submission")
    done = subprocess.run(
        ["bash", str(unpacked / "run_autograder")], cwd=unpacked, capture_output=True, text=True, check=False,
        timeout=300,
        env=clean() | {"AUTOGRADER_ROOT": str(unpacked), "PYTHONPATH": str(unpacked / "source")},
    )  # fmt: skip
    results = json.loads((unpacked / "results" / "results.json").read_text(encoding="utf-8"))
    assert "tests" in results, (results, done.stdout, done.stderr)
    jsonschema.validate(results, RESULTS_SCHEMA)
    assert [test["name"] for test in results["tests"] if test["status"] != "passed"] == [], done.stdout
    assert len(results["tests"]) >= 9


def test_there_is_a_result_even_if_the_grader_fails(unpacked, tmp_path):
    shutil.copytree(unpacked, tmp_path / "broken", symlinks=True)
    (tmp_path / "broken" / "source" / "labs.toml").unlink()
    subprocess.run(
        ["bash", "run_autograder"], cwd=tmp_path / "broken", capture_output=True, check=False, timeout=60,
        env=clean() | {"AUTOGRADER_ROOT": str(tmp_path / "broken"), "PYTHONPATH": str(tmp_path / "broken/source")},
    )  # fmt: skip
    results = json.loads((tmp_path / "broken" / "results" / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(results, RESULTS_SCHEMA)
    assert results["score"] == 0
    assert "tell your instructor" in results["output"]


def test_a_lab_without_homework_has_no_autograder(tmp_path):
    from dataclasses import replace

    with pytest.raises(UserError, match="no homework"):
        gradescope.build(COURSE, replace(COURSE.lab(1), homework=()), tmp_path / "a.zip")
