"""The course tool, on copies of a small course that a test can break."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from curriculum import diff, exports, html, manifest, names, tree
from tests.small_course import contents, edit

REPOSITORY = Path(__file__).resolve().parent.parent


# check


def test_check_is_green_on_what_was_built(tool):
    code, out, _ = tool("check")
    assert code == 0
    assert "as built" in out


def test_check_shows_one_edited_character_as_a_unified_diff(course, tool):
    edit(course / "lab3/text_recognizer/models/crnn.py", "SHRINK = 4 ", "SHRINK = 5 ")
    code, out, _ = tool("check")
    assert code == 1
    assert "--- lab3/text_recognizer/models/crnn.py (as it is)" in out
    assert "+++ lab3/text_recognizer/models/crnn.py (as built)" in out
    assert re.search(r"\n-SHRINK = 5 .*\n\+SHRINK = 4 .*\n", out)


@pytest.mark.parametrize(
    "name",
    ["lab1/text_recognizer/models/mlp.py", "lab1/homework/training_step.py", "lab2/text_recognizer/models/mlp.py"],
)
def test_check_says_that_it_saw_homework_and_is_green_unless_it_is_to_be_strict(course, tool, name):
    (course / name).write_text("mine = True\n")
    code, out, _ = tool("check")
    assert code == 0
    assert f"Homework or own classes were seen, and not compared: {name}\n" in out
    code, out, _ = tool("check", "--strict")
    assert code == 1
    assert f"--- {name} (as it is)" in out
    assert "\n-mine = True\n" in out


@pytest.mark.parametrize("name", ["lab1/text_recognizer/models/__init__.py", "lab3/text_recognizer/models/crnn.py"])
def test_check_takes_no_other_edit_for_homework(course, tool, name):
    (course / name).write_text("mine = True\n")
    code, out, _ = tool("check")
    assert code == 1
    assert f"--- {name} (as it is)" in out
    assert "Homework" not in out


def test_check_says_that_it_saw_own_classes_made_as_the_documentation_says(course, tool):
    package = "lab1/text_recognizer/models"
    (course / package / "mine.py").write_text("class Mine: ...\n")
    assert tool("check")[0] == 1  # a file that nothing makes known
    with (course / package / "__init__.py").open("a") as file:
        file.write("\nfrom text_recognizer.models.mine import Mine\n")
    code, out, _ = tool("check")
    assert code == 0
    assert f"Homework or own classes were seen, and not compared: {package}/__init__.py, {package}/mine.py\n" in out
    assert tool("check", "--strict")[0] == 1


def test_check_takes_no_missing_build_for_homework(course, tool):
    edit(course / "text_recognizer/models/mlp.py", "DROPOUT = 0.2\n", "DROPOUT = 0.3\n")
    code, out, _ = tool("check")
    assert code == 1
    assert "\n-DROPOUT = 0.2\n+DROPOUT = 0.3\n" in out
    (course / "lab1/text_recognizer/models/mlp.py").write_text("mine = True\n")  # and homework besides
    assert tool("check")[0] == 1


def test_homework_is_in_files_that_a_lab_has(course, tool):
    edit(course / "labs.toml", '"homework/training_step.py"', '"homework/training_stop.py"')
    code, out, _ = tool("check")
    assert code == 1
    assert "lab 1 has homework in 'homework/training_stop.py', which it does not have." in out
    assert "curriculum/starters/lab1/homework/training_step.py is of no use" in out


def test_check_shows_a_package_that_differs_from_exports_as_a_unified_diff(course, tool):
    edit(course / "text_recognizer/models/__init__.py", "from text_recognizer.models.mlp import MLP\n", "")
    code, out, _ = tool("check")
    assert code == 1
    assert "\n+from text_recognizer.models.mlp import MLP\n" in out


@pytest.mark.parametrize("name", ["text_recognizer/models/transformer.py", "data/raw/letters/metadata.toml"])
def test_check_reports_a_file_without_an_owner(course, tool, name):
    (course / name).parent.mkdir(exist_ok=True)
    (course / name).write_text("")
    code, out, _ = tool("check")
    assert code == 1
    assert f"{name} belongs to no lab" in out


@pytest.mark.parametrize("again", ["training/find_lr.py", "training/fi*lr.py"])
def test_check_reports_a_file_that_is_owned_twice(course, tool, again):
    edit(
        course / "labs.toml",
        '    "data/raw/emnist/*",\n',
        f'    "data/raw/emnist/*", "{again}",\n',
    )
    code, out, _ = tool("check")
    assert code == 1
    assert "training/find_lr.py is owned 2 times, by lab 1 and lab 2" in out


def test_check_reports_an_entry_that_matches_nothing(course, tool):
    edit(course / "labs.toml", '"data/raw/emnist/*",', '"data/raw/emnist/*", "notebooks/*.py",')
    code, out, _ = tool("check")
    assert code == 1
    assert "lab 2 adds 'notebooks/*.py', which matches no file" in out


def test_check_reports_later_names_in_lab_1(course, tool):
    lines = {
        "from text_recognizer.models.cnn import CNN": "names 'cnn': ",
        "from text_recognizer.data import EMNIST": "names 'EMNIST': ",
        "# later, an EMNISTLines will follow": "names 'EMNISTLines': ",
        "# an EMNIST for a ResNet, and again EMNIST; then CTC": "names 'EMNIST', 'ResNet', 'CTC': ",
        "# solve it with a beam_search": "names 'beam_search': ",
        "from text_recognizer.data import emnist_lines": "imports text_recognizer.data.emnist_lines",
        "import text_recognizer.data.emnist_lines": "imports text_recognizer.data.emnist_lines",
    }
    mlp = course / "text_recognizer/models/mlp.py"
    first = len(mlp.read_text().splitlines()) + 1
    with mlp.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    assert tool("build")[0] == 0
    code, out, _ = tool("check")
    assert code == 1
    for number, report in enumerate(lines.values(), start=first):
        assert f"lab1/text_recognizer/models/mlp.py:{number}: {report}" in out


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("two layers", ["two"]),
        ("a network", []),
        ("two_layers", ["two"]),
        ("Two2", ["Two"]),
        ("two-fold", ["two"]),
        ("a deep LineReader2", ["LineReader"]),
        ("linereaders", ["linereader"]),
        ("", []),
    ],
)
def test_modules_count_as_words_and_classes_anywhere(line, found):
    lines = names.leaks({"two", "LineReader"}, {"a.py": line.encode()})
    assert [re.search("names '(.*?)'", report)[1] for report in lines] == found


def test_check_reports_later_names_in_hand_written_files_unless_they_may_be_announced(course, tool):
    (course / "lab1/README.md").write_text("Next comes the LSTM.\n")
    (course / "lab2/homework/README.md").write_text("Make it a ResNet.\n")
    code, out, _ = tool("check")
    assert code == 1
    assert "lab1/README.md:1: names 'LSTM': Next comes the LSTM." in out
    assert "lab2/homework" not in out


def test_check_demands_questions_of_every_lab_and_looks_for_later_names_in_them(course, tool):
    (course / "lab2/questions.toml").unlink()
    edit(course / "lab1/questions.toml", 'ask = "', 'ask = "What is an LSTM? ')
    code, out, _ = tool("check")
    assert code == 1
    assert "Cannot read lab2/questions.toml: No such file or directory." in out
    assert "lab1/questions.toml:2: names 'LSTM': ask = \"What is an LSTM?" in out


def test_check_reports_files_that_no_build_made(course, tool):
    names = ["lab2/text_recognizer/models/old.py", "lab1/training/old.py", "lab1/data/raw/old/metadata.toml"]
    for name in names:
        (course / name).parent.mkdir(exist_ok=True)
        (course / name).write_text("")
    code, out, _ = tool("check")
    assert code == 1
    assert all(f"{name} is stale" in out for name in names)


def test_check_reports_what_was_built_and_is_not_wanted_any_more_and_build_removes_it(course, tool):
    edit(course / "labs.toml", '    "data/raw/brown/*",\n', "")
    shutil.rmtree(course / "data/raw/brown")
    code, out, _ = tool("check")
    assert code == 1
    assert "lab2/data/raw/brown/README.md is stale" in out
    assert tool("build")[0] == 0
    assert not (course / "lab2/data/raw/brown").exists()
    assert tool("check")[0] == 0


def test_check_reports_a_missing_file_and_a_lab_that_was_never_built(course, tool):
    (course / "lab1/training/find_lr.py").unlink()
    shutil.rmtree(course / "lab3")
    _, out, _ = tool("check")
    assert "lab1/training/find_lr.py is missing" in out
    assert "lab3 has not been built" in out


# build


def test_building_twice_gives_identical_trees(course, tool, tmp_path):
    before = contents(course)
    assert tool("build")[0] == 0
    assert contents(course) == before
    code = (
        "import sys; from pathlib import Path; from curriculum import manifest, snapshot; "
        "snapshot.build(manifest.load(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(course), str(tmp_path / seed)]
        subprocess.run(command, check=True, cwd=REPOSITORY, env=os.environ | {"PYTHONHASHSEED": seed})
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_build_refuses_to_overwrite_a_hand_edited_file_and_says_how_to_keep_or_drop_the_edit(course, tool):
    mine = course / "lab2/text_recognizer/models/cnn.py"
    edit(mine, "DROPOUT = 0.25", "DROPOUT = 0.5")
    edit(course / "text_recognizer/models/mlp.py", '"""', '"""New: ')
    before = contents(course)
    code, out, err = tool("build")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: lab2/text_recognizer/models/cnn\.py was generated, and edited by hand .*\n", err)
    assert "If it is your homework, leave it as it is" in err
    assert "If you teach: to keep the edit, make the change in the same file of course/ and build again" in err
    assert "--force" in err
    assert contents(course) == before


def test_a_forced_build_names_what_it_replaces_and_keeps_a_copy_each_time(course, tool):
    mine = course / "lab2/text_recognizer/models/cnn.py"
    as_built = mine.read_bytes()
    for words in ("mine", "mine again"):  # within a second, too
        mine.write_text(words)
        code, out, _ = tool("build", "--force")
        assert code == 0
        assert "lab2/text_recognizer/models/cnn.py had been edited: as it was, it is in " in out
        assert mine.read_bytes() == as_built
    copies = sorted((course / "lab2/.replaced").glob("*/text_recognizer/models/cnn.py"))
    assert sorted(copy.read_text() for copy in copies) == ["mine", "mine again"]
    assert tool("check", "--strict")[0] == 0


def test_an_edit_that_moved_into_the_canonical_package_is_no_conflict(course, tool):
    for root in (course / "lab2", course):
        edit(root / "text_recognizer/models/cnn.py", "DROPOUT = 0.25", "DROPOUT = 0.5")
    assert tool("build")[0] == 0
    assert "DROPOUT = 0.5" in (course / "lab3/text_recognizer/models/cnn.py").read_text()


def test_build_never_touches_files_that_it_did_not_generate(course, tool):
    own = ["lab1/README.md", "lab1/homework/test_mlp.py", "lab1/notes.txt", "lab2/text_recognizer/models/mine.py"]
    for name in own:
        (course / name).parent.mkdir(exist_ok=True)
        (course / name).write_text("mine")
    assert tool("build", "--force")[0] == 0
    assert [(course / name).read_text() for name in own] == ["mine"] * 4


def test_build_does_not_overwrite_a_students_file_even_with_force(course, tool):
    (course / "text_recognizer/models/linear.py").write_text("canonical = 1\n")
    edit(course / "labs.toml", "    # The experiment\n", '    "*/linear.py",\n    # The experiment\n')
    (course / "lab2/text_recognizer/models/linear.py").write_text("student = 1\n")
    code, _, err = tool("build", "--force")
    assert code == 2
    assert "lab2/text_recognizer/models/linear.py would be overwritten, and was not generated" in err
    assert (course / "lab2/text_recognizer/models/linear.py").read_text() == "student = 1\n"


def test_an_interrupted_build_can_be_repeated(course, tool, monkeypatch):
    edit(course / "text_recognizer/models/mlp.py", '"""', '"""New: ')
    write_whole, written = tree.write_whole, []

    def interrupted(path: Path, content: bytes) -> None:
        write_whole(path, content)
        written.append(path)
        if sum("lab1" in path.parts for path in written) == 2:  # the list and one file
            raise KeyboardInterrupt

    monkeypatch.setattr(tree, "write_whole", interrupted)
    code, _, err = tool("build")
    assert (code, err) == (130, "\nStopped. The same command begins again.\n")
    monkeypatch.undo()
    edit(course / "text_recognizer/models/mlp.py", "New: ", "Newer: ")
    assert tool("build")[0] == 0
    assert tool("check")[0] == 0


def test_a_build_writes_the_packages_that_exports_describes(course, tool):
    (course / "text_recognizer/models/linear.py").write_text("class Linear:\n    pass\n")
    edit(course / "labs.toml", "    # The experiment\n", '    "*/linear.py",\n    # The experiment\n')
    edit(course / "labs.toml", 'mlp = ["MLP"]', 'mlp = ["MLP"]\nlinear = ["Linear"]')
    assert tool("build")[0] == 0
    assert "import Linear" in (course / "text_recognizer/models/__init__.py").read_text()
    assert '__all__ = ["MLP", "Linear"]' in (course / "lab1/text_recognizer/models/__init__.py").read_text()
    assert tool("check")[0] == 0


def test_a_name_that_only_the_package_exports_is_not_lost(course, tool):
    edit(course / "text_recognizer/models/__init__.py", '"MLP",', '"MLP", "ConvBlock",')
    before = contents(course)
    code, _, err = tool("build")
    assert code == 2
    assert "[exports] lacks ConvBlock" in err
    assert contents(course) == before


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("number = 2", "number = 7", "the labs are numbered 1, 7, 3. Number them 1, 2, 3"),
        ("number = 1", "number = 2", "the labs are numbered 2, 2, 3. Number them 1, 2, 3"),
        ("title = ", "titel = ", "'titel' in lab 1 is not a setting. Did you mean 'title'?"),
        ("may_differ = ", "# ", "the file lacks 'may_differ'"),
        ('mlp = ["MLP"]', 'mlp = ["MPL"]', "models/mlp.py defines no MPL"),
        ('mlp = ["MLP"]', 'mlp = "MLP"', "'mlp' in [exports] of text_recognizer/models must be a list of texts"),
        ("[[lab]]", "[[lab]", "is not TOML"),
        ("number = 2", 'number = "2"', "'number' in lab 2 must be a whole number, and is '2'."),
        ("most_files = 12", "most_files = true", "'most_files' in lab 1 must be a whole number, and is True."),
        ('title = "Digits"', "title = 3", "'title' in lab 1 must be a text, \"...\", and is 3."),
        ('names = ["CTC", "LSTM"]', "names = [1]", '\'names\' in lab 3 must be a list of texts, ["...", "..."], and'),
        (
            "may_differ = ",
            'rule_for_assistants = "no"\nmay_differ = ',
            "in the file must be true or false, and is 'no'.",
        ),
        ('"somebody/small-course"', '"https://example.org"', "`repository` must be OWNER/NAME, as on GitHub"),
        (
            "reads = [",
            'reads = ["training/fine_lr.py", ',
            "lab 1 reads 'training/fine_lr.py', which it does not add",
        ),
    ],
)
def test_a_fault_in_labs_toml_is_one_line(course, tool, before, after, message):
    edit(course / "labs.toml", before, after)
    code, out, err = tool("build")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_long_lists_of_names_are_folded_as_the_formatter_does(course):
    names = [f"AVeryLongNameOfAClass{number}" for number in range(9)]
    (course / "text_recognizer/models/mlp.py").write_text("".join(f"class {name}: ...\n" for name in names))
    edit(course / "labs.toml", 'mlp = ["MLP"]', f"mlp = {names}")
    made = exports.init_files(manifest.load(course), ["text_recognizer/models/mlp.py"])[
        "text_recognizer/models/__init__.py"
    ]
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--config", str(REPOSITORY / "pyproject.toml"), "-"],
        input=made, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert made == formatted


# list and diff


def test_list_names_each_labs_new_files(tool):
    _, out, _ = tool("list")
    assert "lab2: Letters\n  text_recognizer/models/cnn.py\n" in out


def test_a_labs_readme_lists_its_new_files_and_why_each_exists(course, tool):
    readme = course / "lab2" / "README.md"
    readme.write_text("# Lab 2\n<!-- new files -->\n<!-- end of new files -->\nThe rest stays.\n")
    code, output, _ = tool("check")
    assert code == 1
    assert "+    cnn.py" in output
    assert tool("build")[0] == 0
    text = readme.read_text()
    purpose = (course / "text_recognizer" / "models" / "cnn.py").read_text().split('"""')[1].splitlines()[0]
    assert any(line.split() == ["cnn.py", *purpose.split()] for line in text.splitlines())
    assert "mlp.py" not in text
    assert text.endswith("<!-- end of new files -->\nThe rest stays.\n")
    assert tool("check")[0] == 0
    readme.write_text("# Lab 2\n<!-- new files -->\n")
    code, _, errors = tool("check")
    assert code == 2
    assert "needs both lines" in errors


def test_a_labs_readme_says_what_to_read_in_which_order(course, tool):
    readme = course / "lab1" / "README.md"
    readme.write_text("# Lab 1\n<!-- what to read -->\n<!-- end of what to read -->\n")
    assert tool("build")[0] == 0
    lines = [line for line in readme.read_text().splitlines() if line[:1].isdigit()]
    wanted = tomllib.loads((course / "labs.toml").read_text())["lab"][0]["reads"]
    assert [re.search(r"`(.*?)`", line)[1] for line in lines] == wanted
    assert [line.partition(".")[0] for line in lines] == [str(number) for number in range(1, 1 + len(wanted))]
    assert tool("check")[0] == 0


def test_the_readme_gets_the_notebooks_and_the_repositorys_address_from_labs_toml(course, tool):
    (course / "notebooks" / "lab2").mkdir(parents=True)
    (course / "notebooks" / "lab2" / "01-look.py").write_text("# %% [markdown]\n# # Look at it\n")
    edit(course / "labs.toml", 'repository = "', 'repository = "somebody-elses-')
    (course / "README.md").write_text("# Course\n<!-- colab -->\n<!-- end of colab -->\n")
    assert tool("build")[0] == 0
    text = (course / "README.md").read_text()
    assert "[Look at it](lab2/notebooks/01-look.ipynb)" in text
    assert "colab.research.google.com/github/somebody-elses-somebody/small-course/" in text


@pytest.mark.parametrize("package", ["text_recognizer", "training"])
def test_without_the_kit_a_package_says_so_in_one_line(course, package):
    code = f"import sys; sys.path[:] = [path for path in sys.path if 'site-packages' not in path]; import {package}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=course / "lab1", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: lab_kit is not installed. Run: make setup")
    assert done.stderr.count("\n") == 1


def test_diff_begins_with_a_summary_and_goes_on_in_teaching_order(course, tool):
    code, out, _ = tool("diff", "1", "2")
    assert code == 0
    head, _, body = out.partition("unchanged\n")
    assert f"{len(manifest.load(course).added(manifest.load(course).labs[1]))} added" in head
    assert "2 changed" in head
    headings = re.findall(r"^(\S+) \((?:added|changed)\)$", body, re.MULTILINE)
    assert headings[:2] == ["text_recognizer/models/cnn.py", "data/raw/emnist/README.md"]
    assert headings[-2:] == ["text_recognizer/data/__init__.py", "text_recognizer/models/__init__.py"]
    assert '\n-__all__ = ["MLP"]\n+__all__ = ["CNN", "MLP"]\n' in body
    assert "\x1b" not in out


@pytest.mark.parametrize(("pair", "message"), [("1 9", "There is no lab 9"), ("2 1", "diff 1 2"), ("1 x", "'x'")])
def test_diff_of_labs_that_cannot_be_compared_is_one_clear_error(tool, pair, message):
    code, _, err = tool("diff", *pair.split())
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_the_page_is_self_contained_and_shows_each_change(course, tool, tmp_path):
    assert tool("diff", "2", "3", "--html", str(tmp_path / "page.html"))[0] == 0
    text = (tmp_path / "page.html").read_text()
    assert not re.search(r"(src|href)\s*=\s*\"(?!#)|@import|url\(|=\s*\"https?://(?!www\.w3\.org)", text)
    places = [text.index(f"<span>{name}</span>") for name in manifest.load(course).added(manifest.load(course).labs[2])]
    assert places == sorted(places)
    assert text.count("<details ") == len(places) + 1  # and the list of what is as it was
    assert text.count("<details open") == 1
    assert text.index("<details open") < places[0] < text.index("<details id=")
    assert "Not shown: 2 <code>__init__.py</code>, which are generated." in text  # of models and lit_models
    assert "<span>text_recognizer/models/__init__.py" not in text
    code, _, err = tool("diff", "2", "3", "--html", str(tmp_path / "page.html" / "no"))
    assert code == 2
    assert err.startswith("error: ")


def test_homework_is_compared_with_its_solution(course, tool, tmp_path):
    for name in ("homework/training_step.py", "text_recognizer/models/mlp.py"):
        (course / "curriculum/solutions/lab1" / name).write_text("solved = True\n")
        (course / "lab1" / name).write_text("somebody's work\n")
    code, out, _ = tool("diff", "--homework", "1")
    assert code == 0
    assert "compared with starter: as students get it" in out
    assert re.findall(r"^(\S+) \(changed\)$", out, re.MULTILINE) == [
        "homework/training_step.py",
        "text_recognizer/models/mlp.py",
    ]
    assert '\n-"""Exercise 1."""\n+solved = True\n' in out
    assert "somebody" not in out
    assert tool("diff", "--homework", "1", "--html", str(tmp_path / "page.html"))[0] == 0
    text = (tmp_path / "page.html").read_text()
    assert "solution: the homework of lab 1 as we solved it" in text
    assert text.count("<details ") == 2


@pytest.mark.parametrize("arguments", ["", "1", "1 2 --homework 1", "1 --homework 1", "--homework 9", "--homework 2"])
def test_what_cannot_be_compared_is_one_line(course, tool, arguments):
    shutil.rmtree(course / "curriculum/solutions/lab2")
    code, out, err = tool("diff", *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_side_by_side_rows_pair_what_belongs_together():
    old, new = ["a", "b", "c"], ["a", "x", "y", "c", "<d>"]
    rows = list(html.rows(old, new, old, new))
    assert [(left, right) for _, left, _, right, _ in rows] == [(1, 1), (2, 2), (None, 3), (3, 4), (None, 5)]
    assert [kind for kind, *_ in rows] == ["equal", "replace", "replace", "equal", "insert"]


def test_the_page_escapes_what_it_shows(course):
    labs = manifest.load(course).labs
    changes = [diff.Change("a.py", "x = 1\n", "x = '<script>'\n"), diff.Change("b.unknown", None, "<script>\n")]
    assert html.page(changes, labs[0], labs[1]).count("<script>") == 1
