"""Read photos of characters, lines and pages, condition by condition.

Claims: what a person reads at once is read, whatever it is written on and however the light falls; nothing is read
where nothing is written, or where two characters are; and lines and pages lose little by being photographed.

    python benchmarks/photos.py --characters SHIPPED
    python benchmarks/photos.py --lines FOLDER --reader WEIGHTS [--page PICTURE --writer NAME]

SHIPPED is a shipped model of characters. FOLDER holds pictures of lines, bright ink on dark paper, and `labels.json`,
as for `pen_to_people.py`; WEIGHTS are those of the reader that such a program trains (`torch.save(model.state_dict())`
of its `CTCLitModel`). PICTURE is a page whose lines, in order, are those of the writer NAME. Photos are simulated
(`lab_kit.photo.simulation`).
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from rapidfuzz.distance import Levenshtein

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import write_json  # noqa: E402
from lab_kit.decoding.beam_search import beam_search  # noqa: E402
from lab_kit.decoding.character_model import CharacterModel  # noqa: E402
from lab_kit.errors import UserError  # noqa: E402
from lab_kit.handwriting.pen_strokes import draw_set  # noqa: E402
from lab_kit.photo import find_lines, only_line, open_picture, prepare_character  # noqa: E402
from lab_kit.photo.fit_line import fit_line  # noqa: E402
from lab_kit.photo.open_picture import OWN_PICTURE  # noqa: E402
from lab_kit.photo.photographed import LETTER, as_written, of_lines  # noqa: E402
from lab_kit.photo.simulation import LOOKS, photograph, wood  # noqa: E402
from text_recognizer.data import IAMLines  # noqa: E402
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING, MARKS  # noqa: E402
from text_recognizer.data.iam_lines import HEIGHT  # noqa: E402
from text_recognizer.data.line_pictures import side_by_side  # noqa: E402
from text_recognizer.data.sentence_generator import SentenceGenerator  # noqa: E402
from text_recognizer.lit_models import CTCLitModel  # noqa: E402
from text_recognizer.models import CRNN  # noqa: E402
from text_recognizer.recognizer import Recognizer  # noqa: E402

TRIED = 16  # characters for each condition
MOST_LOOKS = 32  # characters, read clean, of which these are taken
WRITERS = range(2_000_000, 2_000_100)  # nobody has trained on them
ENLARGED = 8  # times: a character of 28 pixels is 224 pixels in a photo
ON_A_PAGE = 5
DECODING = {"weight": 0.5, "bonus": 1.2}
ALIKE = ("0Oo", "1Il|", "Cc", "Kk", "Pp", "Ss", "Uu", "Vv", "Ww", "Xx", "Zz2", "Mm", "Jj", "Yy", "9gq", "5S")


def enlarge(picture: np.ndarray) -> np.ndarray:
    """Return a small character, larger, with edges as sharp as a pen's."""
    large = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large = cv2.GaussianBlur(large, (0, 0), ENLARGED / 4)
    return ((large - 128) * ENLARGED / 3 + 128).clip(0, 255).astype(np.uint8)


def merged(text: str) -> str:
    """Return a character, look-alikes as one, capitals and small letters, too."""
    return next((group[0] for group in ALIKE if text in group), text).lower()


def read_photo(recognizer: Recognizer, photo: Image.Image) -> str:
    """Return what is read in a photo of a character, or what is said about it."""
    try:
        return recognizer.read(prepare_character(photo, recognizer.card.preprocessing["layout"])[None, None])[0].text
    except UserError as error:
        return str(error)


def characters(recognizer: Recognizer) -> dict[str, object]:
    """Return for each condition how many of sixteen characters are read, and what is read where none is."""
    names = "".join(sorted(set("ABDEGHKMNQRTXZabdefghijpruw345789")))
    images, labels = draw_set(names, len(names) * 2, WRITERS, seed=3, layout="box")
    inks, texts = [enlarge(image) for image in images.numpy()], [names[label] for label in labels]
    plain = [read_photo(recognizer, Image.fromarray(255 - np.pad(ink, 60))) for ink in inks]
    right = [k for k, text in enumerate(texts) if merged(plain[k]) == merged(text)]
    known, table = right[:MOST_LOOKS], dict[str, object](clean=f"{len(right)} of {len(inks)}")
    for number, (name, look) in enumerate(LOOKS.items()):
        chosen = [known[(7 * k + number) % len(known)] for k in range(TRIED)]
        read = [
            read_photo(recognizer, photograph(inks[k], look, np.random.default_rng([number, seed])))
            for seed, k in enumerate(chosen)
        ]
        table[name] = sum(merged(text) == merged(texts[k]) for text, k in zip(read, chosen, strict=True))
    blank = np.zeros((220, 220), np.uint8)
    empty: dict[str, Callable[[np.random.Generator], Image.Image]] = {
        name: lambda random, look=look: photograph(blank, look, random)
        for name, look in LOOKS.items()
        if not set(look.things) - {"finger"} and not look.behind
    }
    empty["bare wood"] = lambda random: Image.fromarray((230 * wood((600, 800), random)).clip(0, 255).astype(np.uint8))
    for name, take in empty.items():
        read = [read_photo(recognizer, take(np.random.default_rng([9, seed]))) for seed in range(TRIED)]
        table[f"empty: {name}"] = sum(len(text) == 1 for text in read)
    for name in ("ballpoint", "pencil on rules, 0.67"):
        for gap in (0.1, 0.3, 0.6):
            read = []
            for seed in range(TRIED):
                pair = [_cropped(inks[known[(k + 5 * seed) % len(known)]]) for k in (0, seed % 3)]
                space = np.zeros((len(pair[0]), int(gap * len(pair[0]))), np.uint8)
                both = np.concatenate([pair[0], space, pair[1]], axis=1)
                read.append(read_photo(recognizer, photograph(both, LOOKS[name], np.random.default_rng([8, seed]))))
            table[f"two characters, {gap} apart: {name}"] = sum(len(text) == 1 for text in read)
    return table


def _cropped(ink: np.ndarray) -> np.ndarray:
    left, _, width, _ = cv2.boundingRect((ink > 127).astype(np.uint8))
    return ink[:, left : left + width]


class LineReader:
    """Reads lines with the weights of a CRNN and a language model.

    Args:
        weights: file with the state of a `CTCLitModel`.
        texts: that the language model must not know.
    """

    def __init__(self, weights: Path, texts: Sequence[str]) -> None:
        config = IAMLines(max_length=40, source="pen").config()
        self.model = CTCLitModel(CRNN(config), config)
        self.model.load_state_dict(torch.load(weights, weights_only=True))
        self.model.eval()
        sentences = SentenceGenerator(40, keep_marks=True, seed=0)
        sentences.leave_out(texts)
        self.language = CharacterModel(sentences.text(), ALPHANUMERIC + MARKS)
        self.classes = np.array([MAPPING.index(character) for character in self.language.characters])

    @torch.inference_mode()
    def read(self, ink: np.ndarray) -> str:
        """Return the text of a line, (H, W) uint8."""
        columns = self.model(side_by_side([fit_line(ink, HEIGHT)]))[0].T.log_softmax(dim=1).numpy()
        return beam_search(columns, self.classes, self.model.blank, self.language, **DECODING).strip()


@dataclasses.dataclass
class Rate:
    """A character error rate: edits of all characters."""

    edits: int = 0
    characters: int = 0

    def count(self, text: str, read: str) -> int:
        """Count a line; return its edits."""
        edits = Levenshtein.distance(text, read)
        self.edits += edits
        self.characters += len(text)
        return edits

    @property
    def value(self) -> float:
        """The rate."""
        return round(self.edits / max(1, self.characters), 4)


def lines(reader: LineReader, inks: Sequence[np.ndarray], texts: Sequence[str]) -> dict[str, object]:
    """Return the character error rate of clean lines, and of photographed ones by condition."""
    clean = Rate()
    for ink, text in zip(inks, texts, strict=True):
        clean.count(text, reader.read(ink))
    table: dict[str, object] = {"clean": clean.value}
    for number, (name, look) in enumerate(LOOKS.items()):
        rate, refused = Rate(), 0
        for seed, (ink, text) in enumerate(zip(inks, texts, strict=True)):
            photo = photograph(as_written(ink), of_lines(look), np.random.default_rng([number, seed]))
            try:
                rate.count(text, reader.read(only_line(photo).ink))
            except UserError:
                refused += 1
                rate.count(text, "")
        table[name] = {"cer": rate.value, "refused": refused}
    return table


def write_page(inks: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """Return lines one below the other, not quite parallel, so near that tails may touch."""
    parts = [as_written(ink) for ink in inks]
    page = np.zeros(
        (int(1.05 * LETTER * len(parts)) + 3 * LETTER, max(part.shape[1] for part in parts) + 200), np.uint8
    )
    for k, part in enumerate(parts):
        slope = random.uniform(-0.02, 0.02)
        left, top = int(random.integers(20, 120)), int(LETTER * (0.5 + 1.0 * k))
        move = np.float32([[1, 0, left], [slope, 1, top + max(0.0, -slope * part.shape[1])]])
        page = np.maximum(page, cv2.warpAffine(part, move, page.shape[::-1]))
    return page


def pages(reader: LineReader, inks: Sequence[np.ndarray], texts: Sequence[str]) -> dict[str, object]:
    """Return for each condition the rate of pages of five lines, of these lines by themselves, and of wrong orders."""
    table: dict[str, object] = {}
    groups = [range(k, k + ON_A_PAGE) for k in range(0, len(inks) - ON_A_PAGE + 1, ON_A_PAGE)]
    alone = [reader.read(ink) for ink in inks]
    for number, (name, look) in enumerate(LOOKS.items()):
        whole, single, wrong = Rate(), Rate(), 0
        for seed, group in enumerate(groups):
            random = np.random.default_rng([7, number, seed])
            sheet = of_lines(look)
            sheet = dataclasses.replace(sheet, rules=sheet.rules / (ON_A_PAGE + 3), margin=0.1)
            photo = photograph(write_page([inks[k] for k in group], random), sheet, random)
            try:
                read = [reader.read(line.ink) for line in find_lines(photo)]
            except UserError:
                read = []
            whole.count("\n".join(texts[k] for k in group), "\n".join(read))
            nearest = [
                min(group, key=lambda k, text=text: Levenshtein.normalized_distance(text, texts[k])) for text in read
            ]
            wrong += nearest != list(group)
            for k in group:
                single.count(texts[k], alone[k])
        table[name] = {"cer": whole.value, "line by line": single.value, "wrong order": wrong, "pages": len(groups)}
    return table


def real_page(reader: LineReader, page: Path, inks: Sequence[np.ndarray], texts: Sequence[str]) -> dict[str, object]:
    """Return the rate of a page that somebody wrote, and of its lines as they were cut out by hand."""
    found = find_lines(open_picture(page, OWN_PICTURE))
    whole, single = Rate(), Rate()
    whole.count("\n".join(texts), "\n".join(reader.read(line.ink) for line in found))
    for ink, text in zip(inks, texts, strict=True):
        single.count(text, reader.read(ink))
    return {"lines": len(found), "cer": whole.value, "line by line": single.value}


def seconds(megapixels: int = 12) -> float:
    """Return how long a large photo of a character takes until the network can see it."""
    side = int((megapixels * 1e6 / 12) ** 0.5)
    ink = np.zeros((3 * side, 4 * side), np.uint8)
    cv2.putText(ink, "R", (side, 2 * side), cv2.FONT_HERSHEY_SIMPLEX, side / 30, 255, side // 20)
    photo = photograph(ink, dataclasses.replace(LOOKS["ballpoint"], margin=0.0), np.random.default_rng(0))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        prepare_character(open_picture(photo), "box")
        times.append(time.perf_counter() - start)
    return round(sorted(times)[2], 3)


def main() -> None:
    """Parse the command line, read, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--characters", type=Path, help="folder of a shipped model of characters")
    parser.add_argument("--lines", type=Path, help="folder of pictures of lines, with labels.json")
    parser.add_argument("--reader", type=Path, help="weights of a reader of lines")
    parser.add_argument("--page", type=Path, help="picture of a page")
    parser.add_argument("--writer", default="", help="whose lines are those of the page")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th line only")
    given = parser.parse_args()
    if bool(given.lines) != bool(given.reader) or not (given.characters or given.lines):
        parser.error("give --characters, or --lines and --reader, or all three")
    torch.set_num_threads(2)
    tables: dict[str, object] = {"seconds for 12 megapixels": seconds()}
    if given.characters:
        tables["characters"] = characters(Recognizer.load(given.characters))
    if given.lines:
        entries = json.loads((given.lines / "labels.json").read_text(encoding="utf-8-sig"))
        pictures = [
            np.asarray(open_picture(given.lines / entry["file"], OWN_PICTURE).convert("L")) for entry in entries
        ]
        texts = [entry["text"] for entry in entries]
        reader = LineReader(given.reader, texts)
        some = slice(None, None, given.every)
        tables["lines"] = lines(reader, pictures[some], texts[some])
        tables["pages"] = pages(reader, pictures[some], texts[some])
        if given.page:
            own = [k for k, entry in enumerate(entries) if entry["writer"] == given.writer]
            tables["real page"] = real_page(reader, given.page, [pictures[k] for k in own], [texts[k] for k in own])
    for name, table in tables.items():
        print(name if isinstance(table, dict) else f"{name}: {table}")
        for condition, value in table.items() if isinstance(table, dict) else ():
            print(f"    {condition:44s} {value}")
    write_json("photos", f"{TRIED} characters, every {given.every}. line", tables)


if __name__ == "__main__":
    main()
