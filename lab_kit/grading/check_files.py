"""Notice where the checks of a homework are not those that were handed out."""

import hashlib
from pathlib import Path

from lab_kit.grading.requirements import CHECKS

LIST = "checks.sha256"  # in the folder of the checks
OTHERS = ("conftest.py", "pytest.ini")  # what the checks need


def listed(folder: Path) -> str:
    """Return the hashes of the check files of a folder, a line each, as `LIST` holds them."""
    paths = [*sorted(folder.glob(CHECKS)), *(folder / name for name in OTHERS if (folder / name).is_file())]
    return "".join(f"{_digest(path)}  {path.name}\n" for path in paths)


def changed(folder: Path) -> list[str]:
    """Return the check files that are missing, or that somebody has changed since they were handed out."""
    path = folder / LIST
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = [line.partition("  ")[::2] for line in lines]
    return [name for digest, name in pairs if not (folder / name).is_file() or _digest(folder / name) != digest]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()  # an editor may have put them in
