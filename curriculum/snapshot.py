"""A lab is a snapshot: the files of all labs up to it, and the `__init__.py` that fit them."""

from pathlib import Path

from curriculum import exports, tree
from curriculum.manifest import Lab, Manifest
from lab_kit.errors import UserError

HOMEWORK = (
    "If it is your homework, leave it as it is: students need no build, a new lab comes with `git pull --no-rebase "
    "origin main`. If you teach:"
)


def lab_files(manifest: Manifest, lab: Lab) -> dict[str, bytes]:
    """Return the generated files of a lab, name -> content, in the order in which they are taught."""
    names = manifest.files(lab)
    files = {name: (manifest.root / name).read_bytes() for name in names}
    return files | exports.init_files(manifest, names)


def built_files(manifest: Manifest, lab: Lab) -> dict[str, bytes]:
    """Return all that a build writes into a lab: its generated files, and those that its homework starts from."""
    return lab_files(manifest, lab) | {name: path.read_bytes() for name, path in manifest.starters(lab).items()}


def build(manifest: Manifest, folder: Path, force: bool = False) -> dict[str, tree.Written]:
    """Write all labs into `folder`; returns what became of each lab.

    Args:
        manifest: what to build.
        folder: gets lab1/, lab2/, ...; usually the root.
        force: write over what was edited by hand in the generated files; a copy stays in the lab's `.replaced/`.

    Raises:
        UserError: labs.toml is at fault, or something that was not generated would be lost. Nothing was written.
    """
    assert_sound(manifest)
    labs = {lab.folder: built_files(manifest, lab) for lab in manifest.labs}
    advice = f"{HOMEWORK} to keep the edit, make the change in the same file of {manifest.root.name}/ and build again"
    for name, files in labs.items():
        guard(folder / name, files, force, advice)
    return {name: tree.write(folder / name, files) for name, files in labs.items()}


def assert_sound(manifest: Manifest) -> None:
    """Raise UserError where labs.toml and the canonical files do not fit together."""
    if faults := manifest.faults() + exports.faults(manifest):
        raise UserError(faults[0] + (f" ({len(faults)} faults in all)" if len(faults) > 1 else ""))


def build_packages(manifest: Manifest) -> None:
    """Write the canonical `__init__.py` files as `[exports]` says; raises UserError where labs.toml is at fault."""
    assert_sound(manifest)
    for name, content in exports.init_files(manifest, manifest.files(manifest.labs[-1])).items():
        tree.write_whole(manifest.root / name, content)


def guard(folder: Path, files: dict[str, bytes], force: bool, how_to_keep: str) -> None:
    """Raise UserError where writing `files` into a folder would lose what somebody wrote there."""
    if in_the_way := tree.files_in_the_way(folder, files):
        raise UserError(f"{_names(folder, in_the_way)} would be overwritten, and was not generated: move it elsewhere.")
    if not force and (edited := tree.edited_files(folder, files)):
        raise UserError(
            f"{_names(folder, edited)} {'was' if len(edited) == 1 else 'were'} generated, and edited by hand since. "
            f"{how_to_keep}; to replace it, add --force, and a copy stays in {tree.REPLACED}/."
        )


def _names(folder: Path, names: list[str]) -> str:
    shown = ", ".join(f"{folder.name}/{name}" for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
