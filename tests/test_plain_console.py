"""Whatever a path holds is printed as it is, in one piece."""

import io
import logging
import shutil
import subprocess
import sys

import pytest
from rich.table import Table

from lab_kit.experiment import console
from lab_kit.paths import project_root
from lab_kit.plain_console import PlainConsole

ROOT = project_root()
NAMES = ["runs[/old]", "d[v2]", "[red]", "a:bug:b", "[link=x]", "\\[x]", "[/]"]


def printed(width: int = 80) -> tuple[PlainConsole, io.StringIO]:
    file = io.StringIO()
    return PlainConsole(file=file, width=width), file


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text_wherever_they_are_printed(name):
    plain, file = printed()
    table = Table(name, title=f"{name}, verified")
    table.add_row(name)
    plain.print(table)
    plain.print(f"see {name}", style="bold")
    plain.print_facts(name, {name: name})
    plain.print_framed("WARNING", f"see {name}", style="bold")
    assert file.getvalue().count(name) == 8


@pytest.mark.parametrize("width", [20, 60, 79, 80, 200])
def test_a_path_stays_in_one_piece_at_any_width(width):
    path = "training/logs/EMNISTLines-LineCNNLSTM/version_12/with-a-name-that-goes-on[v2]/and-on"
    plain, file = printed(width)
    table = Table("n", title=f"{path}, verified")
    table.add_row("1")
    plain.print(table)
    plain.print_facts("LineCNNLSTM on EMNISTLines", {"test acc": "97%", "run folder": path})
    plain.print_framed("WARNING", f"To use the real MNIST, put the files into {path}\n\nor elsewhere", style="bold")
    assert file.getvalue().count(path) == 3
    facts = [line for line in file.getvalue().splitlines() if "run folder" in line]
    assert len(facts) == 1
    assert ("│" in facts[0]) == (width > 100)  # a table where it fits


def test_logged_warnings_and_messages_are_text(capsys):
    console.set_up()
    logging.getLogger("lab_kit").warning("put it into d[v2]/x[/b]")
    logging.getLogger("lab_kit").info("wrote d[v2]/x[/b]")
    assert capsys.readouterr().err.count("d[v2]/x[/b]") == 2


def test_a_run_in_a_folder_that_looks_like_markup(run, small_mnist, tmp_path):
    folder = tmp_path / "runs[/old]"
    code, text = run("--fc1", "8", "--fc2", "8", "--max_epochs", "1", "--log_dir", str(folder))
    assert code == 0
    assert str(folder / "MNIST-MLP" / "version_0") in text


def test_the_linter_lets_nobody_print_otherwise(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "program.py").write_text("from rich.console import Console\n\nConsole().print('x')\n")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "TID251" in done.stdout
