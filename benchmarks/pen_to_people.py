"""Train on imaginary writers only, and read what people wrote.

Claims: after at most 20 minutes on two cores, lines of real people are read whose writers nobody has trained on.

    python benchmarks/pen_to_people.py --lines FOLDER --seeds 0,1,2
    python benchmarks/pen_to_people.py --lines FOLDER --seeds 0 --without joins
    python benchmarks/pen_to_people.py --lines FOLDER --seeds 0 --reader LineCNNTransformer

FOLDER holds pictures of lines, bright ink on dark paper, and `labels.json`: a list of objects with `file`, `text` and
`writer`. Nothing is trained, stopped or selected by them, and their texts are taken out of the training text. The last
line that is printed is JSON: `mean`, `median` and `worst` of the character error rates of the writers, and `all` of
them, each the mean over the seeds; and `pen`, that of imaginary writers who are in no other split.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytorch_lightning as pl
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torch.utils.data import Dataset

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import write_json  # noqa: E402
from lab_kit.decoding.beam_search import beam_search  # noqa: E402
from lab_kit.decoding.character_model import CharacterModel  # noqa: E402
from lab_kit.errors import UserError  # noqa: E402
from lab_kit.experiment import hardware  # noqa: E402
from lab_kit.handwriting import pen_line_style, pen_set  # noqa: E402
from lab_kit.photo.fit_line import fit_line  # noqa: E402
from lab_kit.photo.open_picture import OWN_PICTURE, open_picture  # noqa: E402
from text_recognizer.data import EMNISTLines, IAMLines  # noqa: E402
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING, MARKS  # noqa: E402
from text_recognizer.data.iam_lines import HEIGHT, FreshLines  # noqa: E402
from text_recognizer.data.line_pictures import side_by_side  # noqa: E402
from text_recognizer.data.line_texts import LineTexts  # noqa: E402
from text_recognizer.data.sentence_generator import SentenceGenerator  # noqa: E402
from text_recognizer.lit_models import CTCLitModel, TransformerLitModel  # noqa: E402
from text_recognizer.lit_models.line import LineLitModel, to_texts  # noqa: E402
from text_recognizer.models import CRNN, LineCNNTransformer  # noqa: E402

BATCH = 32
# Chosen from a grid on imaginary writers' validation lines, augmented three times, with texts that the language
# model does not know, and not on what people wrote.
DECODING = {"weight": 0.5, "bonus": 1.2}
DRAWN = 100_000  # lines, beside all sentences, that the language model knows
EPOCHS = 12  # which differ in nothing where lines are fresh
FEW = 64  # writers, where most are left out
WITHOUT = ("joins", "writers", "widths", "fresh", "augmentation")


@dataclass(frozen=True)
class Reader:
    """A network, and how it learns.

    Args:
        network: it reads lines.
        lit_model: trains it.
        lr: the highest learning rate.
        clip: the longest gradient.
        steps: of training, each of 32 lines.
        max_length: characters of the longest line in training; a decoder never writes more.
    """

    network: type[nn.Module]
    lit_model: type[LineLitModel]
    lr: float
    clip: float
    steps: int
    max_length: int


READERS = {
    "CRNN": Reader(CRNN, CTCLitModel, 3e-3, 5, 3_600, 40),
    "LineCNNTransformer": Reader(LineCNNTransformer, TransformerLitModel, 2e-3, 1, 7_000, 60),
}


@dataclass(frozen=True)
class Row:
    """A line that somebody wrote: its picture (48, any width) uint8, what it says, and who wrote it."""

    picture: np.ndarray
    text: str
    writer: str


def read_rows(folder: Path) -> list[Row]:
    """Return the lines of a folder; raises UserError where one of them is not as it should be."""
    rows = []
    try:
        for entry in json.loads((folder / "labels.json").read_text(encoding="utf-8-sig")):
            name, text, writer = (entry[key] for key in ("file", "text", "writer"))
            if not all(isinstance(value, str) and value.strip() for value in (name, text, writer)):
                raise ValueError(f"an entry has no file, text or writer: {entry}")
            picture = open_picture(folder / name, OWN_PICTURE).convert("L")
            rows.append(Row(fit_line(np.asarray(picture), HEIGHT), text, writer))
    except OSError as error:
        raise UserError(f"Cannot read {error.filename}: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{folder / 'labels.json'} is not a list of lines with file, text and writer: {error}."
        ) from error
    if not rows:
        raise UserError(f"{folder / 'labels.json'} names no line.")
    return rows


class SameLines(FreshLines):
    """The same lines in every epoch."""

    endless = False


class BoxedLines(Dataset):
    """Lines of letters that are each blown up to fill a box, in place of natural widths."""

    endless = True

    def __init__(self, sentences: SentenceGenerator, size: int, seed: int) -> None:
        boxes = EMNISTLines(sentences.max_length, keep_marks=True, fresh=True, num_train=size, source="pen", seed=seed)
        boxes.sentences, boxes.writer = sentences, replace(boxes.writer, sentences=sentences)
        self.lines = boxes._load(real=False)["train"]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch, as `FreshLines` does."""
        images, labels = self.lines.__getitems__(indices)
        pictures = (255 * images[:, 0]).to(torch.uint8).numpy()
        return side_by_side([fit_line(picture, HEIGHT) for picture in pictures]), labels


@contextmanager
def left_out(what: str | None) -> Iterator[None]:
    """Leave out one part of what imaginary writers do."""
    with mock.patch.dict(pen_line_style.LINE_STYLE), mock.patch.dict(pen_set.WRITERS):
        if what == "joins":
            pen_line_style.LINE_STYLE["join"] = (-1.0, -0.9)
        if what == "writers":
            pen_set.WRITERS["train"] = range(FEW)
        yield


def make_data(max_length: int, seed: int, texts: list[str], steps: int, without: str | None = None) -> IAMLines:
    """Return the lines of imaginary writers, of at most `max_length` characters, without these texts."""
    data = IAMLines(max_length=max_length, batch_size=BATCH, source="pen", seed=seed, augment=without != "augmentation")
    sentences = SentenceGenerator(max_length, keep_marks=True, seed=seed)  # of the Brown corpus, where there is one
    sentences.leave_out(texts)
    data.sentences, data.texts = sentences, LineTexts(sentences)
    data.prepare_data()
    data.setup()
    size = BATCH * steps // EPOCHS
    if without == "widths":
        data.splits["train"] = BoxedLines(sentences, size, seed)
    else:
        data.splits["train"] = (SameLines if without == "fresh" else FreshLines)(data.texts, size, seed)
    return data


def train(
    reader: Reader, data: IAMLines, seed: int, steps: int, *callbacks: pl.Callback
) -> tuple[LineLitModel, float, float]:
    """Train for as many steps; return the model, the minutes, and its character error rate on imaginary writers."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    config = data.config()
    model = reader.lit_model(reader.network(config), config, optimizer="AdamW", one_cycle_max_lr=reader.lr)
    hardware.tune(model.model)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "limit_val_batches": 0}
    quiet["enable_progress_bar"] = sys.stderr.isatty()
    trainer = pl.Trainer(
        max_steps=steps,
        precision=hardware.fast_precision("cpu"),
        gradient_clip_val=reader.clip,
        accelerator="cpu",
        callbacks=list(callbacks),
        **quiet,
    )
    start = time.perf_counter()
    trainer.fit(model, datamodule=data)
    minutes = (time.perf_counter() - start) / 60
    return model, minutes, trainer.test(model, datamodule=data, verbose=False)[0]["test_cer"]


@torch.inference_mode()
def read_people(model: LineLitModel, language: CharacterModel, rows: list[Row]) -> dict[str, float]:
    """Return the character error rate of each writer: all edits, for all true characters.

    A language model helps CTC; a decoder knows the language by itself.
    """
    model.eval()
    classes = np.array([MAPPING.index(character) for character in language.characters])
    edits, characters = {}, {}
    for row in rows:
        logits = model(side_by_side([row.picture]))
        if isinstance(model, CTCLitModel):
            columns = logits[0].T.log_softmax(dim=1).numpy()
            read = beam_search(columns, classes, model.blank, language, **DECODING).strip()
        else:
            read = to_texts(model.read(logits)[0])[0].strip()
        edits[row.writer] = edits.get(row.writer, 0) + Levenshtein.distance(row.text, read)
        characters[row.writer] = characters.get(row.writer, 0) + len(row.text)
    return {writer: edits[writer] / characters[writer] for writer in sorted(edits)}


def summary(rates: dict[str, float]) -> dict[str, object]:
    """Return mean, median and worst of the writers' rates, and all of them."""
    values = list(rates.values())
    figures = {"mean": statistics.mean(values), "median": statistics.median(values), "worst": max(values)}
    return {name: round(value, 4) for name, value in figures.items()} | {
        "all": {writer: round(rate, 4) for writer, rate in rates.items()}
    }


def main() -> None:
    """Parse the command line, train with each seed, and print what was read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=Path, required=True, help="folder of pictures of lines, with labels.json")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, with commas between them")
    parser.add_argument("--reader", choices=READERS, default="CRNN", help="the network that learns to read")
    parser.add_argument("--steps", type=int, help="of training, each of 32 lines; the reader's own, if not given")
    parser.add_argument("--without", choices=WITHOUT, help="leave out one part, to see what it is worth")
    arguments = parser.parse_args()
    try:
        rows, seeds = read_rows(arguments.lines), [int(seed) for seed in arguments.seeds.split(",")]
    except (UserError, ValueError) as error:
        parser.error(str(error))
    reader = READERS[arguments.reader]
    steps = reader.steps if arguments.steps is None else arguments.steps
    if steps < 1 or min(seeds) < 0:
        parser.error("--steps must be at least 1, and seeds at least 0")
    texts = [row.text for row in rows]
    runs = {}
    for seed in seeds:
        with left_out(arguments.without):
            data = make_data(reader.max_length, seed, texts, steps, arguments.without)
            model, minutes, pen = train(reader, data, seed, steps)
        corpus = data.texts.corpus(DRAWN, np.random.default_rng(seed))
        language = CharacterModel(corpus, ALPHANUMERIC + MARKS)
        rates = read_people(model, language, rows)
        runs[seed] = {"minutes": round(minutes, 1), "pen": round(pen, 4)} | summary(rates)
        print(f"seed {seed}: {json.dumps(runs[seed])}", flush=True)
    rates = {writer: statistics.mean(run["all"][writer] for run in runs.values()) for writer in rates}
    result = {name: round(statistics.mean(run[name] for run in runs.values()), 4) for name in ("pen", "minutes")}
    result |= summary(rates)
    name = "pen_to_people" + (f"_{arguments.reader}" if arguments.reader != "CRNN" else "")
    name += f"_{steps}" if steps != reader.steps else ""
    name += f"_without_{arguments.without}" if arguments.without else ""
    write_json(name, f"{steps:,} steps of {BATCH} lines, seeds {arguments.seeds}", result | {"runs": runs})
    print(json.dumps(result))


if __name__ == "__main__":
    main()
