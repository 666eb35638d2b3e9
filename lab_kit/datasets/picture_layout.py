"""Where the pictures of a data set lie: in one folder per class, or in such folders in `train/`, `valid/` and `test/`.

A class's folder may have folders in it: what lies in them belongs to the class. Other programs' and the system's own
files (`.DS_Store`, `._x.jpg`, `Thumbs.db`, `@eaDir/`, Jupyter's `.ipynb_checkpoints/`) are no part of a data set.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab_kit.errors import UserError
from lab_kit.paths import readable

# What people call the folders of a split, in small letters; `_set`, `-data` and the like may follow.
SPLIT_NAMES = {
    "train": "train", "training": "train", "valid": "val", "val": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
SYSTEM_NAMES = {
    "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "#recycle", "$recycle.bin",
    "system volume information", "lost+found",
}  # fmt: skip


def split_of(name: str) -> str:
    """Return the split that a folder of this name is for (train, val or test); an empty string if it is for none."""
    found = re.fullmatch(r"([a-z]+)(?:[ _-]?(?:set|data|images))?", name.casefold())
    return SPLIT_NAMES.get(found[1], "") if found else ""


def split_folders(folder: Path) -> dict[str, str]:
    """Return the folders of the splits, {name: train, val or test}; {} if there are folders of classes instead.

    A class may be called `train`, too. So its folder is taken for a split only if it has folders in it, or if nothing
    but splits lies beside it.

    Raises:
        UserError: there is no such folder, or it has both folders of splits and of classes.
    """
    below = [path for path in folders_in(folder) if not path.name.startswith("_")]
    splits = {path.name: split_of(path.name) for path in below if split_of(path.name)}
    others = [path.name for path in below if path.name not in splits]
    if not others and (len(splits) > 1 or "train" in splits.values()):
        return splits
    for path in below:
        if splits.get(path.name) == "train" and folders_in(path):
            raise UserError(
                f"{readable(folder)} has a folder {path.name}, but also {others[0]}: either one folder per class, "
                "or train, valid and test with one folder per class in each."
            )
    return {}


def split_and_class(file: str, splits: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the split (train, val, test or an empty string) and the class of a file; None if it is in no class folder.

    Args:
        file: its path relative to the data set's folder, with `/` between the parts.
        splits: as `split_folders` returns them.
    """
    parts = file.split("/")
    split = splits.get(parts[0], "")
    names = parts[1:-1] if split else parts[:-1]
    return (split, names[0]) if names and not names[0].startswith("_") else None


def class_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes of a data set, sorted.

    Raises:
        UserError: the folder does not exist, or has no class folders.
    """
    splits = split_folders(folder)
    parts = [folder / name for name in splits] or [folder]
    names = {path.name for part in parts for path in folders_in(part) if not path.name.startswith("_")}
    if not names:
        raise UserError(
            f"{readable(folder)} has no class folders: it should hold one folder for each class, such as "
            f"{readable(folder / 'star')}, with the pictures in it."
        )
    return tuple(sorted(names))


def list_files(folder: Path) -> list[str]:
    """Return the paths of all files below a folder, relative to it, with `/` between the parts, sorted.

    Links are followed. Hidden files, and those of the system, are left out.

    Raises:
        UserError: there is no such folder, or a folder below it cannot be read.
    """
    _check_exists(folder)
    files = [path.relative_to(folder).as_posix() for path in _walk(folder, ())]
    return sorted(files, key=lambda file: file.split("/"))


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones and those of the system."""
    _check_exists(folder)
    return [path for path in _entries(folder) if path.is_dir()]


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the files below a folder; `above` are the folders that it is in."""
    place = folder.resolve()
    if place in above:
        return  # a link to a folder that it is in itself
    for path in _entries(folder):
        if path.is_dir():
            yield from _walk(path, (*above, place))
        else:
            yield path


def _entries(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{readable(folder)} cannot be read: {error.strerror or error}.") from error
    return [path for path in paths if not path.name.startswith(".") and path.name.casefold() not in SYSTEM_NAMES]


def _check_exists(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"There is no folder {readable(folder)}.")
