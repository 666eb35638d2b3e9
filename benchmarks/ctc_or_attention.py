"""Train a reader with CTC and one with attention for the same time on the same lines; measure what each is good at.

    python benchmarks/ctc_or_attention.py --minutes 13
    python benchmarks/ctc_or_attention.py --minutes 4 --texts 50

Both see lines of at most 32 characters by imaginary writers. Both read the same lines of each kind, by writers on whom
neither was trained, greedily and without a language model, and from sentences that were taken out of the training text.
With `--texts N`, all that they learn from is N texts, in many hands: then they read these texts, and others.
"""

import argparse
import statistics
import string
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from sys import path

import numpy as np
import pytorch_lightning as pl
import torch
from rapidfuzz.distance import Levenshtein
from rich.table import Table

path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.pen_to_people import BATCH, READERS, Reader, make_data, train  # noqa: E402
from benchmarks.timing import machine, write_json  # noqa: E402
from lab_kit.plain_console import PlainConsole  # noqa: E402
from text_recognizer.data import IAMLines  # noqa: E402
from text_recognizer.data.iam_lines import write_fitted  # noqa: E402
from text_recognizer.data.line_pictures import side_by_side  # noqa: E402
from text_recognizer.data.line_texts import LineTexts  # noqa: E402
from text_recognizer.data.sentence_generator import SentenceGenerator  # noqa: E402
from text_recognizer.lit_models.line import LineLitModel, to_texts  # noqa: E402

LENGTH, SEED, LINES = 32, 0, 256
LONG = (48, 60)  # characters of a long line
NAMES = {"CRNN": "CTC", "LineCNNTransformer": "attention"}
WARM, TIMED = 30, 150  # steps, to find out how many fit into the time


class FewTexts(LineTexts):
    """Some texts, again and again.

    Args:
        texts: these.
        sentences: where they come from.
    """

    def __init__(self, texts: Sequence[str], sentences: SentenceGenerator) -> None:
        super().__init__(sentences)
        self.few = list(texts)

    def draw(self, count: int, random: np.random.Generator) -> list[str]:
        """Return that many of the texts."""
        return [str(text) for text in random.choice(self.few, count)]


def kinds(random: np.random.Generator) -> dict[str, list[str]]:
    """Return the texts of the lines that are read, by kind."""
    sentences = LineTexts(SentenceGenerator(LENGTH, keep_marks=True), odd=0).draw(LINES, random)
    longer = LineTexts(SentenceGenerator(LONG[1], keep_marks=True), odd=0).draw(20 * LINES, random)
    digits = list(string.digits)
    return {
        "sentences": sentences,
        "each word reversed": [" ".join(word[::-1] for word in text.split()) for text in sentences],
        "digits only": [
            " ".join("".join(random.choice(digits, len(word))) for word in text.split()) for text in sentences
        ],
        "lines of 48 to 60 characters": [text for text in longer if len(text) >= LONG[0]][:LINES],
    }


class StepTimes(pl.Callback):
    """Note when each step ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: object) -> None:
        self.ends.append(time.perf_counter())


def steps_in(minutes: float, reader: Reader, make: Callable[[int], IAMLines]) -> int:
    """Return how many steps of training fit into the time, by the mean of some of them."""
    times = StepTimes()
    train(reader, make(WARM + TIMED), SEED, WARM + TIMED, times)
    each = (times.ends[-1] - times.ends[WARM - 1]) / TIMED
    return max(1, round(60 * minutes / each))


@torch.inference_mode()
def error_rate(model: LineLitModel, texts: Sequence[str]) -> float:
    """Return the character error rate over lines with these texts, by writers of the test split."""
    pictures = write_fitted(texts, "test", np.random.default_rng(SEED))
    order = np.argsort([picture.shape[1] for picture in pictures])
    edits = 0
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        read = to_texts(model.read(model(side_by_side([pictures[row] for row in rows])))[0])
        edits += sum(Levenshtein.distance(texts[row], text) for row, text in zip(rows, read, strict=True))
    return edits / sum(map(len, texts))


@torch.inference_mode()
def milliseconds(model: LineLitModel, texts: Sequence[str], batch: int, threads: int) -> float:
    """Return how long a line takes, in batches of this size: the median of seven rounds."""
    pictures, before = write_fitted(texts, "test", np.random.default_rng(SEED)), torch.get_num_threads()
    torch.set_num_threads(threads)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        for first in range(0, len(pictures), batch):
            model(side_by_side(pictures[first : first + batch]))
        times.append(1000 * (time.perf_counter() - start) / len(pictures))
    torch.set_num_threads(before)
    return statistics.median(times[1:])


def main() -> None:
    """Parse the command line, train both, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=13.0, help="of training, for each reader")
    parser.add_argument("--texts", type=int, help="learn from that many texts only")
    arguments = parser.parse_args()
    if arguments.minutes <= 0 or (arguments.texts is not None and arguments.texts < 1):
        parser.error("--minutes must be above 0, and --texts at least 1")
    texts = kinds(np.random.default_rng(SEED))
    left_out = sorted({*texts["sentences"], *texts["lines of 48 to 60 characters"]})
    if arguments.texts is not None:
        drawn = LineTexts(SentenceGenerator(LENGTH, keep_marks=True, seed=SEED), odd=0)
        few = sorted(set(drawn.draw(20 * arguments.texts, np.random.default_rng(SEED + 1))) - set(left_out))
        few = few[:: max(1, len(few) // arguments.texts)][: arguments.texts]
        texts = {"texts of the training": few, "others": texts["sentences"]}

    def make(steps: int) -> IAMLines:
        data = make_data(LENGTH, SEED, left_out, steps)
        if arguments.texts is not None:
            data.splits["train"].texts = FewTexts(few, data.sentences)
        return data

    columns: dict[str, dict[str, float]] = {}
    for name, column in NAMES.items():
        steps = steps_in(arguments.minutes, READERS[name], make)
        model, minutes, _ = train(READERS[name], make(steps), SEED, steps)
        model.eval()
        figures = {"steps": steps, "minutes": round(minutes, 1)}
        figures |= {f"{kind}: CER": round(error_rate(model, some), 4) for kind, some in texts.items()}
        if arguments.texts is None:
            some = texts["sentences"][:64]
            figures["a line alone, one thread: ms"] = round(milliseconds(model, some, 1, 1), 1)
            figures["a line in a batch of 32, two threads: ms"] = round(milliseconds(model, some, BATCH, 2), 1)
        columns[column] = figures
        print(column, figures, flush=True)
    table = Table("", *columns)
    for row in columns["CTC"]:
        table.add_row(row, *(f"{figures[row]:,}" for figures in columns.values()))
    console = PlainConsole()
    console.print(table)
    console.print(machine())
    few_texts = "" if arguments.texts is None else f", {arguments.texts} texts"
    on = f"{arguments.minutes:g} minutes of training each, lines of at most {LENGTH} characters{few_texts}"
    write_json("ctc_or_attention" + ("_few_texts" if arguments.texts is not None else ""), on, columns)


if __name__ == "__main__":
    main()
