"""The IAM Handwriting Database as one archive: forms that people filled in, with the text and the place of each line.

U.-V. Marti and H. Bunke, The IAM-database, International Journal on Document Analysis and Recognition 5, 2002. In the
archive's folder `iamdb/` are `forms/` (pictures of pages), `xml/` (for each form its lines, and the boxes of their
words), and `task/` (which lines are for validation and for test; no writer is in two splits).
"""

import html
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from lab_kit.datasets.zip_archive import open_zip
from lab_kit.errors import UserError
from lab_kit.paths import readable

# All others are for training.
SPLITS = {"validationset1.txt": "val", "validationset2.txt": "val", "testset.txt": "test"}
SLACK = 8  # pixels of the page as scanned, by which a box may reach over its edge

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the page as scanned


@dataclass(frozen=True)
class Line:
    """A line of a form: its text, and the boxes of its words."""

    text: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Form:
    """A filled-in form.

    Attributes:
        id: such as a01-000u.
        split: train, val or test.
        page: (H, W) uint8, bright ink on dark paper.
        scale: pixels of `page` for each pixel of the page as scanned.
        lines: what was written by hand, from the top.
    """

    id: str
    split: str
    page: np.ndarray
    scale: float
    lines: tuple[Line, ...]

    def picture(self, *lines: Line) -> np.ndarray:
        """Return lines as a picture (H, W) uint8 of their words alone: nothing of the lines above and below."""
        boxes = [tuple(round(value * self.scale) for value in box) for line in lines for box in line.boxes]
        left, top = (min(box[side] for box in boxes) for side in (0, 1))
        right, bottom = (max(box[side] for box in boxes) for side in (2, 3))
        picture = np.zeros((bottom - top, right - left), np.uint8)
        for west, north, east, south in boxes:
            words = self.page[max(north, 0) : south, max(west, 0) : east]
            picture[max(north, 0) - top :, max(west, 0) - left :][: words.shape[0], : words.shape[1]] = words
        return picture


def read_forms(path: Path) -> Iterator[Form]:
    """Read the forms of the archive, in the order of their names.

    Raises:
        UserError: something in the archive is missing or damaged.
    """
    with open_zip(path, "the IAM database, or is damaged") as archive:
        names = sorted(name for name in archive.namelist() if re.fullmatch(r"iamdb/xml/[^/]+\.xml", name))
        if not names:
            raise UserError(f"{readable(path)} is not the IAM database: it has no iamdb/xml/*.xml.")
        split_of = _splits(archive, path)
        for name in names:
            yield _form(archive, path, Path(name).stem, split_of)


def _splits(archive: zipfile.ZipFile, path: Path) -> dict[str, str]:
    """Return {form: val or test}."""
    found = {}
    for file, split in SPLITS.items():
        for line in _content(archive, path, f"iamdb/task/{file}").decode("utf-8", "replace").split():
            form = "-".join(line.split("-")[:2])
            if found.setdefault(form, split) != split:
                raise UserError(f"{readable(path)} is wrong: {form} is both for {found[form]} and for {split}.")
    if missing := {"val", "test"} - set(found.values()):
        raise UserError(f"{readable(path)} is wrong: its iamdb/task/ names no form for {min(missing)}.")
    return found


def _form(archive: zipfile.ZipFile, path: Path, form: str, split_of: dict[str, str]) -> Form:
    where = f"iamdb/xml/{form}.xml in {readable(path)}"
    try:
        root = ElementTree.fromstring(_content(archive, path, f"iamdb/xml/{form}.xml"))
        scanned_width, scanned_height = int(root.attrib["width"]), int(root.attrib["height"])
        lines = tuple(_line(element) for element in root.iterfind("handwritten-part/line"))
        if min(scanned_width, scanned_height) < 1:
            raise ValueError(f"a page of {scanned_width} x {scanned_height} pixels")
    except UserError:
        raise
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise UserError(f"{where} is damaged: {error}.") from error
    for number, line in enumerate(lines, 1):
        for left, top, right, bottom in line.boxes:
            inside = (
                -SLACK <= left < right <= scanned_width + SLACK and -SLACK <= top < bottom <= scanned_height + SLACK
            )
            if not inside:
                raise UserError(
                    f"{where} is wrong: line {number} has a box outside the page, or without an inside: {left}, {top} "
                    f"to {right}, {bottom} on {scanned_width} x {scanned_height} pixels."
                )
    try:
        with Image.open(io.BytesIO(_content(archive, path, f"iamdb/forms/{form}.jpg"))) as picture:
            if picture.mode not in ("1", "L", "P", "RGB", "CMYK"):
                raise ValueError(f"it is {picture.mode}, not grey or of three colours, of 8 bits")
            page = 255 - np.asarray(picture.convert("L"))
    except UserError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"iamdb/forms/{form}.jpg in {readable(path)} is damaged: {error}.") from error
    scale = page.shape[1] / scanned_width
    if abs(page.shape[0] - scale * scanned_height) > max(2, SLACK * scale):
        raise UserError(
            f"iamdb/forms/{form}.jpg in {readable(path)} is wrong: {page.shape[1]} x {page.shape[0]} pixels are not of "
            f"the shape of {scanned_width} x {scanned_height}."
        )
    return Form(form, split_of.get(form, "train"), page, scale, lines)


def _line(element: ElementTree.Element) -> Line:
    boxes = []
    for word in element.iterfind("word"):
        parts = [[int(part.attrib[name]) for name in ("x", "y", "width", "height")] for part in word.iterfind("cmp")]
        if parts:
            x, y, width, height = np.array(parts).T
            boxes.append(tuple(map(int, (x.min(), y.min(), (x + width).max(), (y + height).max()))))
    text = " ".join(html.unescape(element.attrib["text"]).split())  # it is escaped twice
    if not boxes or not text:
        raise ValueError(f"line {element.attrib.get('id')} has no words")
    return Line(text, tuple(boxes))


def _content(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError:
        raise UserError(f"{readable(path)} is not complete: {name} is missing.") from None
