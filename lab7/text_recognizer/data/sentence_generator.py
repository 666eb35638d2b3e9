"""Generate pieces of English sentences for synthetic lines."""

import hashlib
import logging
import re
import string
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lab_kit.checks import check_at_least
from lab_kit.datasets import cache
from lab_kit.datasets.english_text import brown_sentences, python_documentation
from lab_kit.datasets.raw_data import RawData, Source, find_or_download
from lab_kit.errors import UserError
from text_recognizer.data.character_mapping import ALPHANUMERIC, MARKS

log = logging.getLogger(__name__)

DATASET = "brown"
FORMAT = 1  # of the processed text: raise it when `_brown_text` changes
STAND_IN = "The text of Python's own documentation stands"


class SentenceGenerator:
    """Pieces of text from the Brown corpus, from the start of a word to the end of a word.

    The start is uniform over all words that fit; the end is uniform over the ends of words that still fit, so most
    pieces are shorter than `max_length`. The text is brought to disk and memory by the first `generate()`. If the
    corpus is not available, the documentation that comes with Python takes its place, after a warning.

    Args:
        max_length: characters in the longest piece.
        keep_marks: keep those marks that the mapping has; otherwise only letters, digits and single spaces are left.
        source: `auto` takes the corpus on disk; if there is none, it downloads it (3 MB); if that fails, it takes
            Python's documentation. `download` allows only the corpus, `pen` only the documentation.
        seed: the seed for choosing the pieces.

    Raises:
        UserError: `max_length` is below 1, or, when generating, no word is that short or the corpus is not available.
    """

    def __init__(self, max_length: int, keep_marks: bool = False, source: Source = "auto", seed: int = 42) -> None:
        check_at_least(1, max_length=max_length)
        self.max_length, self.keep_marks, self.source = max_length, keep_marks, source
        self.source_used: str | None = None  # filled by the first generate()
        self._random = np.random.default_rng(seed)
        self._text: np.ndarray | None = None  # ASCII codes, uint8
        self._possible: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def generate(self, max_length: int | None = None) -> str:
        """Return a piece of 1 to `max_length` characters; the one given to the constructor unless given here."""
        check_at_least(1, max_length=max_length)
        start, end = self._pick(1, max_length or self.max_length, self._random)
        return self._text[start[0] : end[0]].tobytes().decode("ascii")

    def generate_codes(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Return many pieces at once, as ASCII codes (count, max_length) uint8, with zeros after each piece.

        All randomness comes from `random`.
        """
        start, end = self._pick(count, self.max_length, random)
        place = start[:, None] + np.arange(self.max_length)
        return np.where(place < end[:, None], self._text[np.minimum(place, len(self._text) - 1)], 0).astype(np.uint8)

    def text_key(self) -> str:
        """Return 12 hex digits that change whenever the text does."""
        self.load()
        return hashlib.sha256(self._text.tobytes()).hexdigest()[:12]

    def _pick(self, count: int, length: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return where `count` pieces of at most `length` characters start and end in the text, each (count,)."""
        self.load()
        if length not in self._possible:
            self._possible[length] = self._words_that_fit(length)
        words, choices = self._possible[length]
        pick = random.integers(len(words), size=count)
        first = words[pick]
        return self._starts[first], self._ends[first + random.integers(choices[pick])]

    def load(self) -> None:
        """Bring the text to disk and memory, unless it is there; the first piece does it too."""
        if self._text is not None:
            return
        raw = RawData.load(DATASET)
        real = find_or_download(raw, self.source, raw.present() or _processed_file(self.keep_marks).is_file(), STAND_IN)
        self.source_used = f"{raw.title} ({raw.source})" if real else "Python's documentation (not the Brown corpus)"
        if real:
            arrays = cache.load(_processed_file(self.keep_marks), lambda: {"text": _brown_text(self.keep_marks)})
            self._use(arrays["text"])
        else:
            self._use(_codes(clean(python_documentation(), self.keep_marks)))

    def text(self) -> str:
        """Return the whole text that pieces come from."""
        self.load()
        return self._text.tobytes().decode("ascii")

    def leave_out(self, texts: Iterable[str]) -> None:
        """Remove these texts from the text that pieces come from, whatever marks and spaces separate their words."""
        self.load()
        word = np.isin(self._text, _codes("".join(ALPHANUMERIC)))
        places = np.flatnonzero(word)
        letters = self._text[places].tobytes().decode("ascii")
        stays = np.ones(len(self._text), bool)
        for text in texts:
            pattern = "".join(filter(ALPHANUMERIC.__contains__, text))
            for match in re.finditer(pattern, letters) if pattern else ():
                first, last = places[match.start()], places[match.end() - 1]
                whole = not (word[first - 1 : first].any() or word[last + 1 : last + 2].any())
                stays[first : last + 1] &= not whole
        self._use(_codes(" ".join(self._text[stays].tobytes().decode("ascii").split())))

    def _use(self, text: np.ndarray) -> None:
        self._text, self._possible = text, {}
        spaces = np.flatnonzero(self._text == ord(" "))
        self._starts = np.concatenate([[0], spaces + 1])
        self._ends = np.concatenate([spaces, [len(self._text)]])

    def _words_that_fit(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the words (W,) from which a piece can start, and between how many ends (W,) each can choose."""
        choices = np.searchsorted(self._ends, self._starts + length, side="right") - np.arange(len(self._starts))
        words = np.flatnonzero(choices > 0)
        if not len(words):
            raise UserError(f"No word of the text has at most {length} characters: choose a larger max_length.")
        return words, choices[words]


def clean(text: str, keep_marks: bool) -> str:
    """Return `text` with only characters of the mapping, single spaces between words, and none at the ends.

    Without `keep_marks`, punctuation goes as in the published lab: `don't` becomes `dont`.
    """
    kept = set(ALPHANUMERIC) | (set(MARKS) if keep_marks else set())
    gone = {ord(character): None for character in string.punctuation if character not in kept}
    text = text.translate(gone)
    # What is neither kept nor punctuation (accents, control characters) ends a word.
    allowed = re.escape("".join(sorted(kept - {" "})))
    return " ".join(re.sub(f"[^{allowed}]", " ", text).split())


def _processed_file(keep_marks: bool) -> Path:
    corpus = RawData.load(DATASET).files[0]
    key = cache.content_key(corpus=corpus.sha256, keep_marks=keep_marks, format=FORMAT)
    return cache.cache_file(DATASET, "text", key)


def _brown_text(keep_marks: bool) -> np.ndarray:
    """Return the corpus as ASCII codes, uint8."""
    raw = RawData.load(DATASET)
    raw.ensure()
    log.info("Reading the %s: half a minute, once.", raw.title)
    sentences = brown_sentences(raw.files[0].path)
    # Here, because the import of NLTK takes seconds, and a run with processed text does not need it.
    from nltk.tokenize.treebank import TreebankWordDetokenizer

    text = clean(" ".join(map(TreebankWordDetokenizer().detokenize, sentences)), keep_marks)
    if not text:
        raise UserError(f"{raw.files[0].path.name} is not the Brown corpus: it has no words.")
    return _codes(text)


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("ascii"), np.uint8)
