"""docs/instructors.md, followed step by step in a copy of the course: what it says to type works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from curriculum import manifest
from lab_kit.paths import project_root

ROOT = project_root()
PAGE = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
ADAPT, HAND_OUT = "## Adapt the course", "## Hand out and fix a released lab"
NOT_COPIED = (
    ".git",
    ".venv*",
    "logs",
    "__pycache__",
    "downloaded",
    "processed",
    ".*_cache",
    ".hypothesis",
    "practice*",
)
TINY = "--limit_train_batches 2 --limit_val_batches 1 --limit_test_batches 1"


def blocks(part: str) -> list[str]:
    """Return the blocks of commands in a part of the page."""
    text = re.search(rf"^{re.escape(part)}$(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def follow(course: Path, commands: list[str], environment: dict[str, str]) -> list[str]:
    """Run blocks one after the other, each beginning in the course's folder; returns what they said."""
    said = []
    for block in commands:
        block = re.sub(r"^(python training/run_experiment.py .*)$", rf"\1 {TINY}", block, flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-e", "-c", block], cwd=course, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}"
        said.append(done.stdout)
    return said


@pytest.fixture
def environment(tmp_path: Path, data_root: Path) -> dict[str, str]:
    """Let `python` be this one, git have an author and nobody's settings, and imports come from the copy alone."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    people = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "somebody"), ("EMAIL", "somebody@example.org"))
    }
    own = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull}
    return os.environ | people | own | {"PYTHONPATH": "", "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def course(tmp_path: Path, environment: dict[str, str]) -> Path:
    """Return a copy of the course in a repository of its own, with the numbers that the page begins with."""
    copy = shutil.copytree(ROOT, tmp_path / "course", ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name, pattern, value in (  # whatever somebody has made of them
        ("text_recognizer/models/cnn.py", "^DROPOUT = .*$", "DROPOUT = 0.25"),
        ("text_recognizer/models/mlp.py", "^DROPOUT = .*$", "DROPOUT = 0.2"),
        ("lab2/README.md", r"a random \w+ of the numbers", "a random quarter of the numbers"),
    ):
        text, count = re.subn(pattern, value, (copy / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert count == 1, f"The page changes {name}, which has no `{value}`."
        (copy / name).write_text(text, encoding="utf-8")
    text = (copy / "labs.toml").read_text(encoding="utf-8")  # how much more a lab may have is not the page's affair
    (copy / "labs.toml").write_text(re.sub(r"(?m)^most_\w+ = .*\n", "", text), encoding="utf-8")
    follow(copy, ["python -m curriculum build --force\ngit init -q\ngit add .\ngit commit -qm course"], environment)
    return copy


def test_the_course_is_adapted_as_the_page_says(course, environment):
    before = manifest.load(course)
    commands = blocks(ADAPT)
    for name in ("Outlines", "outlines", "TwoLayers", "two_layers"):  # where somebody has followed the page for good
        if name in (course / "labs.toml").read_text():
            commands = [block.replace(name, f"{name}_2" if name.islower() else f"{name}2") for block in commands]
    said = follow(course, commands, environment)
    text = "\n".join(said)
    [shown] = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert shown in text
    assert re.search(r"^  lab2/README.md:\d+: .*'quarter'", text, re.MULTILINE)
    assert text.count("labs are as built") == 4  # after each step
    assert text.count(f"\n{shown}") == 1  # and no advice once all is committed
    after = manifest.load(course)
    assert len(after.labs) == len(before.labs) + 1
    assert len(after.added(after.labs[1])) == len(before.added(before.labs[1])) + 2
    lab = course / after.labs[-1].folder
    assert "0 of 2 requirements are met." in (lab / "notebooks" / "homework.ipynb").read_text(encoding="utf-8")
    shutil.copytree(course / "curriculum" / "solutions" / lab.name, lab, dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "homework"], cwd=lab, env=environment, capture_output=True, text=True
    )
    assert "2 of 2 requirements are met." in done.stdout, done.stdout + done.stderr


def test_a_release_is_handed_out_and_fixed_as_the_page_says(course, environment, tmp_path):
    follow(course, blocks(HAND_OUT), environment)
    student, mine = tmp_path / "student", "lab1/text_recognizer/models/mlp.py"
    assert (student / mine).read_text().endswith("# here is my homework\n")
    assert "DROPOUT = 0.1\n" in (student / mine).read_text()
    assert (student / "lab2").is_dir()
    assert not (student / "lab3").exists()

    def git(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *arguments], cwd=student, env=environment, capture_output=True, text=True)

    # On a branch of one's own, too, as homework suggests, the command in the release's README pulls.
    git("switch", "--create", "my-homework")
    [pull] = re.findall(r"^git (pull .*)$", (student / "README.md").read_text(), re.MULTILINE)
    # What has not been committed is safe from a pull.
    (student / mine).write_text("mine\n")
    follow(course, ["perl -pi -e 's/^DROPOUT = 0.1$/DROPOUT = 0.3/' text_recognizer/models/mlp.py", fix()], environment)
    assert "Please commit your changes" in git(*pull.split()).stderr
    assert (student / mine).read_text() == "mine\n"
    # Committed, and in conflict: a student's own version wins, if that is what the student wants.
    git("commit", "--all", "--message", "mine")
    pulled = git(*pull.split())
    assert "CONFLICT" in pulled.stdout
    for command in (("checkout", "--ours", mine), ("add", mine), ("commit", "--no-edit")):
        assert git(*command).returncode == 0
    assert (student / mine).read_text() == "mine\n"
    assert "DROPOUT = 0.3" in (student / "lab2/text_recognizer/models/mlp.py").read_text()
    assert (student / "solutions/lab1" / mine.removeprefix("lab1/")).is_file()


def fix() -> str:
    """Return the commands that bring a change into the release, solutions included."""
    return (
        "python -m curriculum build\npython -m curriculum build --upto 2 --with-solutions 1 --out ../class\n"
        "cd ../class\ngit commit -qam fix\ngit push -q"
    )
