"""The wrong lab's code is never used silently: not by programs, not by notebooks, not in a shell."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from test_readmes import DRIVER

from curriculum import manifest, snapshot
from lab_kit.experiment import cli
from lab_kit.notebooks import lab_code
from lab_kit.paths import project_root

ROOT = project_root()


@pytest.fixture(scope="module")
def labs(tmp_path_factory) -> Path:
    """Build the labs; lab1 has a copy under another name, as students make them, and a root has code of its own."""
    root = tmp_path_factory.mktemp("course")
    course = manifest.load(ROOT)
    snapshot.build(course, root)
    (root / "labs.toml").write_text("")
    for folder in ("lab1", "lab2", "mine"):
        (root / folder / "notebooks").mkdir(exist_ok=True, parents=True)
    for folder in ("mine", "."):
        (root / folder / "text_recognizer").mkdir()
        (root / folder / "text_recognizer" / "__init__.py").write_text(f"from_root = {folder == '.'}\n")
    return root


def python(*arguments: str, cwd: Path, path: str = "") -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["-m", "lab5.training.review", "x"], ""),
        (["-m", "lab6.text_recognizer.predict", "x"], ""),
        (["-m", "lab1.training.run_experiment", "--help"], ""),
        (["-m", "lab6.app", "x"], ""),
        (["-c", "from lab2.text_recognizer.models import CNN"], ""),
        (["lab6/text_recognizer/predict.py", "x"], str(ROOT)),
    ],
)
def test_a_program_that_would_use_other_code_ends_with_one_line(labs, arguments, path):
    done = python(*arguments, cwd=labs, path=path)
    assert done.returncode == 2, done.stderr + done.stdout
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "cd" in done.stderr


def test_an_experiment_that_would_use_other_code_ends_with_one_line(labs, monkeypatch, capsys):
    """As with `%run lab2/training/run_experiment.py` in a kernel that has imported other code."""
    started = ModuleType("started")
    started.__file__ = str(labs / "lab2" / "training" / "run_experiment.py")
    monkeypatch.setitem(sys.modules, "started", started)

    def main(arguments):
        raise AssertionError("it went on")

    main.__module__ = "started"
    with pytest.raises(SystemExit, match="2"):
        cli.run_program(main)
    error = capsys.readouterr().err
    assert f"Python has found text_recognizer in {ROOT}, which is other code" in error
    assert f"(cd {labs / 'lab2'}), then: python -m training.run_experiment\n" in error


# Flags that only other code has


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A checkout in whose first two labs the homework is solved; and a copy of the first, away from all others."""
    root = tmp_path_factory.mktemp("checkout")
    course = manifest.load(ROOT)
    snapshot.build(course, root / "course")
    for name in ("text_recognizer", "training"):
        shutil.copytree(ROOT / name, root / "course" / name, ignore=shutil.ignore_patterns("logs", "__pycache__"))
    shutil.copy(ROOT / "labs.toml", root / "course")
    for lab in ("lab1", "lab2"):
        shutil.copytree(ROOT / "curriculum" / "solutions" / lab, root / "course" / lab, dirs_exist_ok=True)
    (root / "course" / "lab3" / "text_recognizer" / "models" / "unfinished.py").write_text("class Net(")
    shutil.copytree(root / "course" / "lab1", root / "alone")
    return root


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        (
            "course",
            {
                "--fc3 3": "The code of lab1 has --fc3, in MLP; this is the code at the root. To start the other: "
                "python lab1/training/run_experiment.py",
                "--model_class CNN --num_blocks 3": "The code of lab2 has --num_blocks, in CNN; this is the code at",
                "--num_blocks 3": "--num_blocks is a flag of ResNet and TransferNet, not of the data, model and loss",
                "--in_channels 3": "There is no flag --in_channels. All flags: ",
            },
        ),
        (
            "course/lab2",
            {
                "--fc3 3": "python ../lab1/training/run_experiment.py",
                "--window_width 3": "The code of lab3 has --window_width, in LineCNN; this is the code of lab2.",
                "--fc9 3": "There is no flag --fc9. All flags: ",
            },
        ),
        ("alone", {"--window_width 3": "There is no flag --window_width. All flags: "}),
    ],
)
def test_a_flag_of_another_labs_code_leads_there(checkout, place, lines):
    work = [["training/run_experiment.py", *flags.split()] for flags in lines]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(work), cwd=checkout / place, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": ""},
    )  # fmt: skip
    for (code, text), line in zip(json.loads(done.stdout.partition("RESULTS")[2]), lines.values(), strict=True):
        assert (code, text.count("\n")) == (2, 1)
        assert line in text


# Notebooks


@pytest.mark.parametrize(
    ("start", "lab", "expected"),
    [
        ("lab1/notebooks", "lab1", "lab1"),
        ("lab1", "lab1", "lab1"),
        (".", "lab1", "lab1"),
        ("lab2", "lab1", "lab1"),
        ("lab2/notebooks", "lab1", "lab1"),
        ("mine/notebooks", "lab1", "mine"),
        ("mine", "lab1", "mine"),
        ("lab1/training", "lab1", "lab1"),
    ],
)
def test_a_notebook_finds_the_code_of_its_own_lab(labs, monkeypatch, start, lab, expected):
    monkeypatch.chdir(labs / start)
    assert lab_code._find(lab, "") == labs / expected


def test_a_notebook_on_colab_finds_the_clone(labs, monkeypatch):
    monkeypatch.chdir(labs.parent)
    assert lab_code._find("lab2", labs.name) == labs / "lab2"


SETUP = "from lab_kit.notebooks.lab_code import use_lab; use_lab({!r})\n"
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
for cell in {cells!r}:
    result = shell.run_cell(cell)
    print("FAILED" if result.error_in_exec else "OK")
"""


@pytest.mark.parametrize(
    ("start", "cells", "results", "message"),
    [
        ("lab1", [SETUP.format("lab1")] * 2, ["OK", "OK"], ""),
        (
            "lab1",
            [SETUP.format("lab1"), SETUP.format("lab2")],
            ["OK", "FAILED"],
            "This kernel has imported the code in",
        ),
        (
            ".",
            ["import text_recognizer", SETUP.format("lab1")],
            ["OK", "FAILED"],
            "This kernel has imported the code in",
        ),
        ("..", [SETUP.format("lab1")], ["FAILED"], "open this notebook where it lies, in lab1/notebooks."),
    ],
)
def test_notebooks_of_two_labs_do_not_mix_in_one_kernel(labs, start, cells, results, message):
    done = python("-c", SHELL.format(cells=cells), cwd=labs / start)
    said = "This notebook uses the code of lab1."
    assert done.stdout.count(said) == results.count("OK") - ("import text_recognizer" in cells)
    lines = done.stdout.replace(said, "").split("\n")
    lines = [line for line in lines if line]
    assert [line for line in lines if line in ("OK", "FAILED")] == results, done.stdout + done.stderr
    assert [line[:7] for line in lines if line not in ("OK", "FAILED")] == ["error: "] * bool(message)
    assert message in done.stdout
