"""Let a notebook import the code of its own lab, and no other."""

import importlib
import os
import re
import sys
from pathlib import Path

from lab_kit.errors import UserError
from lab_kit.paths import CODE, MANIFEST, PACKAGE, code_folder_of


def use_lab(lab: str, clone: str = "") -> None:
    """Put the folder of a lab's code first on Python's path, and say so.

    Args:
        lab: the name of the lab's folder.
        clone: the name of the course's folder, where it was cloned into the working directory.

    Raises:
        UserError: the code is not there, or this kernel has imported that of another lab.
    """
    folder = _find(lab, clone)
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # as in programs: what a Mac's GPU lacks, its CPU does
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))
    importlib.import_module(PACKAGE)  # now, so that another notebook in this kernel finds that it is taken
    for name in CODE:
        if (found := code_folder_of(name)) not in (None, folder):
            sys.path.remove(str(folder))
            raise UserError(
                f"This kernel has imported the code in {found}, and this notebook needs {folder}: restart it."
            )
    fetched = f" The course is in the folder {clone}, and its kit is installed." if _is_fetched(clone) else ""
    print(f"This notebook uses the code of {lab}.{fetched}")  # noqa: T201  a notebook's output


def _is_fetched(clone: str) -> bool:
    return bool(clone) and (Path(clone) / "installed").is_file()  # the set-up cell leaves that file on Colab


def _find(lab: str, clone: str) -> Path:
    here = Path.cwd().resolve()
    own = here.parent if here.name == "notebooks" else here  # perhaps a copy of the lab, under another name
    above = [parent / lab for parent in (here, *here.parents)]
    for folder in (own, *above, here / clone / lab):
        is_other_lab = re.fullmatch(r"lab\d+", folder.name) and folder.name != lab
        if (folder / PACKAGE).is_dir() and not (folder / MANIFEST).is_file() and not is_other_lab:
            return folder
    raise UserError(f"The code of {lab} is not here, in {here}: open this notebook where it lies, in {lab}/notebooks.")
