"""Where things are: the project's folder and the data root."""

import os
from pathlib import Path

DATA_VARIABLE = "TEXT_RECOGNIZER_DATA"


def package_root() -> Path:
    """Return the folder that holds the `text_recognizer` package this file belongs to."""
    package = __name__.split(".")[0]
    return next(folder.parent for folder in Path(__file__).resolve().parents if folder.name == package)


def project_root() -> Path:
    """Return the repository's folder, found by walking up to `labs.toml`.

    A lab that was copied away from the repository finds no `labs.toml`; it is a project of its own.
    """
    start = package_root()
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
