"""What is written in lines: pieces of sentences, and lines with characters that are rare in sentences."""

import string

import numpy as np

from text_recognizer.data.character_mapping import ALPHANUMERIC, MARKS
from text_recognizer.data.sentence_generator import SentenceGenerator

POOL = 8  # batches, from which one with texts of similar lengths is taken
BEFORE, BEHIND = "\"('", ("", "", *MARKS[1:], "'s", " -", " *", "..")  # marks, as they stand at words


class LineTexts:
    """Texts of lines. Most are pieces of sentences; the others are changed, or have many characters that are rare in
    sentences.

    Args:
        sentences: where the pieces come from.
        odd: the share of the others, from 0 to 1.
    """

    def __init__(self, sentences: SentenceGenerator, odd: float = 0.25) -> None:
        self.sentences, self.odd = sentences, odd

    def draw(self, count: int, random: np.random.Generator) -> list[str]:
        """Return that many texts of 1 to `max_length` characters."""
        codes = self.sentences.generate_codes(count, random)
        texts = [row[row > 0].tobytes().decode("ascii") for row in codes]
        changed = [_odd(text, random) if random.random() < self.odd else text for text in texts]
        fitting = [text[: self.sentences.max_length].strip() for text in changed]
        return [short or text for short, text in zip(fitting, texts, strict=True)]

    def corpus(self, lines: int, random: np.random.Generator) -> str:
        """Return what a language model counts in: all sentences, and that many lines as they are drawn, one a row."""
        drawn = (f" {text}" for text in self.draw(lines, random))  # with the space that stands before a word
        return "\n".join([self.sentences.text(), *drawn])

    def draw_similar(self, count: int, random: np.random.Generator) -> list[str]:
        """Return that many texts of similar lengths: in a batch, little of their pictures is empty."""
        texts = sorted(self.draw(POOL * count, random), key=len)
        start = random.integers((POOL - 1) * count + 1)
        return texts[start : start + count]


def _odd(text: str, random: np.random.Generator) -> str:
    words, kind = text.split(), random.random()
    if kind < 0.35:  # as in language corpora: each mark is a word, and some marks come twice
        again = random.choice(["", " ;", " ?", " !", ' "'])
        quoted = random.choice(["", '" '])
        return quoted + " ".join("".join(f" {c}" if c in '.,;:!?"' else c for c in text).split()) + 2 * str(again)
    if kind < 0.48:
        return " ".join(_pick(string.digits, 4, random) + str(random.choice(["", *".,-/:"])) for _ in words)
    if kind < 0.6:
        return text.title()
    if kind < 0.7:
        return text.upper()
    if kind < 0.8:
        return " ".join(_pick(ALPHANUMERIC, 6, random) for _ in words)
    marks = zip(random.choice(list(BEFORE), len(words)), words, random.choice(BEHIND, len(words)), strict=True)
    return " ".join(word + behind if random.random() < 0.6 else before + word for before, word, behind in marks)


def _pick(characters: str | tuple[str, ...], most: int, random: np.random.Generator) -> str:
    return "".join(random.choice(list(characters), random.integers(1, most + 1)))
