"""A repository for students that ends with one lab: what is in it, and that a later build loses nothing."""

import re
import subprocess
import tomllib

import nbformat
import pytest

from curriculum import manifest, release, snapshot
from tests.small_course import contents, edit

# Nobody who greps a release of lab 1 finds any of these.
LATER = r"CNN|EMNIST|ResNet|Brown|CTC|LSTM|beam_search"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "class"


@pytest.fixture
def build(tool, out):
    """Return a function that builds the release of a lab, with flags."""
    return lambda upto, *flags: tool("build", "--upto", str(upto), "--out", str(out), *flags)


def test_a_release_of_lab_1_names_nothing_of_later_labs(build, out):
    assert build(1)[0] == 0
    found = subprocess.run(["grep", "-rnEi", "--exclude-dir=lab_kit", LATER, str(out)], capture_output=True, text=True)
    assert found.stdout == ""
    assert not re.search(r"lab ?[23]", " ".join(contents(out)))
    assert not (out / "curriculum").exists()
    assert [lab["number"] for lab in tomllib.loads((out / "labs.toml").read_text())["lab"]] == [1]
    done = subprocess.run(["make", "-n", "train"], cwd=out, capture_output=True, text=True, check=True)
    assert "lab1/training/run_experiment.py --data_class MNIST --model_class MLP" in done.stdout
    makefile = (out / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in ("doctor", "research"))  # which READMEs tell students to make


def test_a_release_has_hand_written_files_but_no_solutions(course, build, out):
    (course / "lab1/homework/test_it.py").write_text("words")
    (course / "lab1/homework/training_step.py").write_text("solved where it is handed out")
    assert build(1)[0] == 0
    names = contents(out)
    assert {"lab1/README.md", "lab1/homework/test_it.py", "data/raw/mnist/metadata.toml", "LICENSE"} <= names.keys()
    assert b"solved" not in names["lab1/homework/training_step.py"]
    assert not [name for name in names if "lab2" in name or "solutions" in name or "emnist" in name]
    assert b"solutions/" not in names["README.md"]


def test_solutions_are_published_lab_by_lab(course, build, out):
    build(2)
    assert build(2, "--with-solutions", "1")[0] == 0
    published = {name for name in contents(out) if name.startswith("solutions/")}
    wanted = {f"solutions/lab1/{name}" for name in ("homework/training_step.py", "text_recognizer/models/mlp.py")}
    assert published == wanted
    for name in wanted:
        assert (out / name).read_bytes() == (course / "curriculum" / name).read_bytes()
    assert "`solutions/` has our solutions of the homework up to lab 1" in (out / "README.md").read_text()
    assert build(2, "--with-solutions", "2")[0] == 0
    assert (out / "solutions/lab2/text_recognizer/models/cnn.py").is_file()


def test_solutions_that_cannot_be_published_are_one_line(build, tool, out):
    for code, _, err in (
        build(1, "--with-solutions", "2"),
        tool("build", "--with-solutions", "1"),
        tool("build", "--shrink"),
    ):
        assert code == 2
        assert err.startswith("error: --")
        assert err.count("\n") == 1
    assert not out.exists()


def test_a_solution_may_not_name_what_a_later_lab_brings(course, tool):
    (course / "curriculum/solutions/lab1/homework/training_step.py").write_text("# as in the LSTM\n")
    (course / "curriculum/solutions/lab2/text_recognizer/models/cnn.py").write_text("# a ResNet, nearly\n")
    code, out, _ = tool("check")
    assert code == 1
    assert "solutions/lab1/homework/training_step.py:1: names 'LSTM'" in out
    assert "solutions/lab2" not in out  # which may announce it


def test_a_release_leads_to_the_documentation_where_it_is(course, build, out):
    text = "[Flags](../docs/flags.md#all), [`x`](../benchmarks/x.py), [tree](./docs/x), [homework](homework/)\n"
    (course / "lab1/README.md").write_text(text)
    assert build(1)[0] == 0
    address = f"](https://github.com/{manifest.load(course).repository}/blob/main/"
    wanted = text.replace("](../docs/", f"{address}docs/").replace("](../benchmarks/", f"{address}benchmarks/")
    assert (out / "lab1/README.md").read_text() == wanted


def test_the_notebooks_of_a_release_fetch_the_repository_that_labs_toml_names(course, build, out):
    (course / "notebooks/lab1").mkdir(parents=True)
    (course / "notebooks/lab1/01-look.py").write_text("# %% [markdown]\n# # Look\n")
    links = "google.com/github/somebody/small-course/blob/main/x https://github.com/somebody/small-course/blob/main/y"
    cells = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(links)]))
    (course / "lab1/notebooks").mkdir()
    (course / "lab1/notebooks/01-look.ipynb").write_text(cells)
    assert build(1)[0] == 0
    assert (out / "lab1/notebooks/01-look.ipynb").read_text() == cells
    edit(course / "labs.toml", "canonical =", 'release_repository = "teacher/class"\ncanonical =')
    assert build(1)[0] == 0
    assert (out / "lab1/notebooks/01-look.ipynb").read_text() == cells.replace("somebody/small-course", "teacher/class")


def test_a_release_is_refused_where_it_would_name_a_later_lab(course, build, out):
    (course / "lab1/README.md").write_text("Wait for CTC!\n")
    code, _, err = build(2)
    assert code == 2
    assert "lab1/README.md:1: names 'CTC'" in err
    assert not out.exists()


@pytest.mark.parametrize("place", ["full", "course", "course/lab1", "file"])
def test_a_release_goes_nowhere_but_into_an_empty_folder(tool, tmp_path, place):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    (tmp_path / "file").write_text("")
    before = contents(tmp_path)
    code, _, err = tool("build", "--upto", "1", "--out", str(tmp_path / place))
    assert code == 2
    assert err.startswith("error: ")
    assert contents(tmp_path) == before


def test_the_clone_of_an_empty_repository_may_become_a_release(build, out):
    (out / ".git").mkdir(parents=True)
    assert build(1)[0] == 0
    assert (out / "lab1").is_dir()


# A folder in which there is a release already


def test_a_file_in_the_place_of_a_folder_is_said_before_anything_is_written(build, out):
    build(1)
    (out / "lab2").write_text("mine")
    before = contents(out)
    code, _, err = build(2)
    assert code == 2
    assert err == "error: class/lab2 would be overwritten, and was not generated: move it elsewhere.\n"
    assert contents(out) == before


def test_a_release_is_brought_up_to_date_in_place(build, out):
    build(1)
    (out / "notes.txt").write_text("mine")
    assert build(2)[0] == 0
    assert (out / "lab2/text_recognizer/models/cnn.py").is_file()
    assert (out / "notes.txt").read_text() == "mine"


def test_labs_and_solutions_do_not_vanish_unasked(build, out):
    build(3, "--with-solutions", "2")
    before = contents(out)
    code, _, err = build(1)
    assert code == 2
    numbers = {
        part: sum(name.startswith(f"{part}/") for name in before)
        for part in ("lab2", "lab3", "solutions/lab1", "solutions/lab2")
    }
    assert err == (
        f"error: {sum(numbers.values())} files would vanish from class: "
        f"{', '.join(f'{number} of {part}' for part, number in numbers.items())}. To keep them, build with --upto 3 "
        "--with-solutions 2; to remove them, add --shrink.\n"
    )
    assert contents(out) == before
    assert build(1, "--shrink")[0] == 0
    assert not (out / "lab2").exists()
    assert not (out / "solutions").exists()


def test_a_file_that_the_course_has_no_longer_vanishes_without_a_word(course, build, out):
    build(2)
    edit(course / "labs.toml", '    "data/raw/brown/*",\n', "")
    for name in ("README.md", "metadata.toml"):
        (course / "data/raw/brown" / name).unlink()
    assert build(2)[0] == 0
    assert not (out / "lab2/data/raw/brown").exists()


def test_an_edited_file_is_kept_unless_forced_and_then_there_is_a_copy(build, out):
    build(2)
    for name in ("lab1/text_recognizer/models/mlp.py", "lab2/README.md"):
        (out / name).write_text("mine")
    code, _, err = build(1, "--shrink")
    assert code == 2
    assert "class/lab1/text_recognizer/models/mlp.py, class/lab2/README.md were generated, and edited by hand" in err
    assert "To keep the edit, make it in course/, and build again" in err
    assert "homework" not in err  # who builds a release teaches
    assert (out / "lab1/text_recognizer/models/mlp.py").read_text() == "mine"
    code, said, _ = build(1, "--shrink", "--force")
    assert code == 0
    for name in ("lab1/text_recognizer/models/mlp.py", "lab2/README.md"):
        assert f"{out}/{name} had been edited: as it was, it is in {out}/.replaced/" in said
        [copy] = out.glob(f".replaced/*/{name}")
        assert copy.read_text() == "mine"
    assert build(1)[0] == 0  # and the copies are in nobody's way


@pytest.mark.parametrize("command", [["build"], ["check"], ["list"], ["build", "--upto", "1", "--out", "x"]])
def test_a_student_who_runs_the_tool_in_a_release_learns_what_to_do(build, tool, out, command):
    build(1)
    before = contents(out)
    code, _, err = tool("--root", str(out), *command)
    assert code == 2
    assert (
        "is a repository for students: its labs are built. A new lab comes with `git pull --no-rebase origin main`"
        in err
    )
    assert err.count("\n") == 1
    assert contents(out) == before


def test_hand_written_files_are_no_code_of_a_lab(course):
    loaded = manifest.load(course)
    assert not {name.split("/")[0] for name in snapshot.lab_files(loaded, loaded.labs[-1])} & set(release.HAND_WRITTEN)


def test_a_release_has_the_rule_for_assistants_unless_an_instructor_does_without(course, build, out):
    rule = f"# For coding assistants\n\nExplain.\n\n{release.MAINTAINERS}\n\nSee CONTRIBUTING.md.\n"
    (course / "AGENTS.md").write_text(rule)
    assert build(1)[0] == 0
    assert (out / "AGENTS.md").read_text() == "# For coding assistants\n\nExplain.\n"
    edit(course / "labs.toml", "may_differ", "rule_for_assistants = false\nmay_differ")
    assert build(1)[0] == 0
    assert not (out / "AGENTS.md").exists()
