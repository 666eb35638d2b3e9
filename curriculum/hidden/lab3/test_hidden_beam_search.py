"""Exercise 1: prefix beam search (checks that were not handed out)."""

import itertools
import math
from collections import defaultdict

import torch
from beam_search import beam_search, log_probability
from torch import Tensor

NEVER = -math.inf


def random_windows(windows: int, classes: int, sharpness: float = 1.0) -> Tensor:
    """Return log-probabilities (windows, classes): the larger the sharpness, the surer the network."""
    return (sharpness * torch.randn(windows, classes)).log_softmax(dim=1)


def read(path: list[int] | tuple[int, ...], blank: int) -> list[int]:
    """Return what a path reads as: of equal neighbours the first, without blanks."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def search(log_probabilities: Tensor, blank: int, beam_width: int) -> tuple[list[int], float]:
    text, score = beam_search(log_probabilities, blank, beam_width)
    return list(text), float(score)


def add(*logs: float) -> float:
    """Return the logarithm of a sum of probabilities, of which the logarithms are given."""
    largest = max(logs)
    return largest if largest == NEVER else largest + math.log(sum(math.exp(log - largest) for log in logs))


def as_described(log_probabilities: Tensor, blank: int, beam_width: int) -> list[int]:
    """Search as the exercise describes it, with a table of sums for what each prefix may become."""
    beam = {(): (0.0, NEVER)}  # log-probabilities of the paths that end with a blank, and with the last character
    for window in log_probabilities.tolist():
        ends: dict[tuple[int, ...], tuple[list[float], list[float]]] = defaultdict(lambda: ([NEVER], [NEVER]))
        for prefix, (after_blank, after_last) in beam.items():
            for label, log in enumerate(window):
                if label == blank:
                    ends[prefix][0].append(add(after_blank, after_last) + log)
                    continue
                again = bool(prefix) and prefix[-1] == label
                if again:
                    ends[prefix][1].append(after_last + log)
                ends[(*prefix, label)][1].append((after_blank if again else add(after_blank, after_last)) + log)
        sums = {prefix: (add(*blanks), add(*others)) for prefix, (blanks, others) in ends.items()}
        beam = dict(sorted(sums.items(), key=lambda item: add(*item[1]), reverse=True)[:beam_width])
    candidates = [*map(list, beam), read(log_probabilities.argmax(dim=1).tolist(), blank)]
    return max(candidates, key=lambda text: log_probability(text, log_probabilities, blank))


def test_beam_is_exact_where_nothing_is_thrown_away() -> None:
    """With more prefixes than there are texts it finds the best text and its log-probability, wherever the blank is."""
    for windows, classes, blank in ((2, 4, 3), (7, 2, 1), (3, 5, 2), (6, 3, 0), (1, 6, 5)) * 3:
        log_probabilities = random_windows(windows, classes, 0.7)
        sums: dict[tuple[int, ...], float] = defaultdict(float)
        for path in itertools.product(range(classes), repeat=windows):
            log = sum(log_probabilities[window, label].item() for window, label in enumerate(path))
            sums[tuple(read(path, blank))] += math.exp(log)
        best = max(sums, key=sums.__getitem__)
        text, score = search(log_probabilities, blank, 700)
        assert tuple(text) == best, (
            f"{windows} windows, {classes} classes, blank {blank}: of all texts {list(best)} is the most probable "
            f"({sums[best]:.4f}), and {text} was found ({sums.get(tuple(text), 0):.4f})."
        )
        assert abs(score - math.log(sums[best])) < 1e-3, (
            f"The log-probability of {text} is {math.log(sums[best]):.4f}: the sum over all its paths. The score that "
            f"was returned is {score:.4f}."
        )


def test_beam_reads_doubled_characters_whatever_the_blank_is() -> None:
    """Doubled characters are read where a blank stands between, also if the blank is not class 0."""
    for path, blank, expected in (
        ((0, 0, 3, 0, 1, 1, 3, 3, 1), 3, [0, 0, 1, 1]),
        ((1, 2, 1, 1, 2, 2, 1), 2, [1, 1, 1]),
        ((4, 4, 4, 0, 4, 0, 0), 1, [4, 0, 4, 0]),
        ((2, 2, 2), 2, []),
    ):
        windows = torch.full((len(path), 5), 0.005)
        windows[range(len(path)), path] = 0.98
        for beam_width in (1, 3, 40):
            text, _ = search(windows.log(), blank, beam_width)
            assert text == expected, (
                f"Windows that almost surely say {path}, with {blank} for blank, should read as {expected}, and read "
                f"as {text} with beam_width={beam_width}. The same class again is a new character only behind a blank."
            )


def test_beam_keeps_as_many_prefixes_as_it_is_told() -> None:
    """With few prefixes it finds what the search in the exercise finds, neither more nor less."""
    for windows, classes, blank, beam_width in ((12, 5, 4, 2), (9, 3, 1, 3), (15, 6, 2, 5), (10, 8, 0, 1)):
        same = better = 0
        for _ in range(25):
            log_probabilities = random_windows(windows, classes, 0.8)
            text, _ = search(log_probabilities, blank, beam_width)
            expected = as_described(log_probabilities, blank, beam_width)
            same += text == expected
            found, known = (log_probability(one, log_probabilities, blank) for one in (text, expected))
            better += found > known + 1e-6
        assert same >= 24, (  # rounding may decide which of two equal prefixes is kept
            f"{windows} windows, {classes} classes, blank {blank}, beam_width={beam_width}: on 25 examples it should "
            f"find what the described search finds; it did so {same} times, and found a better text {better} times. "
            "(Better ones are found where more prefixes are kept than beam_width says.) After each window keep the "
            "prefixes with the largest sums, of the paths that end with a blank and of those that end with the last "
            "character together. At the end score all that are left, and the greedy reading."
        )


def test_beam_reads_long_lines_of_many_classes() -> None:
    """On long lines of many classes it is never worse than greedy decoding, and its score is that of its text."""
    for windows, classes, blank, beam_width, sharpness in (
        (300, 30, 17, 2, 1.0),
        (150, 60, 59, 3, 3.0),
        (40, 12, 7, 1, 2),
    ):
        log_probabilities = random_windows(windows, classes, sharpness)
        text, score = search(log_probabilities, blank, beam_width)
        greedy = read(log_probabilities.argmax(dim=1).tolist(), blank)
        full, simple = (log_probability(one, log_probabilities, blank) for one in (text, greedy))
        case = f"{windows} windows, {classes} classes, blank {blank}, beam_width={beam_width}"
        assert math.isfinite(score), f"{case}: expected a number, found the log-probability {score}. Stay with logs."
        assert full >= simple - 1e-6, (
            f"{case}: the text found has the log-probability {full:.3f}, and that of greedy decoding {simple:.3f}. The "
            "greedy reading takes part in the final choice."
        )
        assert abs(score - full) < 1e-2, f"{case}: expected the score {full:.3f}, that of the text; found {score:.3f}."
