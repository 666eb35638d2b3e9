"""The list of each lab's check files with their hashes, by which homework notices that a check has been changed."""

from curriculum import tree
from curriculum.manifest import Manifest
from lab_kit.grading import check_files


def lists(manifest: Manifest) -> dict[str, bytes]:
    """Return every lab's list as it should be, name -> content."""
    folders = {f"{lab.folder}/homework": manifest.root / lab.folder / "homework" for lab in manifest.labs}
    return {
        f"{name}/{check_files.LIST}": check_files.listed(folder).encode()
        for name, folder in folders.items()
        if folder.is_dir()
    }


def write(manifest: Manifest) -> list[str]:
    """Bring all lists up to date; returns the names of those that changed."""
    changed = [name for name, content in lists(manifest).items() if not tree.holds(manifest.root / name, content)]
    for name in changed:
        tree.write_whole(manifest.root / name, lists(manifest)[name])
    return changed


def faults(manifest: Manifest) -> list[str]:
    """Say which lists are not up to date, a line each."""
    return [
        f"{name} is not up to date: if the checks are as they should be, build again."
        for name, content in lists(manifest).items()
        if not tree.holds(manifest.root / name, content)
    ]
