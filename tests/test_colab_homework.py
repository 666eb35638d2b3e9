"""Homework in a notebook: open, check, take home, bring back; on Colab, which is simulated, and elsewhere."""

import io
import sys
import types
import zipfile

import pytest

from lab_kit.errors import UserError
from lab_kit.notebooks import homework
from lab_kit.notebooks.homework import Homework

CHECKS = '''
def test_is_mended():
    """The answer is 42."""
    from text_recognizer.answer import ANSWER
    assert ANSWER == 42, "Look at ANSWER."
'''
CONFTEST = 'pytest_plugins = ["lab_kit.grading.homework_report"]\n'


@pytest.fixture
def lab(tmp_path, monkeypatch):
    folder = tmp_path / "lab1"
    for name in ("homework", "text_recognizer", "training/logs/run"):
        (folder / name).mkdir(parents=True)
    (folder / "text_recognizer" / "__init__.py").touch()
    (folder / "training" / "__init__.py").touch()
    (folder / "training" / "logs" / "run" / "config.yaml").touch()
    (folder / "text_recognizer" / "answer.py").write_text("ANSWER = 41\n")
    (folder / "homework" / "test_answer.py").write_text(CHECKS)
    (folder / "homework" / "conftest.py").write_text(CONFTEST)
    (folder / "homework" / "pytest.ini").write_text("[pytest]\npythonpath = ..\n")
    monkeypatch.setattr(homework, "code_root", lambda: folder)
    return folder


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """Colab's module for files; `seen` is what it was asked for, `upload` what a person chooses."""
    files = types.ModuleType("google.colab.files")
    files.seen, files.chosen = [], {}
    files.view = lambda path: files.seen.append(("view", path))
    files.download = lambda path: files.seen.append(("download", path))
    files.upload = lambda: files.chosen
    monkeypatch.setitem(sys.modules, "google.colab.files", files)
    monkeypatch.chdir(tmp_path)
    return files


def packed(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_boxes_are_shown_and_fill_when_the_work_is_done(lab, capfd):
    Homework().check()
    said = capfd.readouterr().out
    assert "[ ]" in said
    assert "Look at ANSWER" in said
    (lab / "text_recognizer" / "answer.py").write_text("ANSWER = 42\n")
    Homework().check()
    assert "[x]" in capfd.readouterr().out


def test_opens_a_file_in_colab_and_names_it_elsewhere(lab, capsys, request):
    Homework().open("text_recognizer/answer.py")
    assert "lab1/text_recognizer/answer.py" in capsys.readouterr().out
    files = request.getfixturevalue("colab")
    Homework().open("text_recognizer/answer.py")
    assert files.seen == [("view", str(lab / "text_recognizer" / "answer.py"))]
    with pytest.raises(UserError, match=r"Did you mean 'text_recognizer/answer\.py'"):
        Homework().open("text_recognizer/anser.py")


def test_work_goes_home_and_comes_back(lab, colab, tmp_path, capsys):
    (lab / "text_recognizer" / "answer.py").write_text("ANSWER = 42\n")
    Homework().take_home()
    assert colab.seen == [("download", "lab1-homework.zip")]
    content = (tmp_path / "lab1-homework.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "training/logs/run/config.yaml" not in archive.namelist()
    (lab / "text_recognizer" / "answer.py").write_text("ANSWER = 0\n")  # a new machine
    colab.chosen = {"lab1-homework.zip": content}
    Homework().bring_back()
    assert (lab / "text_recognizer" / "answer.py").read_text() == "ANSWER = 42\n"
    assert "files are back in lab1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "files",
    [
        {"text_recognizer/answer.py": "ANSWER = 1", "../outside.py": ""},
        {"text_recognizer/answer.py": "ANSWER = 1", "/tmp/outside.py": ""},
        {"text_recognizer/answer.py": "ANSWER = 1", "homework/picture.exe": ""},
        {"text_recognizer/answer.py": "ANSWER = 1", "another_lab/file.py": ""},
        None,
    ],
)
def test_another_file_changes_nothing(lab, colab, files):
    colab.chosen = {"some.zip": b"no zip" if files is None else packed(files)}
    with pytest.raises(UserError, match=r"some\.zip"):
        Homework().bring_back()
    assert (lab / "text_recognizer" / "answer.py").read_text() == "ANSWER = 41\n"


def test_at_home_files_stay_where_they_are(lab, capsys):
    Homework().take_home()
    Homework().bring_back()
    assert capsys.readouterr().out.count("your files") == 2
    assert not list(lab.parent.glob("*.zip"))
