"""Make a practice set: hand-drawn symbols with the faults of a real collection, and a list of all faults.

python -m lab_kit.curation.practice.make_set practice

    practice/collected/<class>/0123.jpg   the collection, with its faults
    practice/test/<class>/0456.jpg        a clean test set, by other writers
    practice/truth.csv                    the true class and the fault of each file in the collection

A file is identified by the stem of its name, which is unique in the whole set and does not tell the class. So it can be
found in truth.csv after it was moved to another folder or reduced.
"""

import csv
import io
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from PIL import Image
from tqdm import tqdm

from lab_kit.atomic_write import write_text
from lab_kit.command_line import command_line
from lab_kit.curation.practice.pen_paths import CONFUSED_WITH, FORMS
from lab_kit.curation.practice.symbols import draw_nothing, draw_symbol
from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.program import run

CLASSES = tuple(FORMS)
TROUBLE = ("none", "wrong label", "duplicate", "broken", "tiny", "animated", "not an image", "nothing")
COLLECTED, TEST, CLEAN, PLAN = range(4)  # parts of a set, each with its own random seeds, so with other writers

HTML_PAGE = b"<!DOCTYPE html>\n<html><head><title>Not found</title></head><body>This picture has moved.</body></html>\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="120" height="90"><circle cx="60" cy="45" r="30"/></svg>\n'


@dataclass(frozen=True)
class Item:
    """A file of the collection, with its true class and its fault: a row of truth.csv.

    `true_class` is "" for a file that shows no symbol. `duplicate_of` is the stem of the picture that it is a copy of.
    """

    stem: str
    folder: str
    true_class: str
    trouble: str
    duplicate_of: str = ""
    suffix: str = ".jpg"
    content: bytes = b""


def make_practice_set(
    folder: Path,
    pictures_per_class: int = 100,
    test_per_class: int = 50,
    noise: Literal["biased", "random", "none"] = "biased",
    noise_share: float = 0.35,
    seed: int = 0,
) -> None:
    """Draw a set of hand-drawn symbols in six classes, with planted faults, to practise cleaning.

    There are `pictures_per_class` drawings of each class, some of which may be in a wrong folder. There are also copies
    (5%), files that are broken, too small, animated or no pictures (3 to 4%), and pictures that show no symbol (1%).

    Args:
        folder: the folder for the set; it must not exist yet, or be empty.
        pictures_per_class: drawings of each class in the collection, at least 10.
        test_per_class: drawings of each class in the clean test set.
        noise: biased: all wrong labels are drawings of one class in the folder of the class that looks most like it.
            random: every folder has drawings of other classes. none: every drawing is in the right folder.
        noise_share: random: the share of wrong drawings in every folder. biased: the share of the one class that is in
            the other one's folder. From 0 to 0.4.
        seed: seed of the random generator; the same seed gives the same bytes.
    """
    _check_arguments(pictures_per_class, test_per_class, noise_share)
    with _AtomicFolder(Path(folder)) as unfinished:
        items = make_collection(pictures_per_class, noise, noise_share, seed)
        for item in items:
            _write(item, unfinished / "collected")
        first = max(int(item.stem) for item in items) + 1
        for item in _clean_drawings(TEST, test_per_class, seed, first):
            _write(item, unfinished / "test")
        write_truth(items, unfinished / "truth.csv")
    _print_summary(Path(folder), items, test_per_class)


def draw_set(folder: Path, pictures_per_class: int, seed: int = 0) -> None:
    """Draw a clean set, `folder/<class>/NNNN.jpg`, without faults and without truth.csv.

    Its writers are others than those of a practice set's collection and test set.

    Raises:
        UserError: `folder` is not empty, or `pictures_per_class` is not from 1 to 10,000.
    """
    _check_arguments(max(pictures_per_class, 10), pictures_per_class, 0)
    with _AtomicFolder(Path(folder)) as unfinished:
        for item in _clean_drawings(CLEAN, pictures_per_class, seed, 1):
            _write(item, unfinished)


def make_collection(pictures_per_class: int, noise: str, noise_share: float, seed: int) -> list[Item]:
    """Return all files of a collection with their content, sorted by stem."""
    rng = np.random.default_rng([seed, PLAN])
    drawn = dict.fromkeys(CLASSES, 0)

    def writer(name: str) -> Generator:
        drawn[name] += 1
        return _writer(seed, COLLECTED, name, drawn[name])

    items = []
    places = _assign_folders(pictures_per_class, noise, noise_share, rng)
    for folder, name in tqdm(places, desc="drawing the collection", unit=" pictures", leave=False, disable=None):
        content, suffix = _encode(draw_symbol(name, writer(name)), rng)
        trouble = "none" if folder == name else "wrong label"
        items.append(Item("", folder, name, trouble, suffix=suffix, content=content))
    originals = len(items)
    planted = [*_unusable_files(originals, writer, rng), *_empty_pages(originals, seed, rng)]
    stems = rng.permutation(originals + len(planted) + _copy_count(originals)) + 1
    width = max(4, len(str(len(stems))))
    items = [replace(item, stem=f"{number:0{width}}") for item, number in zip(items + planted, stems, strict=False)]
    items += [
        replace(item, stem=f"{number:0{width}}")
        for item, number in zip(_duplicates(items[:originals], rng), stems[len(items) :], strict=True)
    ]
    return sorted(items, key=lambda item: item.stem)


def write_truth(items: Iterable[Item], path: Path) -> None:
    """Write truth.csv: one row for each file of the collection."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["stem", "folder", "true_class", "trouble", "duplicate_of"])
    table.writerows([i.stem, i.folder, i.true_class, i.trouble, i.duplicate_of] for i in items)
    write_text(text.getvalue(), path)


def _assign_folders(count: int, noise: str, share: float, rng: Generator) -> list[tuple[str, str]]:
    """Return (folder, true class) for every drawing in the collection."""
    names = {folder: [folder] * count for folder in CLASSES}
    if noise == "biased":
        strayed = CLASSES[int(rng.integers(0, len(CLASSES)))]
        wrong = round(share * count)
        names[strayed] = names[strayed][wrong:]
        names[CONFUSED_WITH[strayed]] += [strayed] * wrong
    elif noise == "random":
        for folder in CLASSES:
            others = [name for name in CLASSES if name != folder]
            wrong = round(share * count)
            names[folder][:wrong] = [others[k] for k in rng.integers(0, len(others), wrong)]
    return [(folder, name) for folder in CLASSES for name in names[folder]]


def _copy_count(drawings: int) -> int:
    return max(4, round(0.05 * drawings))


def _duplicates(drawings: list[Item], rng: Generator) -> Iterator[Item]:
    """Yield copies of drawings: with the same bytes, encoded again, or smaller; two are in another class's folder."""
    good = [item for item in drawings if item.trouble == "none"]
    chosen = rng.choice(len(good), _copy_count(len(drawings)), replace=False)
    for number, place in enumerate(chosen):
        original, folder = good[place], good[place].folder
        content, suffix = original.content, original.suffix
        if number < 2:
            others = [name for name in CLASSES if name != folder]
            folder = others[int(rng.integers(0, len(others)))]
        elif number % 3:
            picture = Image.open(io.BytesIO(content)).convert("RGB")
            if number % 3 == 2:
                factor = rng.uniform(0.5, 0.9)
                size = (round(picture.width * factor), round(picture.height * factor))
                picture = picture.resize(size, Image.Resampling.LANCZOS)
            content, suffix = _encode_as(picture, "JPEG", quality=int(rng.integers(50, 80))), ".jpg"
        yield Item("", folder, original.true_class, "duplicate", original.stem, suffix, content)


def _unusable_files(drawings: int, writer: Callable[[str], Generator], rng: Generator) -> list[Item]:
    """Return files with faults that a program can find: broken, tiny, animated, or not an image."""
    items = []

    def add(trouble: str, make: Callable[[Image.Image], bytes], name: str, suffix: str = ".jpg") -> None:
        content = make(draw_symbol(name, writer(name)))
        seen = name if trouble in ("tiny", "animated") else ""
        items.append(Item("", name, seen, trouble, suffix=suffix, content=content))

    def some_class() -> str:
        return CLASSES[int(rng.integers(0, len(CLASSES)))]

    for _ in range(max(2, round(0.008 * drawings))):
        share = rng.uniform(0.3, 0.8)
        add("broken", lambda p, s=share: _truncate(_encode_as(p, "JPEG", quality=85), s), some_class())
    add("broken", lambda p: _truncate(_encode_as(p, "PNG"), 0.6), some_class(), ".png")
    add("broken", lambda p: b"", some_class())
    for _ in range(max(2, round(0.008 * drawings))):
        side = int(rng.integers(8, 24))
        add("tiny", lambda p, s=side: _encode_as(p.resize((s, s)), "JPEG", quality=90), some_class())
    add("animated", _animation, some_class(), ".gif")
    add("not an image", lambda p: b"The picture that was here is gone.\n", some_class())
    add("not an image", lambda p: HTML_PAGE, some_class())
    add("not an image", lambda p: SVG, some_class(), ".svg")
    return items


def _empty_pages(drawings: int, seed: int, rng: Generator) -> list[Item]:
    """Return pictures that show no symbol, which only a person can see."""
    items = []
    for number in range(max(3, round(0.01 * drawings))):
        content, suffix = _encode(draw_nothing(np.random.default_rng([seed, PLAN, number])), rng)
        folder = CLASSES[int(rng.integers(0, len(CLASSES)))]
        items.append(Item("", folder, "", "nothing", suffix=suffix, content=content))
    return items


def _clean_drawings(part: int, per_class: int, seed: int, first: int) -> Iterator[Item]:
    """Yield drawings in the right folders, numbered from `first` in an order that does not tell the class."""
    rng = np.random.default_rng([seed, PLAN, part, per_class])
    stems = first + rng.permutation(len(CLASSES) * per_class)
    names = [name for name in CLASSES for _ in range(per_class)]
    width = max(4, len(str(first + len(stems))))
    bar = tqdm(
        zip(names, stems, strict=True), "drawing a clean set", len(names), unit=" pictures", leave=False, disable=None
    )
    for place, (name, number) in enumerate(bar):
        content, suffix = _encode(draw_symbol(name, _writer(seed, part, name, place)), rng)
        yield Item(f"{number:0{width}}", name, name, "none", suffix=suffix, content=content)


def _writer(seed: int, part: int, name: str, number: int) -> Generator:
    return np.random.default_rng([seed, part, CLASSES.index(name), number])


def _encode(picture: Image.Image, rng: Generator) -> tuple[bytes, str]:
    """Encode a picture; return bytes and suffix: mostly JPEG, some PNG and WebP, and sometimes a wrong suffix."""
    kind = rng.uniform()
    if kind < 0.08:
        return _encode_as(picture, "PNG"), ".png" if kind < 0.06 else ".jpg"
    if kind < 0.15:
        return _encode_as(picture, "WEBP", quality=80), ".webp"
    return _encode_as(picture, "JPEG", quality=int(rng.integers(60, 95))), ".jpg" if kind < 0.9 else ".jpeg"


def _encode_as(picture: Image.Image, kind: str, **settings: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def _truncate(content: bytes, share: float) -> bytes:
    return content[: int(share * len(content))]


def _animation(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    frames = [picture.rotate(angle, fillcolor="white") for angle in (-12, 0, 12)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=150, loop=0)
    return file.getvalue()


def _write(item: Item, folder: Path) -> None:
    place = folder / item.folder
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{item.stem}{item.suffix}").write_bytes(item.content)


class _AtomicFolder:
    """Context manager: a temporary folder, renamed to `folder` at the end, or removed after an exception.

    Raises:
        UserError: `folder` exists and is not empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().absolute()
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise UserError(f"{readable(self._folder)} exists already: name another folder, or delete it first.")
        self._unfinished = self._folder.with_name(f"{self._folder.name}.{secrets.token_hex(4)}.unfinished")

    def __enter__(self) -> Path:
        self._unfinished.mkdir(parents=True)
        return self._unfinished

    def __exit__(self, kind: type | None, *_) -> None:
        if kind is None:
            if self._folder.exists():
                self._folder.rmdir()
            self._unfinished.replace(self._folder)
        else:
            shutil.rmtree(self._unfinished, ignore_errors=True)


def _check_arguments(pictures_per_class: int, test_per_class: int, noise_share: float) -> None:
    if not 10 <= pictures_per_class <= 10_000:
        raise UserError(f"--pictures_per_class {pictures_per_class}: it must be from 10 to 10,000.")
    if not 1 <= test_per_class <= 10_000:
        raise UserError(f"--test_per_class {test_per_class}: it must be from 1 to 10,000.")
    if not 0 <= noise_share <= 0.4:
        raise UserError(f"--noise_share {noise_share}: it must be from 0 to 0.4.")


def _print_summary(folder: Path, items: list[Item], test_per_class: int) -> None:
    from rich.table import Table

    from lab_kit.plain_console import PlainConsole

    table = Table(title=f"{readable(folder)}: a practice set of hand-drawn symbols", title_justify="left")
    table.add_column("folder")
    table.add_column("files", justify="right")
    for name in CLASSES:
        table.add_row(f"collected/{name}", str(sum(item.folder == name for item in items)))
    table.add_row("test/ (clean)", str(test_per_class * len(CLASSES)))
    console = PlainConsole()
    console.print(table)
    console.print(
        "The fault of each file is in truth.csv. Do not open it before you have looked at the pictures yourself."
    )
    command = command_line("python", "-m", "lab_kit.curation.verify", folder / "collected")
    console.print(f"Next: {command}", soft_wrap=True)


if __name__ == "__main__":
    run(make_practice_set)
