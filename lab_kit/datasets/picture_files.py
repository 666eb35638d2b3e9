"""Find the picture files of a dataset: one folder per class, or such folders in `train/`, `valid/` and `test/`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab_kit.errors import UserError
from lab_kit.paths import readable

SPLIT_FOLDERS = {"train": "train", "valid": "val", "val": "val", "test": "test"}  # folder -> split
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".npy"}


@dataclass(frozen=True)
class PictureFile:
    """A picture file of a dataset.

    Args:
        file: its path relative to the folder of the dataset, with `/` between the parts.
        label: the class, which is the name of its folder.
        split: train, val or test.
    """

    file: str
    label: str
    split: str


def find_pictures(folder: Path, val_fraction: float, split_seed: int) -> list[PictureFile]:
    """Return the pictures of a dataset, sorted by class and name.

    Without `train/` and `valid/` folders, a part of each class is used for validation.

    Args:
        folder: the folder of the dataset.
        val_fraction: the share of each class for validation, if there is no `valid/` folder.
        split_seed: the seed of the random choice of these pictures.

    Raises:
        UserError: there is no such folder, or its structure is not that of a dataset.
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
    """Move `fraction` of the training pictures of each class to `split`, and keep the order.

    The random choice depends only on the name of the file and the seed. So a validation picture remains one if other
    pictures are removed, or if it is moved to another class, and two runs are compared on the same pictures.
    """
    held_out: set[str] = set()
    for label in {picture.label for picture in pictures}:
        own = [picture for picture in pictures if picture.label == label and picture.split == "train"]
        count = round(fraction * len(own)) if len(own) < 2 else min(max(1, round(fraction * len(own))), len(own) - 1)
        held_out |= {picture.file for picture in sorted(own, key=lambda one: _random_order(one.file, seed))[:count]}
    return [
        PictureFile(picture.file, picture.label, split) if picture.file in held_out else picture for picture in pictures
    ]


def _random_order(file: str, seed: int) -> tuple[bytes, str]:
    name = file.rpartition("/")[2]
    return hashlib.sha256(f"{seed}/{name}".encode()).digest(), file


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))


def _class_folder(folder: Path, class_folder: Path, split: str) -> list[PictureFile]:
    files = (path for path in class_folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in files if not path.name.startswith("."))
    return [PictureFile(name, class_folder.name, split) for name in names]
