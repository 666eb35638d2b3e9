"""Checks that students do not get: they find homework that fits the others only, and are in no release."""

import re
import shutil
from pathlib import Path

import pytest
from test_homework import COURSE, LABS, ROOT, SOLUTIONS, finish, hidden_files, make_repository, start_checks

from curriculum import manifest, release
from curriculum.__main__ import main

HIDDEN = ROOT / manifest.HIDDEN
EACH = {7: (6, 8)}  # how many checks a file has; in the other labs from 2 to 4

# Homework that fits the numbers in the visible checks: parts of the solution, and what stands in their place.
OVERFITTED = {
    1: {
        "text_recognizer/models/mlp.py": {"math.prod(data_config.input_dims)": "784", "len(data_config.mapping)": "10"},
        "homework/training_step.py": {
            "loss = loss_function(": "loss = nn.functional.cross_entropy(",
            "lr * weight.grad": "0.5 * weight.grad",
        },
    },
    3: {
        "text_recognizer/models/line_cnn.py": {
            "channels, height, _ = data_config.input_dims": "channels, height = 1, 28",
            "len(data_config.mapping)": "7",
        },
        "homework/beam_search.py": {"best[:beam_width]": "best[: max(beam_width, 30)]"},
    },
    6: {
        "homework/batching.py": {"max_batch / seconds(max_batch)": "max_batch / (1 + max_batch)"},
        "homework/drift.py": {"math.ceil(windows / level)": "2000"},
    },
}
FOUND_OUT = {
    1: {
        "test_mlp_takes_other_pictures_sizes_and_classes",
        "test_training_follows_the_loss_function_and_the_lr_that_it_is_given",
    },
    3: {"test_line_cnn_reads_other_lines", "test_beam_keeps_as_many_prefixes_as_it_is_told"},
    6: {"test_batching_capacity_of_other_servers", "test_drift_alarm_draws_often_enough_for_many_windows"},
}


def make_lab(root: Path, number: int, solved: bool) -> Path:
    """Make a repository of one lab, as it is handed out or solved; returns the lab."""
    root.mkdir(exist_ok=True)
    lab = make_repository(root, number)
    if solved:
        shutil.copytree(SOLUTIONS / lab.name, lab, dirs_exist_ok=True)
    return lab


def replace_checks(lab: Path, number: int) -> None:
    """Put the hidden checks of a lab into the place of those that students have."""
    for visible in (lab / "homework").glob("test_*.py"):
        visible.unlink()
    for hidden in hidden_files(number):
        shutil.copy(hidden, lab / "homework")


@pytest.mark.parametrize("number", LABS)
def test_there_is_a_hidden_file_for_each_visible_one_and_it_stands_alone(number) -> None:
    visible = {file.name for file in (ROOT / f"lab{number}" / "homework").glob("test_*.py")}
    assert {file.name.replace("test_hidden_", "test_") for file in hidden_files(number)} == visible
    for file in hidden_files(number):
        text = file.read_text(encoding="utf-8")
        assert re.match(r'"""Exercise \d: .+ \(checks that were not handed out\)', text), file
        least, most = EACH.get(number, (2, 4))
        assert least <= len(re.findall(r"^def test_", text, re.MULTILINE)) <= most, file
        assert not re.findall(r"^\s*(?:from|import) (?:test_|conftest)", text, re.MULTILINE), file


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=[] if number == 1 else pytest.mark.slow) for number in OVERFITTED]
)
def test_homework_that_fits_only_the_visible_checks_is_found_out(number, tmp_path) -> None:
    processes = {}
    for checks in ("visible", "hidden"):
        lab = make_lab(tmp_path / checks, number, solved=True)
        for name, parts in OVERFITTED[number].items():
            text = (lab / name).read_text()
            for right, fitted in parts.items():
                assert right in text
                text = text.replace(right, fitted)
            (lab / name).write_text(text)
        if checks == "hidden":
            replace_checks(lab, number)
        report = tmp_path / f"{checks}.xml"
        processes[checks] = report, start_checks(lab, lab / "homework", report)
    visible, hidden = (finish(*processes[checks]) for checks in ("visible", "hidden"))
    assert set(visible.failures.values()) == {None}, visible.output
    failed = {name for name, failure in hidden.failures.items() if failure}
    assert failed == FOUND_OUT[number], hidden.output


def test_no_release_holds_a_hidden_check(tmp_path) -> None:
    written = release.build(COURSE, COURSE.labs[-1], tmp_path / "release").written
    assert [name for name in written if "test_mlp" in name] == ["lab1/homework/test_mlp.py"]
    assert [name for name in written if "hidden" in name] == []
    hidden = {file.read_bytes() for number in LABS for file in hidden_files(number)}
    assert [name for name in written if (tmp_path / "release" / name).read_bytes() in hidden] == []


def test_a_hidden_check_that_was_left_in_a_lab_is_not_released(tmp_path, capsys) -> None:
    course = tmp_path / "course"
    course.mkdir()
    for path in ROOT.iterdir():  # all as it is, but for one file more
        if path.name != "lab1":
            (course / path.name).symlink_to(path)
    shutil.copytree(ROOT / "lab1", course / "lab1", ignore=shutil.ignore_patterns("logs", "__pycache__"))
    shutil.copy(HIDDEN / "lab1" / "test_hidden_mlp.py", course / "lab1" / "homework")
    said = "lab1/homework/test_hidden_mlp.py is a check that students do not get"
    assert main(["--root", str(course), "build", "--upto", "1", "--out", str(tmp_path / "release")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "release").exists()
    assert main(["--root", str(course), "check"]) == 1
    assert said in capsys.readouterr().out
