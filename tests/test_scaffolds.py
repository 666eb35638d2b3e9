"""What `new-lab` and `new-dataset` write: complete, green, and with labs.toml as it was but for the new lines."""

import subprocess
import sys
import tomllib

import numpy as np
import pytest

from curriculum import manifest_text, scaffold
from curriculum.manifest import load
from lab_kit.errors import UserError
from lab_kit.paths import project_root
from tests.small_course import contents, edit

ROOT = project_root()


# A lab


def test_a_new_lab_is_complete_and_labs_toml_keeps_its_comments(course):
    before = (course / "labs.toml").read_text()
    made = scaffold.new_lab(load(course), 'A "fourth" lab', "--data_class MNIST")
    assert {f"lab4/{name}" for name in ("README.md", "homework/README.md", "homework/test_first_exercise.py")} < {*made}
    lab = load(course).labs[3]
    assert (lab.number, lab.title, lab.main, lab.adds) == (4, 'A "fourth" lab', "--data_class MNIST", ())
    after = (course / "labs.toml").read_text()
    new = [line for line in after.splitlines() if line not in before.splitlines()]
    assert new == [
        "number = 4", 'title = "A \\"fourth\\" lab"', 'main = "--data_class MNIST"',
        'homework = ["homework/first_exercise.py"]', "reads = []", "adds = []",
    ]  # fmt: skip
    assert after.index("number = 4") < after.index("# What each package exports.")
    for name in made:
        assert "@" not in (course / name).read_text(), name


def test_after_a_new_lab_check_is_green_but_for_its_notebook(course, tool):
    scaffold.new_lab(load(course), "Fourth", "--data_class MNIST --model_class MLP")
    assert tool("build")[0] == 0
    code, out, _ = tool("check")
    assert code == 1
    assert "lab4/notebooks/01-first-look.ipynb is missing: `python -m curriculum notebooks` builds it." in out
    assert "\n1 problem.\n" in out
    assert "<!-- what to read -->\nNothing yet: `reads` in labs.toml" in (course / "lab4/README.md").read_text()


@pytest.mark.parametrize("title", ["", " ", "two\nlines"])
def test_a_lab_without_a_title_is_refused(course, tool, title):
    before = contents(course)
    code, _, err = tool("new-lab", title)
    assert code == 2
    assert err.startswith("error: A lab needs a title of one line")
    assert contents(course) == before


def test_a_new_lab_overwrites_nothing(course, tool):
    (course / "lab4").mkdir()
    (course / "lab4/README.md").write_text("mine")
    before = contents(course)
    code, _, err = tool("new-lab", "Fourth")
    assert (code, err) == (2, "error: lab4/README.md exists already: move it elsewhere.\n")
    assert contents(course) == before


# A dataset


def test_a_new_dataset_belongs_to_its_lab_and_is_exported(course, tool):
    before = tomllib.loads((course / "labs.toml").read_text())
    code, out, err = tool("new-dataset", "TrafficSigns", "--lab", "2")
    assert code == 0, err
    assert out.splitlines()[0] == "text_recognizer/data/traffic_signs.py is new"
    before["lab"][1]["adds"].append("text_recognizer/data/traffic_signs.py")
    before["exports"]["text_recognizer/data"]["traffic_signs"] = ["TrafficSigns"]
    assert tomllib.loads((course / "labs.toml").read_text()) == before
    assert "TrafficSigns" in (course / "lab2/text_recognizer/data/__init__.py").read_text()
    assert not (course / "lab1/text_recognizer/data/traffic_signs.py").exists()
    faults = tool("check")[1].partition("\n\n")[0].splitlines()
    assert all("`main`" in line for line in faults)  # for the small course lacks the base class of datasets


@pytest.mark.parametrize(
    ("name", "lab", "message"),
    [
        ("signs", "2", "'signs' cannot be a class"),
        ("Traffic-Signs", "2", "cannot be a class"),
        ("None", "2", "cannot be a class"),
        ("EMNIST", "3", "text_recognizer/data/emnist.py has a EMNIST already: choose another name."),
        ("CNN", "3", "text_recognizer/models/cnn.py has a CNN already"),
        ("Digits", "2", "No lab before lab 2 may name it, and lab1/README.md:14 names 'Digits'. Choose another name."),
        ("Signs", "9", "There is no lab 9"),
    ],
)
def test_a_name_that_does_not_fit_is_one_line(course, tool, name, lab, message):
    before = contents(course)
    code, _, err = tool("new-dataset", name, "--lab", lab)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert contents(course) == before


def test_the_drawn_figures_differ_from_each_other_and_from_split_to_split(tmp_path):
    text = scaffold._filled("dataset/data_module.py.txt", {"NAME": "Figures"})
    space = {"__name__": "figures"}
    exec(text, space)
    data = space["Figures"](num_train=400, num_eval=100, grain=0)
    data.prepare_data()
    data.setup()
    sizes = {split: len(dataset) for split, dataset in data.splits.items()}
    assert sizes == {"train": 400, "val": 100, "test": 100}
    images, labels = data.splits["train"].images.numpy(), data.splits["train"].labels.numpy()
    assert images.shape == (400, 28, 28)
    assert set(np.unique(images)) == {0, 255}
    ink = [(images[labels == label] == 255).sum((1, 2)).mean() for label in range(4)]
    assert min(ink) > 15
    middles = images[:, 11:17, 11:17].any((1, 2))  # where the middle of each figure is
    assert middles[labels == 3].all()  # a cross has ink there,
    assert middles[labels < 2].mean() < 0.2  # a circle or square seldom
    assert not np.array_equal(images[:100], data.splits["test"].images.numpy())
    again = space["Figures"](num_train=400, num_eval=100, grain=0)
    again.setup()
    assert np.array_equal(again.splits["train"].images.numpy(), images)
    with pytest.raises(UserError, match="num_train must be at least 1"):
        space["Figures"](num_train=0)


# Both


def test_what_is_written_is_as_the_linter_wants_it(course, tmp_path):
    loaded = load(course)
    made = scaffold.new_lab(loaded, "Fourth", "--data_class MNIST") + scaffold.new_dataset(load(course), "Signs", 1)
    files = [str(course / name) for name in made if name.endswith(".py")]
    config = ["--config", str(ROOT / "pyproject.toml")]
    for command in (["check"], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *config, *files], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('adds = ["text_recognizer/models/resnet.py",', 'adds = [\n    "text_recognizer/models/resnet.py",'),
        ('[exports."text_recognizer/data"]', "[exports.'text_recognizer/data']"),
        ("[[lab]]\nnumber = 3", "[[ lab ]]\nnumber = 3"),
    ],
)
def test_a_labs_toml_that_is_written_in_another_way_is_one_line_and_stays_as_it_is(course, tool, before, after):
    edit(course / "labs.toml", before, after)
    whole = contents(course)
    code, _, err = tool("new-dataset", "Signs", "--lab", "3")
    assert code == 2
    assert "add the new lines by hand" in err
    assert contents(course) == whole


def test_files_are_added_to_lists_on_one_line_and_on_many():
    text = '[[lab]]\nadds = []\n\n[[lab]]\nadds = [\n    "a", # first\n]\n'
    text = manifest_text.with_file(manifest_text.with_file(text, 1, "x"), 2, "b")
    assert text == '[[lab]]\nadds = [\n    "x",\n]\n\n[[lab]]\nadds = [\n    "a", # first\n    "b",\n]\n'
