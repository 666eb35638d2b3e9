"""A repository for students that ends with lab N: it holds, and names, nothing of the labs after it."""

import json
import re
from pathlib import Path

from curriculum import names, notebooks, snapshot, tree
from curriculum.manifest import NAME, Lab, Manifest, files_below
from lab_kit.errors import UserError

TEMPLATES = Path(__file__).resolve().parent / "release"
KIT = "lab_kit/"
HAND_WRITTEN = ("README.md", "homework", "images")  # in a lab's folder
HIDDEN = "curriculum/hidden"  # checks that students do not get


def release_files(manifest: Manifest, upto: Lab) -> dict[str, bytes]:
    """Return every file of the repository that ends with lab `upto`, name -> content.

    Raises:
        UserError: an entry of `shared` in labs.toml matches no file.
    """
    files = {}
    for lab in manifest.labs[: upto.number]:
        own = _hand_written(manifest, lab) | snapshot.built_files(manifest, lab) | notebooks.built(manifest, lab)
        files |= {f"{lab.folder}/{name}": content for name, content in own.items()}
        files |= {name: content for name, content in own.items() if name.startswith("data/")}
    # The repository's documentation names all labs, so it stays there, and links lead to it.
    docs = f"](https://github.com/{manifest.repository}/blob/main/docs/".encode()
    files |= {
        name: re.sub(rb"\]\((?:\.\./)+docs/", docs, content) for name, content in files.items() if name.endswith(".md")
    }
    for pattern in manifest.shared:
        paths = sorted(
            path for path in manifest.root.glob(pattern) if path.is_file() and "__pycache__" not in path.parts
        )
        if not paths:
            raise UserError(f"{NAME}: '{pattern}' in `shared` matches no file.")
        files |= {path.relative_to(manifest.root).as_posix(): path.read_bytes() for path in paths}
    files[NAME] = _labs_toml(manifest, upto).encode()
    labs = "\n".join(f"| [`{lab.folder}`]({lab.folder}) | {lab.title} |" for lab in manifest.labs[: upto.number])
    values = {"@LAB@": str(upto.number), "@MAIN@": upto.main, "@LABS@": labs, "@SETUP@": _setup_recipe(manifest)}
    for template in files_below(TEMPLATES):
        text = template.read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        files[template.name] = text.encode()
    return files


def leaks(manifest: Manifest, upto: Lab) -> list[str]:
    """Say where the repository that ends with lab `upto` names what comes later or holds hidden checks, a line each.

    Labs before `upto` are left out: they must not even name what `upto` introduces, and have a release of their own.
    """
    earlier = tuple(f"{lab.folder}/" for lab in manifest.labs[: upto.number - 1])
    files = {
        name: notebooks.words(name, content)
        for name, content in release_files(manifest, upto).items()
        # A picture has no words; the kit is the same in every release, and no part of any lesson.
        if not name.startswith((*earlier, KIT)) and not name.endswith(".png")
    }
    own = [f"{upto.folder}/{name}" for name in _hand_written(manifest, upto)]
    own_words = {name: files[name] for name in own if name in files}
    later = names.later_names(manifest, upto)
    announced = {name.lower() for name in upto.may_announce}
    return [
        *names.leaks(later, {name: text for name, text in files.items() if name not in own_words}),
        *names.leaks([name for name in later if name.lower() not in announced], own_words),
        *(f"{upto.folder}/{line}" for line in names.missing_imports(manifest, snapshot.lab_files(manifest, upto))),
        *_handed_out(manifest, upto),
    ]


def build(manifest: Manifest, upto: Lab, folder: Path, force: bool = False) -> tuple[list[str], list[str]]:
    """Write the repository that ends with lab `upto` into `folder`; returns the names written and removed.

    Raises:
        UserError: the folder holds something else, something would be lost, or a later lab is named. Nothing was
            written.
    """
    snapshot.assert_sound(manifest)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: --out must name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and NAME not in tree.recorded(folder):
        raise UserError(f"{folder} is not empty, and no release was built there: choose an empty folder.")
    if found := [line for lab in manifest.labs[: upto.number] for line in leaks(manifest, lab)]:
        raise UserError(f"{found[0]} ({len(found)} such lines). `python -m curriculum check` lists them all.")
    files = release_files(manifest, upto)
    snapshot.guard(folder, files, force, f"make the change in {manifest.root.name}/ and build again")
    return tree.write(folder, files)


def _hand_written(manifest: Manifest, lab: Lab) -> dict[str, bytes]:
    folder = manifest.root / lab.folder
    single = [folder / name for name in HAND_WRITTEN if (folder / name).is_file()]
    paths = single + [path for name in HAND_WRITTEN for path in files_below(folder / name)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


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
