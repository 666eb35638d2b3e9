"""Pictures as files: one folder per class, or such folders in `train/`, `valid/` and `test/`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from text_recognizer.errors import UserError
from text_recognizer.paths import readable

SPLIT_FOLDERS = {"train": "train", "valid": "val", "val": "val", "test": "test"}  # folder -> split
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".npy"}


@dataclass(frozen=True)
class PictureFile:
    """A picture of a data set.

    Args:
        file: its path relative to the data set's folder, with `/` between the parts.
        label: the class whose folder it lies in.
        split: train, val or test.
    """

    file: str
    label: str
    split: str


def find_pictures(folder: Path, val_fraction: float, split_seed: int) -> list[PictureFile]:
    """Return the pictures of a data set, by class, then by name.

    Where there are no `train/` and `valid/` folders, a part of each class validates.

    Args:
        folder: of the data set.
        val_fraction: how much of each class validates, where the folders do not say it.
        split_seed: of that choice.

    Raises:
        UserError: there is no such folder, or it is not laid out as a data set.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {readable(folder)}. Give the folder that has one sub-folder per class.")
    below = _folders(folder)
    parts = {path.name: path for path in below if path.name in SPLIT_FOLDERS}
    if "train" not in parts:
        found = [picture for path in below for picture in _class_folder(folder, path, "train")]
        if not found:
            raise UserError(f"{readable(folder)} has no pictures: put them into one sub-folder per class.")
        return hold_out(found, val_fraction, split_seed, "val")
    if other := [path.name for path in below if path.name not in SPLIT_FOLDERS]:
        raise UserError(
            f"{readable(folder)} has a folder train, but also {other[0]}: either one folder per class, "
            "or train, valid and test with one folder per class in each."
        )
    found = [
        picture
        for name, path in parts.items()
        for class_folder in _folders(path)
        for picture in _class_folder(folder, class_folder, SPLIT_FOLDERS[name])
    ]
    if all(picture.split != "train" for picture in found):
        raise UserError(f"{readable(parts['train'])} has no pictures: put them into one sub-folder per class.")
    if all(picture.split != "val" for picture in found):
        return hold_out(found, val_fraction, split_seed, "val")
    return found


def hold_out(pictures: Sequence[PictureFile], fraction: float, seed: int, split: str) -> list[PictureFile]:
    """Move `fraction` of each class's training pictures to `split`, and leave the order as it is.

    Chance takes the name of the file, and nothing else: a picture that validated yesterday does so today, although
    others were removed, or it was given to another class. Two runs compare on the same pictures.
    """
    held_out: set[str] = set()
    for label in {picture.label for picture in pictures}:
        own = [picture for picture in pictures if picture.label == label and picture.split == "train"]
        count = round(fraction * len(own)) if len(own) < 2 else min(max(1, round(fraction * len(own))), len(own) - 1)
        held_out |= {picture.file for picture in sorted(own, key=lambda picture: _lot(picture.file, seed))[:count]}
    return [
        PictureFile(picture.file, picture.label, split) if picture.file in held_out else picture for picture in pictures
    ]


def _lot(file: str, seed: int) -> tuple[bytes, str]:
    name = file.rpartition("/")[2]
    return hashlib.sha256(f"{seed}/{name}".encode()).digest(), file


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))


def _class_folder(folder: Path, class_folder: Path, split: str) -> list[PictureFile]:
    files = (path for path in class_folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in files if not path.name.startswith("."))
    return [PictureFile(name, class_folder.name, split) for name in names]
