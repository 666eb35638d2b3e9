"""The list that homework's checks print: a box for each requirement, and no success without all of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab_kit.grading import check_files
from lab_kit.paths import project_root
from lab_kit.version import course_version

ROOT = project_root()
CHECKS = '''"""Exercise 1: add."""
from add import add


def test_two_numbers():
    """Two numbers are added."""
    assert add(1, 2) == 3, "Expected is 3."


def test_order():
    """The order makes no difference."""
    assert add(1, 5) == add(5, 1) == 6, "Expected is 6."
'''
OTHER = '''"""Exercise 2: double."""
import pytest


@pytest.mark.parametrize("number", [0, 2])
def test_double(number):
    """It is doubled."""
    assert 2 * number == number + number
'''


@pytest.fixture
def lab(tmp_path) -> Path:
    homework = tmp_path / "lab1" / "homework"
    homework.mkdir(parents=True)
    for name in check_files.OTHERS:
        (homework / name).write_bytes((ROOT / "lab1" / "homework" / name).read_bytes())
    (homework / "test_add.py").write_text(CHECKS)
    (homework / "test_double.py").write_text(OTHER)
    (homework / check_files.LIST).write_text(check_files.listed(homework))
    for package in ("text_recognizer", "training"):
        (homework.parent / package).mkdir()
        (homework.parent / package / "__init__.py").touch()
    return homework.parent


def run(lab: Path, add: str, *arguments: str) -> subprocess.CompletedProcess:
    (lab / "homework" / "add.py").write_text(add)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONPATH"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "homework", *arguments],
        cwd=lab, env=clean, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("add", "says"),
    [
        ("def add(a, b)\n    return a + b\n", "SyntaxError"),
        ("import os\nos._exit(0)\n", "os._exit() ends Python"),
        ("import os\ndef add(a, b):\n    os._exit(0)\n", "os._exit() ends Python"),
        ("import sys\nsys.exit(0)\n", "ends Python, with sys.exit()"),
        ("import sys\ndef add(a, b):\n    sys.exit(0)\n", "SystemExit"),
        ("import pytest\ndef add(a, b):\n    pytest.skip('not today')\n", "not today"),
        ("def add(a, b):\n    return 0\n", "Expected is 3."),
    ],
)
def test_the_list_is_as_long_as_ever_and_it_is_no_success(lab, add, says):
    done = run(lab, add)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 of 3 requirements are met." in done.stdout
    assert done.stdout.count("  [ ] ") == 2
    assert says in " ".join(done.stdout.split())
    assert "Well done" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_ending_the_checks_early_is_no_success(lab):
    done = run(lab, "import pytest\ndef add(a, b):\n    pytest.exit('done', returncode=0)\n")
    assert done.returncode == 1
    assert "Well done" not in done.stdout


def test_all_of_it(lab):
    done = run(lab, "def add(a, b):\n    return a + b\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of 3 requirements are met." in done.stdout
    assert "Well done: that is all of it." in done.stdout
    assert "warning" not in done.stdout


def test_a_check_that_was_changed_is_named(lab):
    path = lab / "homework" / "test_add.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # as some editors do: no change
    assert not check_files.changed(lab / "homework")
    path.write_text(CHECKS.replace("assert", "return  # assert"))
    done = run(lab, "def add(a, b):\n    return 0\n")
    assert "warning: these checks are not as handed out" in done.stdout
    assert "git checkout homework/test_add.py" in done.stdout
    (lab / "homework" / "pytest.ini").unlink()
    assert check_files.changed(lab / "homework") == ["test_add.py", "pytest.ini"]


def test_the_version_is_the_one_that_the_changelog_begins_with():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(line for line in changelog.splitlines() if line.startswith("## ")).removeprefix("## ")
    assert f'version = "{newest}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"version: {newest}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert course_version() == newest, "make setup installs the kit anew"
