"""A small archive of the form that the IAM database has, written by imaginary writers."""

import html
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lab_kit.handwriting.pen_lines import write_lines

WIDTH, HEIGHT = 1200, 1000  # of a form, as scanned; the pictures have half as many pixels on each side
WORD = 64  # pixels that a word is high
MARGIN = 12  # between two lines of a form: less than from word to word
TEXTS = {
    "a01-000": ["A MOVE to stop", 'Mr. "Gaitskell" from', "nominating & more"],
    "a01-007": ["One (1) thing", "after the other;"],
    "b02-001": ["Only for validation"],
    "c03-002": ["Only for the", "test, this is"],
}
SPLITS = {"validationset1.txt": ["b02-001"], "validationset2.txt": [], "testset.txt": ["c03-002"]}


@dataclass
class Made:
    """What an archive holds: file name -> content; and the words of each line, (H, W) uint8, with their boxes."""

    files: dict[str, bytes] = field(default_factory=dict)
    words: dict[str, list[list[tuple[tuple[int, int, int, int], np.ndarray]]]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in self.files.items():
                archive.writestr(name, content)


def make() -> Made:
    """Write the forms."""
    made = Made()
    for number, (form, texts) in enumerate(TEXTS.items()):
        page = np.zeros((HEIGHT, WIDTH), np.uint8)
        lines, elements = [], []
        for row, text in enumerate(texts):
            left, top, words = 40, 80 + row * (WORD + MARGIN), []
            pictures = write_lines(
                text.split(), torch.full((len(text.split()),), number), torch.Generator().manual_seed(row), WORD
            )
            for picture in pictures:
                page[top : top + WORD, left : left + picture.shape[1]] |= picture
                words.append(((left, top, left + picture.shape[1], top + WORD), picture))
                left += picture.shape[1] + 30
            lines.append(words)
            elements.append(_line(f"{form}-{row:02}", text, [box for box, _ in words]))
        made.words[form] = lines
        file = io.BytesIO()
        Image.fromarray(255 - page).resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.BOX).save(
            file, "JPEG", quality=95
        )
        made.files[f"iamdb/forms/{form}.jpg"] = file.getvalue()
        body = "".join(elements)
        made.files[f"iamdb/xml/{form}.xml"] = (
            f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<form id="{form}" width="{WIDTH}" height="{HEIGHT}">'
            f"<machine-printed-part/><handwritten-part>{body}</handwritten-part></form>"
        ).encode()
    for name, forms in SPLITS.items():
        ids = [f"{form}-{row:02}" for form in forms for row in range(len(TEXTS[form]))]
        made.files[f"iamdb/task/{name}"] = "\n".join(ids).encode()
    made.files["iamdb/task/trainset.txt"] = b"a01-000-00\n"
    return made


def _line(id: str, text: str, boxes: list[tuple[int, int, int, int]]) -> str:
    words = "".join(
        f'<word id="{id}-{place:02}">'
        f'<cmp x="{left}" y="{top}" width="{(right - left) // 2}" height="{bottom - top}"/>'
        f'<cmp x="{left + (right - left) // 2}" y="{top + 5}" width="{right - left - (right - left) // 2}" height="9"/>'
        "</word>"
        for place, (left, top, right, bottom) in enumerate(boxes)
    )
    return f'<line id="{id}" text="{html.escape(html.escape(text))}">{words}</line>'
