"""From logits to readings: the text, its confidence and other guesses, in NumPy alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GUESSES = 5
OPTIONS = 4  # other characters that are considered at each place of a line


Corner = tuple[float, float]  # column and row in the picture, in pixels


@dataclass(frozen=True)
class ReadLine:
    """A line of a page.

    Args:
        text: what was read.
        confidence: as for a line that is read by itself.
        corners: of its box in the picture, clockwise from the upper left.
    """

    text: str
    confidence: float
    corners: tuple[Corner, Corner, Corner, Corner]


@dataclass(frozen=True)
class Reading:
    """What was read in a picture.

    Args:
        text: a class, or the text of a line.
        confidence: the network's probability for it, 0 to 1; for a line, that all of its characters are right, if
            each were read by itself.
        guesses: the best texts with their probabilities, at most five, best first; the first is what was read.
        lines: of a page, in the order in which they are read.
    """

    text: str
    confidence: float
    guesses: tuple[tuple[str, float], ...]
    lines: tuple[ReadLine, ...] = ()


def read_classes(logits: np.ndarray, names: tuple[str, ...], allowed: np.ndarray) -> list[Reading]:
    """Return what was read in pictures that show one class each.

    Args:
        logits: (N, classes).
        names: of the classes, in the order of the network's outputs.
        allowed: (classes,) bool: those that can be an answer.
    """
    probabilities = softmax(logits)
    possible = np.where(allowed, probabilities, -1.0)
    best = np.argsort(-possible, axis=1, kind="stable")[:, : min(GUESSES, int(allowed.sum()))]
    return [
        _reading([(names[k], float(row[k])) for k in order]) for row, order in zip(probabilities, best, strict=True)
    ]


def read_lines(
    logits: np.ndarray, names: tuple[str, ...], allowed: np.ndarray, blank: int | None, collapse: bool
) -> list[Reading]:
    """Return what was read in lines.

    The text is the best class of each window, as in training. Other texts have the next best character at some windows:
    first those that lower the probability least.

    Args:
        logits: (N, classes, S) of S windows.
        names: of the classes, in the order of the network's outputs.
        allowed: (classes,) bool: those that are characters of a text.
        blank: the class that means "no character here".
        collapse: whether equal neighbours count once, and `blank` keeps them apart (CTC).
    """
    return [_read_line(row.T, names, allowed, blank, collapse) for row in softmax(logits)]


def join_lines(readings: Sequence[Reading], corners: Sequence[Sequence[Corner]]) -> Reading:
    """Return the reading of a page from those of its lines; it is right if all of them are.

    Args:
        readings: of the lines, in the order in which they are read.
        corners: of each line's box in the picture.
    """
    lines = tuple(
        ReadLine(reading.text, reading.confidence, tuple((float(x), float(y)) for x, y in box))
        for reading, box in zip(readings, corners, strict=True)
    )
    text, confidence = "\n".join(line.text for line in lines), math.prod(line.confidence for line in lines)
    guesses = readings[0].guesses if len(readings) == 1 else ((text, confidence),)
    return Reading(text, confidence, guesses, lines)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities along axis 1, float32."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float32)
    return shifted / shifted.sum(axis=1, keepdims=True)


def _read_line(
    windows: np.ndarray, names: tuple[str, ...], allowed: np.ndarray, blank: int | None, collapse: bool
) -> Reading:
    """Read one line: `windows` is (S, classes), probabilities."""
    best = windows.argmax(axis=1)
    places: list[list[tuple[str, float]]] = []
    start = 0
    for k in range(1, len(best) + 1):
        if k < len(best) and collapse and best[k] == best[start]:
            continue
        if allowed[best[start]]:
            surest = start + int(windows[start:k, best[start]].argmax())
            places.append(_options(windows[surest], best[start], names, allowed, blank))
        start = k
    texts = [("", 1.0)]
    for options in places:  # probabilities multiply, so the best texts so far are beginnings of the best texts
        longer: dict[str, float] = {}
        for text, probability in texts:
            for option, factor in options:
                longer[text + option] = max(longer.get(text + option, 0.0), probability * factor)
        texts = sorted(longer.items(), key=lambda item: -item[1])[:GUESSES]
    return _reading(texts)


def _options(
    probabilities: np.ndarray, best: int, names: tuple[str, ...], allowed: np.ndarray, blank: int | None
) -> list[tuple[str, float]]:
    """Return what may stand at a place, best first: characters, or nothing."""
    order = np.argsort(-probabilities, kind="stable")[: OPTIONS + 1]
    possible = [best, *(k for k in order if k != best and (allowed[k] or k == blank))]
    return [(names[k] if allowed[k] else "", float(probabilities[k])) for k in possible]


def _reading(guesses: list[tuple[str, float]]) -> Reading:
    return Reading(guesses[0][0], guesses[0][1], tuple(guesses))
