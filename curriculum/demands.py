"""What every lab must have beside its generated code, and what it must not have."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from curriculum import snapshot, tree, try_mains
from curriculum.manifest import HIDDEN, NAME, SOLUTIONS, STARTERS, Lab, Manifest
from lab_kit.grading.requirements import CHECKS

HAND_WRITTEN = ("README.md", "homework/README.md", "homework/conftest.py", "homework/pytest.ini")


def faults(manifest: Manifest) -> list[str]:
    """Say which labs lack a file that students need, are too large, or are in no labs.toml, a line each."""
    found = []
    for lab in manifest.labs:
        found += [
            f"{lab.folder}/{name} is missing, and every lab has one. `git checkout {lab.folder}/{name}` brings back "
            "what was deleted; else write it like that of another lab."
            for name in HAND_WRITTEN
            if not (manifest.root / lab.folder / name).is_file()
        ]
        found += _homework(manifest, lab) + _too_much(manifest, lab)
    return found + _of_no_lab(manifest)


def _homework(manifest: Manifest, lab: Lab) -> list[str]:
    """Say where a lab's homework lacks its checks or a solution."""
    found = []
    if lab.homework and not any((manifest.root / lab.folder / "homework").glob(CHECKS)):
        found.append(f"{lab.folder}/homework has no checks, {CHECKS}: nobody could tell whether homework is right.")
    return found + [
        f"{SOLUTIONS}/{lab.folder}/{name} is missing: the solution of homework that {NAME} lists."
        for name in lab.homework
        if name not in manifest.solutions(lab)
    ]


def _of_no_lab(manifest: Manifest) -> list[str]:
    """Name the folders of labs that labs.toml does not have."""
    known = {lab.folder for lab in manifest.labs}
    built = [path.parent for path in manifest.root.glob(f"lab*/{tree.LIST}")]
    beside = [path for part in (STARTERS, SOLUTIONS, HIDDEN) for path in (manifest.root / part).glob("lab*")]
    return [
        f"{path.relative_to(manifest.root).as_posix()}/ is there, and {NAME} has no lab of this number. Remove the "
        "folder, or take the [[lab]] back."
        for path in sorted(built) + sorted(beside)
        if re.fullmatch(r"lab\d+", path.name) and path.name not in known
    ]


def _too_much(manifest: Manifest, lab: Lab) -> list[str]:
    """Compare a lab's Python files and their lines with what `most_files` and `most_lines` allow."""
    files, lines = size(manifest, lab)
    pairs = (("most_files", files, lab.most_files, "Python files"), ("most_lines", lines, lab.most_lines, "lines"))
    return [
        f"{lab.folder} has {there:,} {what}: at most {most:,}, says `{setting}` in {NAME}."
        for setting, there, most, what in pairs
        if most is not None and there > most
    ]


def size(manifest: Manifest, lab: Lab) -> tuple[int, int]:
    """Return the number of a lab's Python files, and of the lines in them; homework does not count."""
    code = [text for name, text in snapshot.lab_files(manifest, lab).items() if name.endswith(".py")]
    return len(code), sum(len(text.splitlines()) for text in code)


def start_mains(manifest: Manifest, built: Path) -> subprocess.Popen:
    """Begin to read the flags of each lab's main command; `built` has the labs. `main_faults` waits for the end."""
    work = [[str(built / lab.folder), _words(lab)] for lab in manifest.labs if _has_program(manifest, lab)]
    home = Path(__file__).resolve().parent.parent
    return subprocess.Popen(
        [sys.executable, "-m", "curriculum.try_mains", json.dumps(work)],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"},  # `built` stays as it is
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def main_faults(manifest: Manifest, process: subprocess.Popen) -> list[str]:
    """Say which labs have a main command that their program refuses, a line each."""
    output, errors = process.communicate()
    _, found, results = output.partition(try_mains.RESULTS)
    if not found:
        return [f"The main commands of the labs could not be read: {(errors.strip().splitlines() or ['no word'])[-1]}"]
    with_program = [lab for lab in manifest.labs if _has_program(manifest, lab)]
    said = {lab.number: text for lab, text in zip(with_program, json.loads(results), strict=True)}
    said |= {lab.number: f"it has no {try_mains.PROGRAM}" for lab in manifest.labs if lab not in with_program}
    said |= {lab.number: f"a quotation mark lacks its partner: {lab.main}" for lab in manifest.labs if not _words(lab)}
    return [
        f"{NAME}: `main` of lab {number}: {text.removeprefix('error: ')}"
        for number, text in sorted(said.items())
        if text
    ]


def _has_program(manifest: Manifest, lab: Lab) -> bool:
    return try_mains.PROGRAM in manifest.files(lab)


def _words(lab: Lab) -> list[str]:
    try:
        return shlex.split(lab.main)
    except ValueError:  # which `main_faults` says
        return []
