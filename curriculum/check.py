"""Check that the labs are what labs.toml and the canonical code make of them."""

import os
import subprocess
import sys
import tempfile
from difflib import unified_diff
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

from curriculum import check_lists, demands, exports, notebooks, questions, release, snapshot, tour, tree
from curriculum.manifest import Lab, Manifest, files_below


def check(manifest: Manifest, strict: bool = False) -> list[str]:
    """Return everything that is wrong, as text for people: single lines, and unified diffs of several lines.

    Where labs.toml itself is at fault, nothing else is looked at.

    Args:
        manifest: what to check.
        strict: homework and classes of one's own in the labs are wrong, too.
    """
    if faults := manifest.faults() + exports.faults(manifest):
        return faults
    problems = demands.faults(manifest) or check_lists.faults(manifest)
    problems += _packages(manifest) + notebooks.faults(manifest)
    problems += questions.faults(manifest) or _readmes(manifest)
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh"
        snapshot.build(manifest, fresh)
        with demands.start_mains(manifest, fresh) as mains:  # which goes on beside the rest
            problems += _drift(manifest, fresh, strict)
            if _contents(fresh) != _contents(_built_by_another_process(manifest, Path(folder) / "again")):
                problems.append("Two builds of the same files differ: the build is not deterministic.")
            problems += demands.main_faults(manifest, mains)
    return problems


def _drift(manifest: Manifest, fresh: Path, strict: bool) -> list[str]:
    """Compare the labs with those built in `fresh`, and with each other, and look for what later labs bring."""
    problems = []
    for lab in manifest.labs:
        expected = [] if strict else own_files(manifest, lab)
        problems += _differences(manifest, lab, fresh / lab.folder, expected) + release.leaks(manifest, lab)
    for one, two in pairwise(manifest.labs):
        problems += [
            f"{name} differs between {one.folder} and {two.folder}, and `may_differ` does not list it."
            for name in differing(fresh / one.folder, fresh / two.folder)
            if not any(fnmatch(name, pattern) for pattern in manifest.may_differ)
        ]
    return problems


def own_files(manifest: Manifest, lab: Lab) -> list[str]:
    """Return the files of a lab that hold somebody's work.

    That is homework, of this lab or taken along from an earlier one; and classes of one's own, made as
    docs/own_classes.md says: an `__init__.py` with more lines at its end, and new files beside it.
    """
    folder, built = manifest.root / lab.folder, snapshot.built_files(manifest, lab)
    may_change = {name for earlier in manifest.labs[: lab.number] for name in earlier.homework}
    edited = tree.edited_files(folder, built)
    longer = [
        name
        for name in edited
        if name.endswith("/__init__.py") and (folder / name).read_bytes().startswith(built[name])
    ]
    beside = [path.relative_to(folder).as_posix() for name in longer for path in (folder / name).parent.glob("*.py")]
    own = [name for name in sorted(beside) if name not in built and name not in tree.recorded(folder)]
    return [name for name in edited if name in may_change] + longer + own


def differing(one: Path, two: Path) -> list[str]:
    """Return the names of generated files that two labs both have, with different content."""
    both = sorted(tree.recorded(one).keys() & tree.recorded(two).keys())
    return [name for name in both if (one / name).read_bytes() != (two / name).read_bytes()]


def diff_text(name: str, before: bytes, after: bytes, now: str, should: str) -> str:
    """Return a unified diff; empty if the contents are the same."""
    texts = [content.decode("utf-8", errors="replace").splitlines() for content in (before, after)]
    return "\n".join(unified_diff(*texts, f"{name} ({now})", f"{name} ({should})", lineterm=""))


def _packages(manifest: Manifest) -> list[str]:
    """Compare the canonical `__init__.py` with those that `[exports]` makes for the last lab."""
    problems = []
    for name, wanted in exports.init_files(manifest, manifest.files(manifest.labs[-1])).items():
        path = manifest.root / name
        there = path.read_bytes() if path.is_file() else b""
        if there != wanted:
            problems.append(diff_text(name, there, wanted, "as it is", "as [exports] in labs.toml says"))
    return problems


def _differences(manifest: Manifest, lab: Lab, fresh: Path, expected: list[str]) -> list[str]:
    """Compare a lab as it is on disk with one freshly built; the files that are `expected` may differ."""
    folder = manifest.root / lab.folder
    wanted = tree.recorded(fresh)
    if not tree.recorded(folder):
        return [f"{lab.folder} has not been built: run `python -m curriculum build`."]
    problems = []
    for name in wanted:
        place = f"{lab.folder}/{name}"
        if not (folder / name).is_file():
            problems.append(f"{place} is missing: `python -m curriculum build` writes it.")
        elif name not in expected and (there := (folder / name).read_bytes()) != (built := (fresh / name).read_bytes()):
            problems.append(diff_text(place, there, built, "as it is", "as built"))
    on_disk = [path for part in manifest.canonical for path in files_below(folder / part)]
    unwanted = {path.relative_to(folder).as_posix() for path in on_disk} | tree.recorded(folder).keys()
    for name in sorted(unwanted - wanted.keys() - set(expected)):
        if name in tree.recorded(folder):
            problems.append(f"{lab.folder}/{name} is stale: `python -m curriculum build` removes it.")
        else:
            problems.append(f"{lab.folder}/{name} is stale: no lab owns such a file, and no build made it. Remove it.")
    if not problems and (folder / tree.LIST).read_bytes() != (fresh / tree.LIST).read_bytes():
        problems.append(f"{lab.folder}/{tree.LIST} is out of date: `python -m curriculum build` writes it.")
    return problems


def _readmes(manifest: Manifest) -> list[str]:
    """Compare the generated parts of the READMEs with what they should be."""
    return [
        diff_text(name, there, wanted, "as it is", "as built")
        for name, wanted in tour.readmes(manifest).items()
        if (there := (manifest.root / name).read_bytes()) != wanted
    ]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _built_by_another_process(manifest: Manifest, folder: Path) -> Path:
    """Build once more where sets and dictionaries of strings have another order."""
    code = (
        "import sys; from pathlib import Path; from curriculum import manifest, snapshot; "
        "snapshot.build(manifest.load(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    home = Path(__file__).resolve().parent.parent
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(home)}
    command = [sys.executable, "-c", code, str(manifest.root.resolve()), str(folder)]
    subprocess.run(command, check=True, env=environment, cwd=home)
    return folder
