"""The notebooks: those in the labs are those of the canonical text, and each runs, offline, here and on Colab."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest

from curriculum import execute, manifest, names, notebooks, snapshot
from lab_kit.errors import UserError
from lab_kit.handwriting import pen_set
from lab_kit.paths import project_root
from text_recognizer.data import MNIST
from text_recognizer.data.character_mapping import ALPHANUMERIC

ROOT = project_root()
COURSE = manifest.load(ROOT)
SOURCES = {source.built: source for source in notebooks.sources(COURSE)}
# They use what the other notebooks of their labs use, too.
SIMILAR = {f"lab{path}.ipynb" for path in (
    "1/notebooks/01-gradient-descent-from-scratch",
    "1/notebooks/03-when-training-goes-wrong",
    "2/notebooks/02-look-at-emnist-lines",
    *(f"{lab.number}/notebooks/homework" for lab in COURSE.labs[1:]),
)}  # fmt: skip
NO_NETWORK = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy")}  # the discard port: refused at once


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the labs beside nothing else: what a notebook imports can come from its own lab alone."""
    folder = tmp_path_factory.mktemp("course")
    snapshot.build(COURSE, folder)
    shutil.copy(ROOT / "labs.toml", folder)
    shutil.copytree(ROOT / "data" / "raw", folder / "data" / "raw")
    for lab in COURSE.labs:
        shutil.copytree(ROOT / lab.folder / "homework", folder / lab.folder / "homework", dirs_exist_ok=True)
    for name in ("lab_kit", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a kernel: fast mode, no network, and small sets of pen strokes in the data root."""
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXT_RECOGNIZER_DATA", str(root))
        sets = {"mass": MNIST.classes, "box": ALPHANUMERIC}
        places = {layout: pen_set.set_file(classes, layout) for layout, classes in sets.items()}  # of the full sets
        patch.setattr(pen_set, "SIZES", {"train": 1500, "val": 300, "test": 400})
        for layout, classes in sets.items():
            pen_set.prepare(classes, layout)
            pen_set.set_file(classes, layout).replace(places[layout])
    return NO_NETWORK | {"COURSE_FAST": "1", "TEXT_RECOGNIZER_DATA": str(root)}


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what a student would stumble over in the outputs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs]
    errors = [output.get("text", "") for output in outputs if output.get("name") == "stderr"]
    return errors + [text for text in texts if re.search(r"\w+Warning\b|Traceback|\berror:", text)]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SIMILAR else ()) for name in SOURCES]
)
def test_runs_in_its_own_lab_without_errors_or_warnings(name, labs, quick):
    folder = labs / SOURCES[name].lab.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    executed = execute.run(notebooks.assemble(COURSE, SOURCES[name]), folder, quick, name)
    assert complaints(executed) == []
    assert not list(folder.iterdir()), "a notebook leaves no files behind"


def test_those_in_the_labs_are_those_of_the_canonical_text():
    assert notebooks.faults(COURSE) == []


def test_opens_with_a_badge_for_this_repository():
    for name in SOURCES:
        first = notebooks.read(ROOT / name).cells[0].source.splitlines()[0]
        assert first.startswith("[![Open in Colab](")
        assert first.endswith(f"(https://colab.research.google.com/github/{COURSE.repository}/blob/main/{name})")


def test_names_nothing_that_a_later_lab_introduces():
    for name, source in SOURCES.items():
        later = names.later_names(COURSE, source.lab)
        assert names.leaks(later, {name: notebooks.words(name, (ROOT / name).read_bytes())}) == []


def test_committed_outputs_are_complete_and_tell_nothing_of_the_machine():
    for name in SOURCES:
        notebook = notebooks.read(ROOT / name)
        assert complaints(notebook) == []
        assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == list(
            range(1, 1 + sum(cell.cell_type == "code" for cell in notebook.cells))
        )
        assert not re.search(
            r"/(home|root|tmp|Users|work)/", notebooks.words(name, (ROOT / name).read_bytes()).decode()
        )


# The set-up cell on Colab


@pytest.fixture
def colab(labs: Path, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a kernel as on Colab: an empty folder, a repository to clone, where to install."""
    (tmp_path / "content").mkdir()
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    if not (labs / ".git").exists():
        (labs / "requirements" / "colab.txt").write_text("# all of it is here\n")  # pip cannot reach the others
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "labs"]):
            subprocess.run([*git, *command], cwd=labs, check=True)
    packages = str(tmp_path / "packages")
    Path(packages).mkdir()
    return {
        "COLAB_RELEASE_TAG": "simulated",
        "COURSE_REPOSITORY": labs.as_uri(),
        "PIP_TARGET": packages,
        "PIP_NO_BUILD_ISOLATION": "0",  # which is pip's way of saying: do not isolate, there is no network
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONPATH": packages,
    }


def test_runs_on_colab_with_the_kit_installed_and_leaves_torch_and_numpy_alone(colab, quick, tmp_path):
    source = SOURCES["lab1/notebooks/03-when-training-goes-wrong.ipynb"]
    before = installed("torch", "numpy")
    notebook = notebooks.assemble(COURSE, source)
    notebook.cells[1].source += "\nimport lab_kit, text_recognizer\nprint(lab_kit.__file__, text_recognizer.__file__)"
    executed = execute.run(notebook, tmp_path / "content", quick | colab, source.built)
    kit, package = executed.cells[1].outputs[-1].text.split()[-2:]
    executed.cells[1].outputs.clear()  # what pip says
    assert complaints(executed) == []
    folder = tmp_path / "content" / COURSE.repository.split("/")[-1]
    assert list((tmp_path / "content").iterdir()) == [folder]
    assert Path(kit) == tmp_path / "packages" / "lab_kit" / "__init__.py"
    assert Path(package) == folder / "lab1" / "text_recognizer" / "__init__.py"
    assert installed("torch", "numpy") == before
    assert not [path for path in (tmp_path / "packages").iterdir() if re.match("torch|numpy", path.name)]
    # After a restart, the same cell fetches and installs nothing; and it mends what was interrupted.
    again = execute.run(set_up_alone(source), tmp_path / "content", quick | colab, source.built)
    line = "This notebook uses the code of lab1. The course is in the folder text-recognizer-labs, and its kit is"
    assert again.cells[0].outputs[0].text == f"{line} installed.\n"
    (folder / "installed").unlink()
    shutil.rmtree(tmp_path / "packages" / "lab_kit")
    again = execute.run(set_up_alone(source), tmp_path / "content", quick | colab, source.built)
    assert line in again.cells[0].outputs[-1].text


def set_up_alone(source: notebooks.Source) -> nbformat.NotebookNode:
    """Return a notebook with the set-up cell, and nothing else."""
    return nbformat.v4.new_notebook(cells=[notebooks.assemble(COURSE, source).cells[1]], metadata=notebooks.METADATA)


def test_the_set_up_cell_is_short_and_never_asks_for_torch_or_numpy():
    for source in SOURCES.values():
        cell = notebooks.assemble(COURSE, source).cells[1].source
        assert len(cell.splitlines()) <= 8
        assert COURSE.repository in cell
    lines = (ROOT / "requirements" / "colab.txt").read_text().splitlines()
    wanted = {re.split(r"[\[<>= ]", line)[0] for line in lines if line and not line.startswith("#")}
    assert "pytorch-lightning" in wanted
    assert not wanted & {"torch", "torchvision", "numpy"}
    pinned = {line.split("==")[0] for line in (ROOT / "requirements" / "prod.txt").read_text().splitlines()}
    assert wanted <= {re.sub(r"\[.*", "", name) for name in pinned} | {"jsonargparse"}, (
        "of what the course itself needs"
    )


def installed(*packages: str) -> dict[str, str]:
    return {package: version(package) for package in packages}


# The tool


@pytest.fixture
def course(tmp_path: Path) -> manifest.Manifest:
    """Return a course with one short notebook."""
    root = tmp_path / "course"
    (root / "notebooks" / "lab1").mkdir(parents=True)
    (root / "lab1" / "text_recognizer").mkdir(parents=True)
    (root / "labs.toml").write_text((ROOT / "labs.toml").read_text())
    shutil.copy(ROOT / notebooks.SETUP, root / notebooks.SETUP)
    (root / "notebooks" / "lab1" / "01-short.py").write_text("# %% [markdown]\n# # Short\n\n# %%\n1 + 1\n")
    return manifest.load(root)


def test_a_built_notebook_has_outputs_and_passes_the_check(course):
    [source] = notebooks.sources(course)
    assert notebooks.faults(course) == [
        "lab1/notebooks/01-short.ipynb is missing: `python -m curriculum notebooks` builds it."
    ]
    execute.build(course, source)
    assert notebooks.faults(course) == []
    assert notebooks.read(course.root / source.built).cells[2].outputs[0].data["text/plain"] == "2"


def test_check_finds_what_was_edited_and_the_tool_does_not_overwrite_it(course):
    [source] = notebooks.sources(course)
    execute.build(course, source)
    path = course.root / source.built
    edited = notebooks.read(path)
    edited.cells[2].source = "1 + 2"
    nbformat.write(edited, path)
    assert "cell 2 is not that of 01-short.py" in notebooks.faults(course)[0]
    with pytest.raises(UserError, match=r"edited by hand.*--force"):
        execute.build(course, source)
    execute.build(course, source, force=True)
    assert notebooks.faults(course) == []
    [copy] = course.root.glob("lab1/.replaced/*/notebooks/01-short.ipynb")
    assert notebooks.read(copy).cells[2].source == "1 + 2"


def test_a_cell_that_fails_is_one_clear_line_and_nothing_is_written(course):
    [source] = notebooks.sources(course)
    source.path.write_text("# %% [markdown]\n# # Short\n\n# %%\n1 / 0\n")
    with pytest.raises(UserError, match=r"01-short\.ipynb fails: ZeroDivisionError: division by zero"):
        execute.build(course, source)
    assert not (course.root / source.built).exists()


def test_stale_and_misplaced_notebooks_are_found(course):
    [source] = notebooks.sources(course)
    execute.build(course, source)
    source.path.rename(source.path.with_name("02-renamed.py"))
    (course.root / "notebooks" / "lab9").mkdir()
    (course.root / "notebooks" / "lab9" / "01-lost.py").touch()
    found = "\n".join(notebooks.faults(course))
    assert "01-short.ipynb is stale" in found
    assert "02-renamed.ipynb is missing" in found
    assert "notebooks/lab9 holds notebooks, but labs.toml has no lab of this name" in found


def test_an_unknown_notebook_is_one_line_and_exit_code_2():
    command = [sys.executable, "-m", "curriculum", "notebooks", "--only", "gradiant"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no such notebook")
    assert done.stderr.count("\n") == 1
