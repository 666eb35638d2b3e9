"""Paths of the lab's code, the project's folder and the data folder."""

import importlib.util
import os
import sys
from pathlib import Path

from lab_kit.errors import UserError

DATA_VARIABLE = "TEXT_RECOGNIZER_DATA"
MANIFEST = "labs.toml"  # in the repository's folder
PACKAGE = "text_recognizer"  # every lab has a copy of it: the one that Python finds says which lab this is
CODE = (PACKAGE, "training", "app")  # the packages of a lab; they lie side by side


def code_root() -> Path:
    """Return the folder whose code Python finds: a lab's, or the repository's; if none, the working directory."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.origin).resolve().parent.parent if spec is not None and spec.origin else Path.cwd()


def code_folder_of(package: str) -> Path | None:
    """Return the folder in which a package lies that has been imported; None if it has not."""
    places = list(getattr(sys.modules.get(package), "__path__", []))
    return Path(places[0]).resolve().parent if places else None


def check_code_beside(module: str) -> None:
    """Check that the code which a program has imported lies beside the program, and not in another lab.

    Args:
        module: name of the program's module, such as `__main__`.

    Raises:
        UserError: Python has found other code.
    """
    started = Path(getattr(sys.modules[module], "__file__", None) or "").resolve()
    package = next((parent for parent in started.parents if parent.name in CODE), None)
    if package is None:  # a program of the kit
        return
    for name in CODE:
        if (found := code_folder_of(name)) not in (None, package.parent):
            raise UserError(
                f"{readable(started)} was started, but Python has found {name} in {found}, which is other code. "
                f"Change the folder first (cd {package.parent}), then: python -m {package.name}.{started.stem}"
            )


def folder_above(name: str) -> Path | None:
    """Return the nearest folder, the working directory or one above it, that holds `name`; None if none does."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / name).exists()), None)


def project_root() -> Path:
    """Return the repository's folder, found by walking up to `labs.toml`.

    A lab that was copied away from the repository finds no `labs.toml`; it is a project of its own.
    """
    start = code_root()
    return next((folder for folder in (start, *start.parents) if (folder / MANIFEST).is_file()), start)


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
