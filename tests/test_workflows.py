"""What GitHub runs names only what is there: targets of the Makefile, files, and Python versions that are supported."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from lab_kit.paths import project_root

ROOT = project_root()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+(?: [a-z-]+)*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def commands(path: Path) -> str:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return "\n".join(step["run"] for job in jobs for step in job["steps"] if "run" in step)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_is_there(path):
    text = commands(path)
    known = {name for target in TARGETS for name in target.split()} | {"test-"}  # the rest is a matrix's
    assert {name for name in re.findall(r"\bmake ([a-z-]+)(?!\S)", text)} <= known
    files = re.findall(r"(?<![\w/.])((?:tests|requirements|benchmarks|training|curriculum|\.ci)/[\w./-]+)", text)
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_have_versions_and_jobs_have_limits(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert "permissions" in content  # not more than they need
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@v\d+(\.\d+)*", step["uses"]) if "uses" in step else step["run"]


def test_all_versions_of_python_that_we_name_are_tried():
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    tried = re.findall(r"3\.\d+", (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    assert oldest.removeprefix(">=") in tried
    assert {"3.11", "3.12", "3.13", "3.14"} <= set(tried)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_forms(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert content["blank_issues_enabled"] is True
        return
    assert {"name", "description", "body"} <= content.keys()
    names = [part["id"] for part in content["body"]]
    assert len(names) == len(set(names))
    assert {part["type"] for part in content["body"]} <= {"textarea", "input", "dropdown", "checkboxes", "markdown"}
    assert all("label" in part["attributes"] for part in content["body"])
    if path.stem == "fault":
        assert "lab_kit.doctor" in path.read_text(encoding="utf-8")


def test_what_colab_lacks_is_listed_or_said(tmp_path):
    """With Colab's packages of today, by name; and with one of them gone."""
    program, freeze = ROOT / ".ci" / "colab_packages.py", tmp_path / "pip-freeze.txt"
    needed = (ROOT / "requirements" / "prod.in").read_text(encoding="utf-8")
    names = sorted(set(re.findall(r"^[A-Za-z0-9_.-]+", needed, re.MULTILINE)) - {"torch", "requests"})
    has = ["torch==2.13.0+cu130", "requests @ file:///colab/requests.whl", *(f"{name}==99.1" for name in names)]
    freeze.write_text("\n".join(has))
    done = subprocess.run([sys.executable, program, freeze], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"torch==2.13.0", "requests", "numpy==99.1"} <= set(done.stdout.split())
    freeze.write_text("\n".join(line for line in has if not line.startswith("rich")))
    done = subprocess.run([sys.executable, program, freeze], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: neither Colab nor requirements/colab.txt has rich\n")
