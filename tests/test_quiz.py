"""The quiz asks, explains and counts; it works in a pipe, from any folder, and says in one line what is wrong."""

import builtins
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab_kit import quiz
from lab_kit.errors import UserError
from lab_kit.paths import project_root
from lab_kit.plain_console import PlainConsole
from lab_kit.questions import read_questions

ROOT = project_root()
QUESTIONS = """
[[question]]
ask = "Which has `28 × 28` pixels?"
see = "The data"
[[question.choice]]
say = "a page"
why = "A page is larger."
[[question.choice]]
say = "a digit"
why = "Digits have this size."
right = true
[[question.choice]]
say = "a line"
why = "A line is wider."

[[question]]
ask = "Which of `d[v2]` is last?"
[[question.choice]]
say = "`d[v2]`"
why = "There is only one."
right = true
[[question.choice]]
say = "`[/d]`"
why = "It is not there."
[[question.choice]]
say = "`a:bug:b`"
why = "Nor is this."
"""


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course with questions in labs 1 and 3, of which lab 3 is the working directory's."""
    (tmp_path / "labs.toml").write_text("")
    (tmp_path / "text_recognizer").mkdir()
    for name in ("lab1", "lab3"):
        (tmp_path / name / "text_recognizer" / "models").mkdir(parents=True)
        (tmp_path / name / "questions.toml").write_text(QUESTIONS, encoding="utf-8")
    (tmp_path / "lab4" / "text_recognizer").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(monkeypatch: pytest.MonkeyPatch, *typed: str | type[BaseException]) -> str:
    """Return what the quiz prints to somebody who types these answers."""
    words = iter(typed)

    def answer(prompt: str = "") -> str:
        word = next(words)
        if isinstance(word, str):
            return word
        raise word

    monkeypatch.setattr(builtins, "input", answer)
    file = io.StringIO()
    quiz.ask(read_questions(Path("lab3/questions.toml")), PlainConsole(file=file, width=100))
    return file.getvalue()


def test_each_answer_is_explained_and_the_score_is_at_the_end(course, monkeypatch):
    text = asked(monkeypatch, "c", "a")
    first, second = text.split("Question 2")
    assert "No: b is right." in first
    assert "A line is wider." in first
    assert "Digits have this size." in first
    assert "A page is larger." not in first
    assert "Right." in second
    assert "There is only one." in second
    assert "It is not there." not in second
    assert text.endswith("1 of 2 right.\nLook at question 1 again: see 'The data' in README.md.\n")


def test_brackets_in_a_question_are_text(course, monkeypatch):
    text = asked(monkeypatch, "b", "a")
    assert all(name in text for name in ("d[v2]", "[/d]", "a:bug:b", "28 × 28"))
    assert text.endswith("2 of 2 right.\n")


def test_letters_may_be_capitals_and_others_are_asked_for_again(course, monkeypatch):
    text = asked(monkeypatch, "", "d", "yes", " B) ", "A.")
    assert text.count("Type one of these letters: a, b, c.") == 3
    assert text.endswith("2 of 2 right.\n")


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_the_end_of_the_input_ends_it_with_the_score_so_far(course, monkeypatch, end):
    assert asked(monkeypatch, "b", end).endswith("Stopped.\n\n1 of 1 right.\n")
    assert asked(monkeypatch, end).endswith("Stopped.\n\n0 of 0 right.\n")


@pytest.mark.parametrize(("flags", "stdin"), [([], "a\n"), (["--show"], "a\n"), ([], None)])
def test_in_a_pipe_or_with_show_all_answers_come_at_the_end(course, monkeypatch, capsys, flags, stdin):
    monkeypatch.setattr(sys, "stdin", stdin if stdin is None else io.StringIO(stdin))  # None: it is closed
    quiz.main(["1", *flags])
    asked, answers = capsys.readouterr().out.split("Answers")
    assert "Question 2" in asked
    assert "a digit" in asked
    assert "Digits have this size." not in asked
    assert "1. b is right." in answers
    assert all(why in answers for why in ("A page is larger.", "Digits have this size.", "It is not there."))


@pytest.mark.parametrize("place", ["", "lab1", "lab3/text_recognizer/models"])
def test_a_number_means_the_same_lab_from_any_folder(course, monkeypatch, place):
    monkeypatch.chdir(course / place)
    assert quiz.find(1) == course / "lab1/questions.toml"
    assert quiz.find(3) == course / "lab3/questions.toml"


@pytest.mark.parametrize("place", ["lab3", "lab3/text_recognizer/models"])
def test_inside_a_lab_the_number_can_be_left_out(course, monkeypatch, place):
    monkeypatch.chdir(course / place)
    assert quiz.find(None) == course / "lab3/questions.toml"


def test_a_copy_of_a_lab_needs_no_course_around_it(course, monkeypatch, tmp_path_factory):
    copy = shutil.copytree(course / "lab3", tmp_path_factory.mktemp("elsewhere") / "my-lab")
    monkeypatch.chdir(copy)
    assert quiz.find(None) == copy / "questions.toml"


@pytest.mark.parametrize(
    ("place", "lab", "says"),
    [
        ("", None, "Which lab? There are 1, 3: python -m lab_kit.quiz 1"),
        ("", 2, "There is no lab 2 with questions here. There are 1, 3: "),
        ("lab1", 4, "There is no lab 4 with questions here. There are 1, 3: "),
        ("..", 1, "There is no lab here: "),
    ],
)
def test_a_lab_that_is_not_there_is_one_line(course, monkeypatch, place, lab, says):
    monkeypatch.chdir(course / place)
    with pytest.raises(UserError) as caught:
        quiz.find(lab)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def as_program(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "lab_kit.quiz", *words],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, input="", capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["9"], "error: There is no lab 9 with questions here."),
        (["three"], "error: Argument lab: invalid int value: 'three'. Try python -m lab_kit.quiz --help"),
        (["--shw"], "error: Unrecognized arguments: --shw. Try python -m lab_kit.quiz --help"),
        (["1"], "error: lab1/questions.toml, question 1 has 0 right choices"),
    ],
)
def test_what_is_wrong_ends_the_program_with_one_line_and_exit_code_2(course, words, says):
    (course / "lab1/questions.toml").write_text(QUESTIONS.replace("right = true", "", 1), encoding="utf-8")
    done = as_program(course, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1


def test_inside_a_lab_without_questions_it_says_so(course):
    done = as_program(course / "lab4")
    assert done.returncode == 2
    assert done.stderr == (
        "error: Cannot read lab4/questions.toml: No such file or directory. `git checkout lab4/questions.toml` brings "
        "back what was deleted.\n"
    )


def test_it_imports_nothing_that_takes_long():
    slow = "{'torch', 'numpy', 'pytorch_lightning', 'matplotlib', 'scipy', 'torchmetrics'}"
    code = f"import sys, lab_kit.quiz, lab_kit.guess; sys.exit(bool({slow} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_in_a_terminal_it_asks(course):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lab_kit.quiz", "3"],
        cwd=course, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=theirs, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(ours, b"b\nb\n")
    text, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "1 of 2 right." in text
    assert "It is not there." in text
