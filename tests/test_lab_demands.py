"""What `check` demands of every lab beside its generated code: texts, homework, a main command, a size."""

import re

import pytest

from tests.small_course import edit


def problems(out: str) -> list[str]:
    """Return the lines with problems, without the advice at the end."""
    return out.partition("\n\n")[0].splitlines()


@pytest.mark.parametrize("name", ["README.md", "homework/README.md", "homework/conftest.py", "homework/pytest.ini"])
def test_a_missing_text_or_file_of_homework_is_one_line(course, tool, name):
    (course / "lab2" / name).unlink()
    code, out, _ = tool("check")
    assert code == 1
    assert problems(out) == [
        f"lab2/{name} is missing, and every lab has one. `git checkout lab2/{name}` brings back what was deleted; else "
        "write it like that of another lab."
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("--data_class EMNIST --", "--data_class EMNIS --", r"lab 2: .*'EMNIS'"),
        ("--width 8", "--width eight", r"lab 2: .*'eight'"),
        ("--width 8", "--widht 8", r"lab 2: .*--widht"),
        ("--model_class MLP", "--model_class CNN", r"lab 1: .*'CNN'"),  # which a later lab adds
        ("--width 8", "--width '8", r"lab 2: a quotation mark lacks its partner: .*--width '8"),
    ],
)
def test_a_main_command_that_its_lab_refuses_is_one_line(course, tool, before, after, said):
    edit(course / "labs.toml", before, after)
    code, out, _ = tool("check")
    assert code == 1
    [line] = [line for line in problems(out) if "`main`" in line]
    assert re.match(rf"labs\.toml: `main` of {said}", line)


def test_a_lab_without_its_program_and_one_that_cannot_start_are_said(course, tool):
    edit(course / "labs.toml", '    "training/run_experiment.py",\n', "")
    edit(course / "labs.toml", 'reads = ["training/run_experiment.py", ', "reads = [")
    edit(course / "labs.toml", '    "data/raw/emnist/*",\n', '    "data/raw/emnist/*", "training/run_experiment.py",\n')
    edit(course / "text_recognizer/models/resnet.py", "class ResNet", "import nothing\n\n\nclass ResNet")
    tool("build")
    code, out, _ = tool("check")
    assert code == 1
    assert [line for line in problems(out) if "`main`" in line] == [
        "labs.toml: `main` of lab 1: it has no training/run_experiment.py",
        "labs.toml: `main` of lab 3: ModuleNotFoundError: No module named 'nothing'",
    ]


def test_a_lab_that_is_larger_than_labs_toml_allows_is_one_line(course, tool):
    edit(course / "labs.toml", "most_files = 12", "most_files = 2")
    code, out, _ = tool("check")
    assert code == 1
    assert problems(out) == ["lab1 has 8 Python files: at most 2, says `most_files` in labs.toml."]
    edit(course / "labs.toml", "most_files = 2", "most_lines = 9")
    assert tool("check")[0] == 2  # most_lines is there twice
    edit(course / "labs.toml", "most_lines = 200\n", "")
    assert re.search(
        r"^lab1 has \d+ lines: at most 9, says `most_lines` in labs\.toml\.$", tool("check")[1], re.MULTILINE
    )


def test_a_lab_that_labs_toml_no_longer_has_is_found(course, tool):
    text = (course / "labs.toml").read_text()
    lab3 = text[text.rindex("[[lab]]") : text.index("# What each package exports")]
    (course / "labs.toml").write_text(text.replace(lab3, ""))
    for name in (
        "text_recognizer/models/resnet.py",
        "text_recognizer/models/crnn.py",
        "text_recognizer/lit_models/ctc.py",
    ):
        (course / name).unlink()
    (course / "text_recognizer/lit_models/__init__.py").unlink()
    edit(course / "labs.toml", 'resnet = ["ResNet"]\n', "")
    edit(
        course / "labs.toml",
        '[exports."text_recognizer/lit_models"]\nabout = "How a network learns."\nctc = ["CTCLitModel"]\n',
        "",
    )
    assert tool("build")[0] == 0
    code, out, _ = tool("check")
    assert code == 1
    assert problems(out) == [
        f"{name}/ is there, and labs.toml has no lab of this number. Remove the folder, or take the [[lab]] back."
        for name in ("lab3", "curriculum/solutions/lab3", "curriculum/starters/lab3")
    ]


def test_homework_without_checks_or_without_its_solution_is_one_line(course, tool):
    (course / "lab2/homework/test_exercise.py").unlink()
    (course / "curriculum/solutions/lab2/text_recognizer/models/cnn.py").unlink()
    tool("build")  # which renews the list of the checks
    code, out, _ = tool("check")
    assert code == 1
    assert problems(out) == [
        "lab2/homework has no checks, test_*.py: nobody could tell whether homework is right.",
        "curriculum/solutions/lab2/text_recognizer/models/cnn.py is missing: the solution of homework that labs.toml "
        "lists.",
    ]


@pytest.mark.parametrize("name", ["lab2/README.md", "text_recognizer/models/crnn.py"])
def test_a_file_in_another_encoding_is_one_line(course, tool, name):
    (course / name).write_bytes((course / name).read_bytes() + "# Müller\n".encode("latin-1"))
    for command in ("build", "check"):
        code, out, err = tool(command)
        assert code in (1, 2)
        [line] = [line for line in (out + err).splitlines() if name in line]
        assert "UTF-8" in line or "utf-8" in line


def test_code_that_is_not_python_is_one_line(course, tool):
    edit(course / "text_recognizer/models/crnn.py", "SHRINK = 4", "SHRINK = = 4")
    for command in ("build", "check"):
        code, _, err = tool(command)
        assert code == 2
        assert err.startswith("error: ")
        assert "text_recognizer/models/crnn.py, line 3, is not Python" in err
        assert err.count("\n") == 1
