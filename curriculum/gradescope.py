"""The zip that Gradescope takes as an autograder: the kit, one lab with its checks, and those that students do not get.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import io
import json
import zipfile
from pathlib import Path

from curriculum import release, snapshot
from curriculum.manifest import HIDDEN, NAME, Lab, Manifest, files_below
from lab_kit import atomic_write
from lab_kit.errors import UserError

TEMPLATES = Path(__file__).parent / "gradescope"
NOT_NEEDED = ("notebooks/", "images/", "README.md")  # of a lab, for grading
EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of all files, so that the same course makes the same zip


def build(manifest: Manifest, lab: Lab, path: Path) -> int:
    """Write the zip; returns its size in bytes.

    Raises:
        UserError: the lab has no homework, or there is no folder for the zip.
    """
    if not lab.homework:
        raise UserError(f"{lab.folder} has no homework that could be graded.")
    if not path.resolve().parent.is_dir():
        raise UserError(f"There is no folder {path.parent} for {path.name}: make it first.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(manifest, lab).items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = (0o100755 if name in ("run_autograder", "setup.sh") else 0o100644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    atomic_write.write_bytes(packed.getvalue(), path)
    return len(packed.getvalue())


def files(manifest: Manifest, lab: Lab) -> dict[str, bytes]:
    """Return what is in the zip, name -> content."""
    templates = {path.name: path.read_text(encoding="utf-8") for path in files_below(TEMPLATES)}
    found = {name: text.replace("@LAB@", str(lab.number)).encode() for name, text in templates.items()}
    found |= release.shared_files(manifest)
    own = release.hand_written(manifest, lab) | snapshot.built_files(manifest, lab)
    found |= {f"{lab.folder}/{name}": content for name, content in own.items() if not name.startswith(NOT_NEEDED)}
    hidden = manifest.root / HIDDEN / lab.folder
    found |= {path.relative_to(manifest.root).as_posix(): path.read_bytes() for path in files_below(hidden)}
    return found | {NAME: _labs_toml(manifest, lab).encode()}


def _labs_toml(manifest: Manifest, lab: Lab) -> str:
    """Return the table of this one lab: its number, and what is handed in."""
    lines = [f"repository = {json.dumps(manifest.repository)}", "", "[[lab]]", f"number = {lab.number}"]
    return "\n".join([*lines, f"homework = {json.dumps(lab.homework)}", ""])
