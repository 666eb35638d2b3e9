"""A skipped test is named at the end; where nothing may be skipped, it is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TESTS = """
import pytest
from tests.programs import require

def test_that_passes():
    pass

@pytest.mark.parametrize("number", range(3))
def test_without_a_browser(number):
    require("Netscape", None)
"""
PLANTED = "def test_planted():\n    pytest.skip('not today')\n"


@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize("nothing", [False, True])
def test_skipped_tests(tmp_path, nothing, processes):
    (tmp_path / "test_some.py").write_text(TESTS + PLANTED)
    (tmp_path / "conftest.py").write_text("from tests.left_out import pytest_sessionfinish, pytest_terminal_summary\n")
    environment = {name: value for name, value in os.environ.items() if name != "SKIP_NOTHING"}
    environment |= {"PYTHONPATH": str(ROOT)} | ({"SKIP_NOTHING": "1"} if nothing else {})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--numprocesses={processes}", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == int(nothing), done.stdout
    assert "1 test: not today" in done.stdout
    assert ("3 tests: Netscape is not installed" in done.stdout) == (not nothing)
    assert ("3 failed" in done.stdout) == nothing


def test_a_planted_skip_alone_is_a_failure_where_nothing_may_be_skipped(tmp_path):
    (tmp_path / "test_some.py").write_text("import pytest\n" + PLANTED)
    (tmp_path / "conftest.py").write_text("from tests.left_out import pytest_sessionfinish, pytest_terminal_summary\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SKIP_NOTHING": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "SKIP_NOTHING is set: this is a failure." in done.stdout
