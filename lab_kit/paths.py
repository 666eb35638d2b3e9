"""Paths of the lab's code, the project's folder and the data folder."""

import importlib.util
import os
from pathlib import Path

DATA_VARIABLE = "TEXT_RECOGNIZER_DATA"
PACKAGE = "text_recognizer"  # every lab has a copy of it: the one that Python finds says which lab this is


def code_root() -> Path:
    """Return the folder whose code Python finds: a lab's, or the repository's; if none, the working directory."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.origin).resolve().parent.parent if spec is not None and spec.origin else Path.cwd()


def project_root() -> Path:
    """Return the repository's folder, found by walking up to `labs.toml`.

    A lab that was copied away from the repository finds no `labs.toml`; it is a project of its own.
    """
    start = code_root()
    return next((folder for folder in (start, *start.parents) if (folder / "labs.toml").is_file()), start)


def data_root() -> Path:
    """Return the data root: `$TEXT_RECOGNIZER_DATA` if that is set, else `data/` in the project's folder.

    A data root has up to three folders: `raw/` (where each dataset comes from), `downloaded/`, `processed/`.
    """
    override = os.environ.get(DATA_VARIABLE)
    return Path(override).expanduser().resolve() if override else project_root() / "data"


def metadata_file(dataset: str) -> Path:
    """Return the `metadata.toml` of a dataset: the data root's own, or else the one that the project ships."""
    own = data_root() / "raw" / dataset / "metadata.toml"
    return own if own.is_file() else project_root() / "data" / "raw" / dataset / "metadata.toml"


def readable(path: Path) -> str:
    """Return `path` for a message: relative to the working directory where both are in the project."""
    path, here = Path(path), Path.cwd()
    in_project = here.is_relative_to(project_root()) and path.is_relative_to(project_root())
    return os.path.relpath(path) if in_project or path.is_relative_to(here) else str(path)
