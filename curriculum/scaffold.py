"""Make the first version of a lab or of a dataset, complete and green, for an instructor to change."""

import keyword
import re
from pathlib import Path

from curriculum import exports, manifest, manifest_text, names, notebooks, release, tree
from curriculum.manifest import HIDDEN, NAME, SOLUTIONS, STARTERS, Manifest
from lab_kit.errors import UserError

TEMPLATES = Path(__file__).resolve().parent / "scaffolds"
DATA = "text_recognizer/data"
EXERCISE = "homework/first_exercise.py"
REPORTER = ("homework/conftest.py", "homework/pytest.ini")  # the same in each lab


def new_lab(course: Manifest, title: str, main: str) -> list[str]:
    """Write the files of one more lab, and list it in labs.toml; returns the names of the files.

    Args:
        course: gets the lab.
        title: what it is about, in a line.
        main: the flags of its main command.

    Raises:
        UserError: the title is none, a file is in the way, or labs.toml cannot be added to. Nothing was written.
    """
    if not title.strip() or not title.isprintable():
        raise UserError("A lab needs a title of one line: new-lab 'What it is about'.")
    number = len(course.labs) + 1
    lab, before = f"lab{number}", course.labs[-1]
    values = {"NUMBER": str(number), "LAB": lab, "TITLE": title.strip(), "MAIN": main}
    places = {
        f"{lab}/README.md": "lab/lesson.md",
        f"{lab}/questions.toml": "lab/questions.toml",
        f"{lab}/homework/README.md": "lab/homework.md",
        f"{lab}/homework/test_first_exercise.py": "lab/checks.py.txt",
        f"{HIDDEN}/{lab}/test_hidden_first_exercise.py": "lab/hidden_checks.py.txt",
        f"{STARTERS}/{lab}/{EXERCISE}": "lab/starter.py.txt",
        f"{SOLUTIONS}/{lab}/{EXERCISE}": "lab/solution.py.txt",
        f"{notebooks.FOLDER}/{lab}/01-first-look.py": "lab/notebook.py.txt",
    }
    files = {place: _filled(template, values) for place, template in places.items()}
    for name in REPORTER:
        if not (source := course.root / before.folder / name).is_file():
            raise UserError(f"{before.folder}/{name} is missing: `git checkout {before.folder}/{name}` brings it back.")
        files[f"{lab}/{name}"] = source.read_text(encoding="utf-8")
    settings = {"number": number, "title": title.strip(), "main": main, "homework": [EXERCISE], "reads": [], "adds": []}
    return _write(course, files, manifest_text.with_lab(_text(course), settings))


def new_dataset(course: Manifest, name: str, number: int) -> list[str]:
    """Write a data class that draws its pictures in code, and let a lab add and export it; returns the files' names.

    Args:
        course: gets the dataset.
        name: of the class, such as `Outlines`; its module is called the same, in small letters.
        number: the lab that adds it.

    Raises:
        UserError: it cannot have that name, or labs.toml cannot be added to. Nothing was written.
    """
    lab = course.lab(number)
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or keyword.iskeyword(name):
        raise UserError(f"'{name}' cannot be a class: take a word that begins with a capital, such as Outlines.")
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    file = f"{DATA}/{module}.py"
    taken = [path for path in course.canonical_files if name in _defined(course.root / path)]
    if (course.root / file).exists() or taken:
        there = f"{taken[0]} has a {name} already" if taken else f"{file} is there already"
        raise UserError(f"{there}: choose another name.")
    if number > 1 and (found := _named_before(course, course.lab(number - 1), [name, module])):
        place, hit, *_ = found.split(": ")  # the line itself may be long
        raise UserError(f"No lab before lab {number} may name it, and {place} {hit}. Choose another name.")
    text = manifest_text.with_file(_text(course), lab.number, file)
    text = manifest_text.with_export(text, DATA, module, name)
    return _write(course, {file: _filled("dataset/data_module.py.txt", {"NAME": name})}, text)


def _named_before(course: Manifest, lab: manifest.Lab, wanted: list[str]) -> str:
    """Return the first line of the repository that ends with `lab` that has one of the names, the kit left out."""
    files = release.release_files(course, lab, lab.number)
    texts = {
        name: notebooks.words(name, content)
        for name, content in files.items()
        if not name.startswith(release.KIT) and not name.endswith(".png")
    }
    return next(iter(names.leaks(wanted, texts)), "")


def _defined(path: Path) -> set[str]:
    return exports.defined_names(path) if path.suffix == ".py" else set()


def _filled(template: str, values: dict[str, str]) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _text(course: Manifest) -> str:
    return (course.root / NAME).read_text(encoding="utf-8")


def _write(course: Manifest, files: dict[str, str], labs_toml: str) -> list[str]:
    """Write new files, then labs.toml, which makes them known; raises UserError where one would overwrite another."""
    if there := [name for name in files if (course.root / name).exists()]:
        raise UserError(f"{there[0]} exists already: move it elsewhere.")
    for name, text in files.items():
        tree.write_whole(course.root / name, text.encode())
    tree.write_whole(course.root / NAME, labs_toml.encode())
    return [*files, NAME]
