"""The pictures of a data set, with their classes and splits; what is left out is counted, with a reason."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lab_kit.datasets.picture_formats import BrokenPicture, NotAPicture, TooLarge, count_channels
from lab_kit.datasets.picture_layout import folders_in, list_files, split_and_class, split_folders
from lab_kit.errors import UserError, nearest
from lab_kit.paths import readable

log = logging.getLogger(__name__)

SHOWN_REASONS = 5  # in a warning
Result = TypeVar("Result")


@dataclass(frozen=True)
class PictureFile:
    """A picture file of a dataset.

    Args:
        file: its path relative to the folder of the dataset, with `/` between the parts.
        label: the class, which is the name of its folder.
        split: train, val or test.
        channels: how many it has: see `count_channels`.
    """

    file: str
    label: str
    split: str
    channels: int = 3


def find_pictures(folder: Path, left_out: dict[Path, str]) -> list[PictureFile]:
    """Return the pictures of a dataset, sorted by class and name; without folders for the splits all are for training.

    Args:
        folder: the folder of the dataset, as `picture_layout` describes it.
        left_out: the files that are left out are added to this, each with the reason. Those in it are not looked at.

    Raises:
        UserError: there is no such folder, or its structure is not that of a dataset, or it has no pictures.
    """
    places = files_of_classes(folder, left_out)
    channels = find_channels(folder, places, left_out)
    found = [PictureFile(file, places[file][1], places[file][0] or "train", count) for file, count in channels.items()]
    splits = split_folders(folder)
    if all(picture.split != "train" for picture in found):
        names = [name for name, split in splits.items() if split == "train"]
        where = readable(folder / names[0] if names else folder)
        message = f"{where} has no pictures: put them into one sub-folder per class. {describe(left_out)}"
        raise UserError(message.strip())
    names = sorted({picture.label for picture in found})
    if len(names) > 1 and all(picture.file.count("/") > (2 if splits else 1) for picture in found):
        log.warning(
            "No pictures lie directly in the class folders of %s, only in folders in them. Its classes are %s.",
            readable(folder), ", ".join(names),
        )  # fmt: skip
    return found


def files_of_classes(folder: Path, left_out: dict[Path, str]) -> dict[str, tuple[str, str]]:
    """Return all files in the class folders of a dataset, pictures or not: {file: (split, class)}, sorted.

    Beside the class folders lie reports and licences, which are none of the dataset's files. Pictures there are
    `left_out`, and so are files whose names are not valid text, and links to files that are in the dataset already:
    taken for a copy, the only picture could be removed.
    """
    splits = split_folders(folder)
    places = {file: split_and_class(file, splits) for file in list_files(folder)}
    for file in find_channels(folder, [file for file, place in places.items() if place is None], {}):
        left_out[folder / file] = "in no class folder"
    files = {file: place for file, place in places.items() if place is not None}
    for file in [file for file in files if not _is_text(file)]:
        left_out[folder / file] = "a file whose name is not valid text"
        del files[file]
    for file in _second_names(folder, files):
        left_out[folder / file] = "another name of a file that is there already"
        del files[file]
    return files


def find_channels(folder: Path, files: Iterable[str], left_out: dict[Path, str]) -> dict[str, int]:
    """Return those of the files that are pictures, with the number of their channels; the others are `left_out`."""
    found = {}
    for file in files:
        if folder / file in left_out:  # known already
            continue
        try:
            found[file] = count_channels(folder / file)
        except (NotAPicture, TooLarge) as error:
            left_out[folder / file] = str(error)
    return found


def read_all(read: Callable[[Path], Result], paths: Sequence[Path], left_out: dict[Path, str]) -> dict[Path, Result]:
    """Read pictures, several at a time, and return the results; those that are broken are `left_out`."""
    results = {}

    def attempt(path: Path) -> None:
        try:
            results[path] = read(path)
        except (NotAPicture, TooLarge) as error:
            left_out[path] = "broken, or cut off" if isinstance(error, BrokenPicture) else str(error)

    with ThreadPoolExecutor() as threads:
        list(threads.map(attempt, paths))
    return results


def describe(left_out: Mapping[Path, str]) -> str:
    """Return a sentence that counts the files that were left out, with an example of each kind; empty without any.

    "3 files are left out: 2 text, not a picture (such as leaf/notes.jpg); 1 broken, or cut off (leaf/7.png)."
    """
    if not left_out:
        return ""
    kinds = []
    for reason, count in Counter(left_out.values()).most_common():
        example = readable(min(path for path, why in left_out.items() if why == reason))
        printable = example.encode("utf-8", "backslashreplace").decode()
        kinds.append(f"{count} {reason} ({'such as ' if count > 1 else ''}{printable})")
    others = ["and for other reasons"] if len(kinds) > SHOWN_REASONS else []
    count = "1 file is" if len(left_out) == 1 else f"{len(left_out):,} files are"
    return f"{count} left out: {'; '.join(kinds[:SHOWN_REASONS] + others)}."


def with_validation(pictures: list[PictureFile], fraction: float, seed: int) -> list[PictureFile]:
    """Return the pictures with a part of each class for validation, if none of them is for that yet.

    Args:
        pictures: of a dataset.
        fraction: the share of each class.
        seed: of the random choice.

    Raises:
        UserError: there are too few to spare any.
    """
    if any(picture.split == "val" for picture in pictures):
        return pictures
    held = hold_out(pictures, fraction, seed, "val")
    several = len({picture.label for picture in pictures}) > 1  # one class alone: `check_classes` says so
    if several and all(picture.split != "val" for picture in held):
        raise UserError(
            "There is one training picture of each class, and none to validate with: add more pictures, or a folder "
            "valid beside a folder train, with one folder per class in each."
        )
    return held


def hold_out(pictures: Sequence[PictureFile], fraction: float, seed: int, split: str) -> list[PictureFile]:
    """Move `fraction` of the training pictures of each class to `split`, and keep the order; at least one stays.

    The random choice depends only on the name of the file and the seed. So a validation picture remains one if other
    pictures are removed, or if it is moved to another class, and two runs are compared on the same pictures.
    """
    held_out: set[str] = set()
    for label in {picture.label for picture in pictures}:
        own = [picture for picture in pictures if picture.label == label and picture.split == "train"]
        count = max(0, min(max(1, round(fraction * len(own))), len(own) - 1))
        held_out |= {picture.file for picture in sorted(own, key=lambda one: _random_order(one.file, seed))[:count]}
    return [replace(picture, split=split) if picture.file in held_out else picture for picture in pictures]


def check_classes(pictures: Sequence[tuple[Path, PictureFile]], left_out: Mapping[Path, str]) -> None:
    """Raise UserError if the pictures of a run are not enough to learn classes from.

    Args:
        pictures: each with the folder of its dataset.
        left_out: the files that were left out, which may explain it.
    """
    classes = {picture.label for _, picture in pictures if picture.split == "train"}
    for folder, picture in pictures:
        if picture.label not in classes:
            raise UserError(
                f"{readable(folder / picture.file)} is of the class {picture.label}, of which there are no training "
                f"pictures.{nearest(picture.label, classes)} {describe(left_out)}".rstrip()
            )
    if len(classes) < 2:
        folder, only = pictures[0][0], min(classes)
        inner = folder / only
        hint = f", or give {readable(inner)} if the folders in that are the classes"
        nested = inner.is_dir() and folders_in(inner)
        raise UserError(
            f"{readable(folder)} has one class only, {only}: add a folder for another{hint if nested else ''}. "
            f"{describe(left_out)}".rstrip()
        )


def _is_text(name: str) -> bool:
    """Return whether the name of a file can be written to a report: archives bring names in other encodings."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _second_names(folder: Path, files: Iterable[str]) -> list[str]:
    """Return those of the files that lead to a file that another of them is, or leads to as well."""
    root = os.path.realpath(folder)  # unlike Path.resolve, it also takes a link that leads to itself
    real = {file: os.path.realpath(folder / file) for file in files}
    ones = {place: file for file, place in real.items() if Path(place) == Path(root, file)}
    return [file for file, place in real.items() if ones.setdefault(place, file) != file]


def _random_order(file: str, seed: int) -> tuple[bytes, str]:
    name = file.rpartition("/")[2]
    return hashlib.sha256(f"{seed}/{name}".encode()).digest(), file
