"""A repository for students that ends with lab N: it holds, and names, nothing of the labs after it."""

import json
import re
from collections import Counter
from pathlib import Path

from curriculum import addresses, names, notebooks, snapshot, tree
from curriculum.manifest import HIDDEN, NAME, Lab, Manifest, files_below
from lab_kit.errors import UserError

TEMPLATES = Path(__file__).resolve().parent / "release"
KIT = "lab_kit/"
SOLUTIONS = "solutions"  # the release's folder of published solutions, each at the place that it has in its lab
ASSISTANTS, MAINTAINERS = "AGENTS.md", "## With those who maintain"  # what begins there is not for releases
HAND_WRITTEN = ("README.md", "questions.toml", "homework", "images")  # in a lab's folder


def release_files(manifest: Manifest, upto: Lab, solutions: int = 0) -> dict[str, bytes]:
    """Return every file of the repository that ends with lab `upto`, name -> content.

    Args:
        manifest: the course.
        upto: the last lab.
        solutions: the number of the last lab whose solutions are published; 0 for none.

    Raises:
        UserError: an entry of `shared` in labs.toml matches no file.
    """
    files = {}
    for lab in manifest.labs[: upto.number]:
        own = hand_written(manifest, lab) | snapshot.built_files(manifest, lab) | notebooks.built(manifest, lab)
        files |= {f"{lab.folder}/{name}": content for name, content in own.items()}
        files |= {name: content for name, content in own.items() if name.startswith("data/")}
    for lab in manifest.labs[:solutions]:
        files |= _solutions(manifest, lab)
    files = addresses.adapted(manifest, files) | shared_files(manifest)
    files[NAME] = _labs_toml(manifest, upto).encode()
    return files | _front(manifest, upto, solutions)


def shared_files(manifest: Manifest) -> dict[str, bytes]:
    """Return the files beside the labs, name -> content; raises UserError where `shared` names one that is missing."""
    files = {}
    for pattern in manifest.shared:
        paths = sorted(
            path for path in manifest.root.glob(pattern) if path.is_file() and "__pycache__" not in path.parts
        )
        if not paths:
            raise UserError(f"{NAME}: '{pattern}' in `shared` matches no file.")
        files |= {path.relative_to(manifest.root).as_posix(): path.read_bytes() for path in paths}
    return files


def leaks(manifest: Manifest, upto: Lab) -> list[str]:
    """Say where the repository that ends with lab `upto`, with all solutions, names what comes later, a line each.

    Labs before `upto` are left out: they must not even name what `upto` introduces, and have a release of their own.
    """
    earlier = tuple(
        start for lab in manifest.labs[: upto.number - 1] for start in (f"{lab.folder}/", f"{SOLUTIONS}/{lab.folder}/")
    )
    files = {
        name: notebooks.words(name, content)
        for name, content in release_files(manifest, upto, upto.number).items()
        # A picture has no words; the kit is the same in every release, and no part of any lesson.
        if not name.startswith((*earlier, KIT)) and not name.endswith(".png")
    }
    own = {f"{upto.folder}/{name}" for name in hand_written(manifest, upto)} | _solutions(manifest, upto).keys()
    own_words = {name: files[name] for name in files if name in own}
    later = names.later_names(manifest, upto)
    announced = {name.lower() for name in upto.may_announce}
    return [
        *names.leaks(later, {name: text for name, text in files.items() if name not in own_words}),
        *names.leaks([name for name in later if name.lower() not in announced], own_words),
        *(f"{upto.folder}/{line}" for line in names.missing_imports(manifest, snapshot.lab_files(manifest, upto))),
        *_handed_out(manifest, upto),
    ]


def build(
    manifest: Manifest, upto: Lab, folder: Path, force: bool = False, shrink: bool = False, solutions: int = 0
) -> tree.Written:
    """Write the repository that ends with lab `upto` into `folder`; returns what was done there.

    Args:
        manifest: the course.
        upto: the last lab.
        folder: empty but for `.git`, or what an earlier call has written.
        force: write over what was edited by hand in generated files; a copy stays in `.replaced/`.
        shrink: remove labs and solutions that an earlier call has written, and this one does not.
        solutions: the number of the last lab whose solutions are published; 0 for none.

    Raises:
        UserError: the folder holds something else, something would be lost, or a later lab is named. Nothing was
            written.
    """
    snapshot.assert_sound(manifest)
    if not 0 <= solutions <= upto.number:
        raise UserError(f"--with-solutions {solutions}: the release ends with lab {upto.number}.")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: --out must name a folder.")
    if folder.is_dir() and {path.name for path in folder.iterdir()} - {".git"} and NAME not in tree.recorded(folder):
        raise UserError(
            f"{folder} is not empty, and no release was built there: choose an empty folder, or the clone of an empty "
            "repository."
        )
    if found := [line for lab in manifest.labs[: upto.number] for line in leaks(manifest, lab)]:
        raise UserError(f"{found[0]} ({len(found)} such lines). `python -m curriculum check` lists them all.")
    files = release_files(manifest, upto, solutions)
    if not shrink:
        _assert_nothing_vanishes(folder, files)
    snapshot.guard(folder, files, force, f"To keep the edit, make it in {manifest.root.name}/, and build again")
    return tree.write(folder, files)


def _assert_nothing_vanishes(folder: Path, files: dict[str, bytes]) -> None:
    """Raise UserError where whole labs, or the solutions of some, were written before and are not in `files`."""
    stay = {_part(name) for name in files}
    there = [name for name in tree.recorded(folder) if (folder / name).is_file()]
    lost = Counter(part for part in map(_part, there) if part and part not in stay)
    if not lost:
        return
    flags = {
        flag: max(numbers)
        for flag, of in (("--upto", "lab"), ("--with-solutions", f"{SOLUTIONS}/lab"))
        if (numbers := [int(part.removeprefix(of)) for part in lost if part.startswith(of)])
    }
    raise UserError(
        f"{lost.total()} files would vanish from {folder.name}: "
        f"{', '.join(f'{number} of {part}' for part, number in lost.items())}. To keep them, build with "
        f"{' '.join(f'{flag} {number}' for flag, number in flags.items())}; to remove them, add --shrink."
    )


def _part(name: str) -> str:
    """Return `lab2` or `solutions/lab2`, to which a file of a release belongs; nothing for other files."""
    found = re.match(rf"(?:{SOLUTIONS}/)?lab\d+(?=/)", name)
    return found[0] if found else ""


def hand_written(manifest: Manifest, lab: Lab) -> dict[str, bytes]:
    """Return what is written by hand in a lab's folder, path there -> content."""
    folder = manifest.root / lab.folder
    single = [folder / name for name in HAND_WRITTEN if (folder / name).is_file()]
    paths = single + [path for name in HAND_WRITTEN for path in files_below(folder / name)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _solutions(manifest: Manifest, lab: Lab) -> dict[str, bytes]:
    """Return the solutions of a lab's homework, name in a release -> content."""
    found = manifest.solutions(lab)
    return {f"{SOLUTIONS}/{lab.folder}/{name}": path.read_bytes() for name, path in found.items()}


def _front(manifest: Manifest, upto: Lab, solutions: int) -> dict[str, bytes]:
    """Return the files of the release's own folder, from their templates."""
    labs = "\n".join(f"| [`{lab.folder}`]({lab.folder}) | {lab.title} |" for lab in manifest.labs[: upto.number])
    values = {"@LAB@": str(upto.number), "@MAIN@": upto.main, "@LABS@": labs, "@SETUP@": _setup_recipe(manifest)}
    values["@DOCS@"] = f"https://github.com/{manifest.repository}/blob/main/docs"
    if solutions:
        values["@SOLUTIONS@"] = (
            f"`{SOLUTIONS}/` has our solutions of the homework up to lab {solutions}, each file at the place that it "
            "has in its lab. Look at them when you have tried it yourself, and compare: `git diff --no-index` shows "
            "how two files differ."
        )
    else:
        values["\n@SOLUTIONS@\n"] = ""
    files = _rule_for_assistants(manifest)
    for template in files_below(TEMPLATES):
        text = template.read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        files[template.name] = text.encode()
    return files


def _rule_for_assistants(manifest: Manifest) -> dict[str, bytes]:
    """Return what AGENTS.md says about students; nothing where the course does without the rule."""
    path = manifest.root / ASSISTANTS
    if not manifest.rule_for_assistants or not path.is_file():
        return {}
    about_students, _, _ = path.read_text(encoding="utf-8").partition(MAINTAINERS)
    return {ASSISTANTS: f"{about_students.rstrip()}\n".encode()}


def _handed_out(manifest: Manifest, lab: Lab) -> list[str]:
    """Say which checks that students do not get lie in a lab's homework, a line each."""
    homework = f"{lab.folder}/homework"
    return [
        f"{homework}/{hidden.name} is a check that students do not get ({HIDDEN}): take it out of the lab."
        for hidden in files_below(manifest.root / HIDDEN / lab.folder)
        if (manifest.root / homework / hidden.name).exists()
    ]


def _setup_recipe(manifest: Manifest) -> str:
    """Return how the root's Makefile makes the environment, so that it is written down once."""
    found = re.search(r"^setup:.*?^\t@touch \$@$", (manifest.root / "Makefile").read_text(), re.DOTALL | re.MULTILINE)
    if not found:
        raise UserError("The Makefile has no target `setup` that ends with `@touch $@`.")
    return found[0]


def _labs_toml(manifest: Manifest, upto: Lab) -> str:
    lines = [
        "# The labs of this repository. The folder that holds this file is the project's root.",
        f"repository = {_quoted(manifest.repository)}",
    ]
    for lab in manifest.labs[: upto.number]:
        lines += ["", "[[lab]]", f"number = {lab.number}", f"title = {_quoted(lab.title)}"]
        lines += [f"main = {_quoted(lab.main)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML string
