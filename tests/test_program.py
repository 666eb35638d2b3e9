"""Functions as programs: how their flags may be written, and what is said of wrong ones."""

import io
import sys

import pytest

from lab_kit import program

GOT: list[tuple] = []


def read(folder: str, port: int = 8000, public_name: list[str] | None = None) -> None:
    """Read.

    Args:
        folder: where.
        port: which.
        public_name: names.
    """
    GOT.append((folder, port, public_name))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("here", None),
        ("here --public-name a.example", ["a.example"]),
        ("here --public_name a.example", ["a.example"]),
        ("here --public-name a.example --public_name=b.example:80", ["a.example", "b.example:80"]),
        ("--public-name=a.example here --public-name b.example", ["a.example", "b.example"]),
        ("here --public-name [a.example,b.example]", ["a.example", "b.example"]),
        ("here --public_name+ a.example --public-name+ b.example", ["a.example", "b.example"]),
        ("here --public-name 10", ["10"]),
    ],
)
def test_a_list_is_given_item_by_item_and_with_dashes(line, names):
    program.run(read, line.split())
    assert GOT.pop() == ("here", 8000, names)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("here --port", "--port needs a value."),
        ("here --public-name", "--public_name needs a value."),
        ("", "folder is missing: where. How to give it: "),
        ("here there", "'there' does not belong to any flag."),
        ("here --prot 3", "There is no flag --prot. Did you mean '--port'?"),
        ("here --port x", "--port must be a whole number, not 'x'."),
    ],
)
def test_a_wrong_flag_is_said_in_one_line(line, words, capsys):
    with pytest.raises(SystemExit) as end:
        program.run(read, line.split())
    error = capsys.readouterr().err
    assert (end.value.code, error.count("\n"), words in error) == (2, 1, True), error


def test_a_letter_that_the_output_lacks_becomes_a_question_mark(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), "cp1252")  # as Windows writes `> file.txt`
    monkeypatch.setattr(sys, "stdout", output)
    with program.one_line_errors():
        output.write("e \u2192 E \xb1 1%\n")
        output.flush()
    assert output.buffer.getvalue() == b"e ? E \xb1 1%\n"


def collect(folders: list[str]) -> None:
    """Collect.

    Args:
        folders: from where.
    """
    GOT.append((folders,))


def test_a_name_that_is_no_text_is_said_in_one_line(capsys):
    with pytest.raises(SystemExit):
        program.run(collect, ["caf\udce9"])
    assert capsys.readouterr().err == "error: 'caf\\udce9' is no text in UTF-8: rename it.\n"
