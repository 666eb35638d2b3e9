"""A guess is written down, stands beside the result of the next run, and never stops one."""

import logging
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lab_kit import atomic_write, guess
from lab_kit.errors import UserError
from lab_kit.experiment import run_folder
from lab_kit.guess import Guess
from lab_kit.paths import project_root

ROOT = project_root()
TABLE = {"val acc": "96.10%", "test acc": "97.92%", "seconds": "58.1", "run folder": "logs/version_0"}
RUN = "logs/version_0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / guess.FILE


@pytest.mark.parametrize(
    ("word", "row", "text"),
    [
        ("90%", "test", "90%"),
        ("0.9", "test", "0.9"),
        ("97,5 %", "test", "97,5 %"),
        ("val_loss=0.1", "val loss", "0.1"),
        ("Samples per second = 4,000", "samples per second", "4,000"),
        ("test acc = about 90%", "test acc", "about 90%"),
        ("The loss will jump.", "words", "The loss will jump."),
        ("with lr = 1 it jumps", "words", "with lr = 1 it jumps"),
        ("two\nlines\x00", "words", "two lines"),
    ],
)
def test_a_guess_is_a_number_or_a_row_or_a_text(word, row, text):
    assert guess.parse(word) == Guess(row, text)


@pytest.mark.parametrize("word", ["", "  ", "val_los=0.1", "lr=0.1", "test_acc="])
def test_what_is_no_guess_is_one_line(word):
    with pytest.raises(UserError) as caught:
        guess.parse(word)
    assert "\n" not in str(caught.value)
    assert ("Did you mean 'val loss'?" in str(caught.value)) == (word == "val_los=0.1")


def test_it_stands_beside_the_result_of_the_next_run_and_of_no_other(path):
    guess.add(["90%", "seconds=60", "It reads nearly all.", "test_cer=5%"], path)
    shown = guess.beside(TABLE, RUN, path)
    assert shown == TABLE | {
        "test acc": "97.92%   your guess: 90%",
        "seconds": "58.1   your guess: 60",
        "guess": "It reads nearly all.",
    }
    assert guess.read(path) == [
        Guess("test acc", "90%", RUN, "97.92%"),
        Guess("seconds", "60", RUN, "58.1"),
        Guess("words", "It reads nearly all.", RUN),
        Guess("test cer", "5%"),  # this run read no lines
    ]
    assert guess.beside(TABLE, "logs/version_1", path) == TABLE


def test_of_lines_a_number_alone_is_the_character_error_rate(path):
    guess.add(["10%"], path)
    lines = {"test acc": "91.00%", "test cer": "17.00%"}
    assert guess.beside(lines, RUN, path) == {"test acc": "91.00%", "test cer": "17.00%   your guess: 10%"}


def test_who_changes_their_mind_replaces_an_open_guess_and_no_other(path):
    guess.add(["80%"], path)
    guess.beside(TABLE, RUN, path)
    guess.add(["85%", "seconds=5"], path)
    guess.add(["95%"], path)
    assert [(one.row, one.guess, one.run) for one in guess.read(path)] == [
        ("test acc", "80%", RUN),
        ("seconds", "5", ""),
        ("test", "95%", ""),
    ]


def test_the_file_is_toml_whatever_was_typed(path):
    typed = 'so "sure" of \\d und 90 % ≥ ü \N{GRINNING FACE}'
    guess.add([typed], path)
    assert tomllib.loads(path.read_text(encoding="utf-8"))["guess"] == [{"row": "words", "guess": typed}]
    assert guess.beside({}, RUN, path) == {"guess": typed}


def test_a_file_that_was_changed_by_hand_is_read(path):
    path.write_text('[[guess]]\nrow = "test"\nguess = 0.9\n')
    assert guess.beside(TABLE, RUN, path)["test acc"] == "97.92%   your guess: 0.9"


@pytest.mark.parametrize(
    "content", ["[[guess", "guess = 3", 'guess = "x"', '[[guess]]\nbox = "1"', "[[guess]]\n", "\xff"]
)
def test_a_broken_file_is_one_warning_and_stays_as_it_is(path, content, caplog):
    path.write_bytes(content.encode("latin-1"))
    with caplog.at_level(logging.WARNING):
        assert guess.beside(TABLE, RUN, path) == TABLE
    (record,) = caplog.records
    assert "guesses.toml cannot be understood" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert path.read_bytes() == content.encode("latin-1")


def test_a_folder_that_cannot_be_written_to_is_one_warning(path, caplog, monkeypatch):
    guess.add(["90%"], path)

    def refuse(text: str, where: Path) -> None:
        raise PermissionError(13, "Permission denied", str(where))

    monkeypatch.setattr(atomic_write, "write_text", refuse)
    with caplog.at_level(logging.WARNING):
        assert guess.beside(TABLE, RUN, path) == TABLE
    assert len(caplog.records) == 1


def test_without_a_file_nothing_is_written(path):
    assert guess.beside(TABLE, RUN, path) == TABLE
    assert not path.exists()


def test_a_run_prints_it_and_the_file_remembers_the_result(run, small_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "code_root", lambda: tmp_path)
    guess.add(["50%", "parameters=1000"], tmp_path / guess.FILE)
    flags = ("--fc1", "8", "--fc2", "8", "--max_epochs", "1", "--log_dir", str(tmp_path / "logs"))
    code, text = run(*flags)
    assert code == 0
    assert "your guess: 50%" in text
    assert "6,442   your guess: 1000" in text
    done = guess.read(tmp_path / guess.FILE)
    assert [one.row for one in done] == ["test acc", "parameters"]
    assert all(one.run.endswith("MNIST-MLP/version_0") for one in done)
    assert "your guess" not in run(*flags)[1]


def test_a_broken_file_does_not_stop_a_run(run, small_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "code_root", lambda: tmp_path)
    (tmp_path / guess.FILE).write_text("[[guess")
    code, text = run("--fc1", "8", "--fc2", "8", "--max_epochs", "1", "--log_dir", str(tmp_path / "logs"))
    assert code == 0
    assert text.count("Your guesses are not shown.") == 1
    assert (tmp_path / "logs/MNIST-MLP/version_0/metrics.json").is_file()


def test_the_rows_that_can_be_guessed_are_those_of_the_table():
    facts = {"source", "hardware"}
    assert set(guess.ROWS) == {name.replace("_", " ") for name in run_folder.ROWS} - facts


def test_the_program_writes_into_the_labs_folder_and_lists(tmp_path, monkeypatch, capsys):
    (tmp_path / "lab1" / "text_recognizer").mkdir(parents=True)
    (tmp_path / "lab1" / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "lab1" / "notebooks")
    guess.main([])
    assert "No guess yet." in capsys.readouterr().out
    guess.main(["90%"])
    assert capsys.readouterr().out == "Written down. The table of the next run in lab1 shows it.\n"
    guess.main([])
    listed = capsys.readouterr().out
    assert "90%" in listed
    assert "the next one" in listed
    assert guess.read(tmp_path / "lab1" / guess.FILE) == [Guess("test", "90%")]


def test_where_no_lab_is_no_run_would_find_a_guess(tmp_path, monkeypatch):
    (tmp_path / "lab1" / "text_recognizer").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="cd lab1"):
        guess.main(["90%"])
    assert not (tmp_path / guess.FILE).exists()


@pytest.mark.parametrize("broken", [True, False])
def test_what_is_wrong_ends_the_program_with_one_line_and_exit_code_2(tmp_path, broken):
    (tmp_path / "text_recognizer").mkdir()
    if broken:
        (tmp_path / guess.FILE).write_text("[[guess")
    done = subprocess.run(
        [sys.executable, "-m", "lab_kit.guess", "90%" if broken else "tset_acc=90%"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
