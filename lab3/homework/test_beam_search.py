"""Exercise 1: prefix beam search."""

import itertools
import math
import signal
from collections import defaultdict
from collections.abc import Iterator

import pytest
import torch
from beam_search import beam_search, log_probability
from torch import Tensor

WIDE = 1000  # more prefixes than the small examples have
SECONDS = 60  # far more than a beam search needs here


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """End a search that keeps all prefixes, where the system can."""

    def give_up(*_: object) -> None:
        raise AssertionError(
            f"beam_search() did not end within {SECONDS} seconds. Keep only the `beam_width` most probable prefixes "
            "after each window: without that there are more of them with every window, without end."
        )

    if not hasattr(signal, "SIGALRM"):  # Windows
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def search(log_probabilities: Tensor, blank: int, beam_width: int) -> tuple[list[int], float]:
    """Call beam_search, and check the form of what it returns."""
    found = beam_search(log_probabilities, blank, beam_width)
    try:
        text, score = found
    except (TypeError, ValueError):
        raise AssertionError(f"Expected a text and its log-probability, and beam_search gave {found!r}.") from None
    assert all(isinstance(label, int) for label in text), (
        f"The text should be a list of class numbers (int), and is {text!r}."
    )
    assert blank not in text, f"The text {list(text)} holds the blank ({blank}). Blanks are not text."
    return list(text), float(score)


def random_windows(windows: int, classes: int, sharpness: float = 1.0) -> Tensor:
    """Return log-probabilities (windows, classes): the larger the sharpness, the surer the network."""
    return (sharpness * torch.randn(windows, classes)).log_softmax(dim=1)


def read_path(path: tuple[int, ...] | list[int], blank: int) -> list[int]:
    """Return what a path reads as: of equal neighbours the first, without blanks."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def read_greedily(log_probabilities: Tensor, blank: int) -> list[int]:
    return read_path(log_probabilities.argmax(dim=1).tolist(), blank)


def all_texts(log_probabilities: Tensor, blank: int) -> dict[tuple[int, ...], float]:
    """Return the log-probability of each text there is, from every single path."""
    probabilities = log_probabilities.double().exp().tolist()
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(len(probabilities[0])), repeat=len(probabilities)):
        product = math.prod(window[label] for window, label in zip(probabilities, path, strict=True))
        sums[tuple(read_path(path, blank))] += product
    return {text: math.log(total) for text, total in sums.items()}


def test_paths_that_read_the_same_are_added_up() -> None:
    """The probabilities of all paths that read the same are added up."""
    windows = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    text, _ = search(windows, blank=0, beam_width=4)
    assert text == [1], (
        "Two windows each say 'blank' with probability 0.6 and 'a' with 0.4. The best path is blank-blank (0.36), so "
        "greedy decoding reads nothing. But three paths read as 'a': a-a, a-blank and blank-a, 0.64 together. Expected "
        f"[1], found {text}: add up paths that come to the same prefix, in place of keeping the better one."
    )


def test_a_doubled_character_needs_a_blank_between() -> None:
    """A doubled character is read only where a blank stands between."""
    for path, expected in (((1, 1, 1), [1]), ((1, 0, 1), [1, 1]), ((2, 2, 0, 0, 2, 1), [2, 2, 1]), ((0, 0), [])):
        windows = torch.full((len(path), 3), 0.01)
        windows[range(len(path)), path] = 0.98
        text, _ = search(windows.log(), blank=0, beam_width=10)
        assert text == expected, (
            f"Windows that say {path}, almost surely, with 0 for blank, should read as {expected}, and read as "
            f"{text}. For each prefix keep two sums: paths that end with a blank, and paths that end with the "
            "last character. The same character once more makes the text longer only behind a blank."
        )


def test_a_wide_beam_finds_the_best_text() -> None:
    """A wide beam finds the text that is best among all there are."""
    for windows, classes, blank in ((1, 3, 0), (3, 3, 2), (5, 3, 1), (4, 4, 0), (6, 2, 0)) * 4:
        log_probabilities = random_windows(windows, classes)
        truth = all_texts(log_probabilities, blank)
        best = max(truth, key=truth.__getitem__)
        text, _ = search(log_probabilities, blank, WIDE)
        assert tuple(text) == best, (
            f"{windows} windows, {classes} classes, blank {blank}: of all {classes**windows} paths, most probability "
            f"goes to {list(best)} (log {truth[best]:.3f}), and {text} was found "
            f"(log {truth.get(tuple(text), -math.inf):.3f}). With nothing pruned the search must be exact: is a "
            "way to make a prefix missing, or counted twice?"
        )


def test_a_narrow_beam_finds_it_nearly_always() -> None:
    """A narrow beam finds it nearly always: its sums are right on the way, too."""
    for windows, classes, beam_width in ((6, 3, 4), (8, 2, 2)):
        hits = 0
        for _ in range(100):
            log_probabilities = random_windows(windows, classes)
            truth = all_texts(log_probabilities, blank=0)
            text, _ = search(log_probabilities, 0, beam_width)
            hits += tuple(text) == max(truth, key=truth.__getitem__)
        assert hits >= 97, (
            f"On 100 small examples ({windows} windows, {classes} classes), beam_width={beam_width} found the best "
            f"text {hits} times; with the right sums it does so 97 times or more. So some prefixes are thought "
            "worth too much or too little, and the wrong ones are thrown away. A prefix stays itself when a blank "
            "comes, and when its last character comes again behind that same character; behind a blank that character "
            "makes it longer. Are both of its numbers carried on in each case, and added where prefixes meet? At the "
            "end, score all prefixes in the beam, not the first alone."
        )


def test_it_returns_the_log_probability_of_the_text() -> None:
    """It returns the log-probability of that text, whatever the width."""
    for beam_width in (1, 2, 5, 50):
        log_probabilities = random_windows(30, 8)
        text, score = search(log_probabilities, 0, beam_width)
        expected = log_probability(text, log_probabilities, 0)
        assert abs(score - expected) < 1e-3, (
            f"With beam_width={beam_width}, the score is {score:.4f}, and the text's log-probability is "
            f"{expected:.4f}. The sum that a narrow beam knows leaves out the paths that were pruned on the way. "
            "log_probability(), in your file, gives the whole sum: use it on what is left at the end."
        )


def test_it_is_greedy_where_the_network_is_certain() -> None:
    """Where the network is certain, it reads what greedy decoding reads."""
    for beam_width in (1, 3, 20):
        log_probabilities = random_windows(40, 6, sharpness=60.0)
        text, _ = search(log_probabilities, 3, beam_width)
        expected = read_greedily(log_probabilities, 3)
        assert text == expected, (
            f"Where one class has almost all the probability at each window, the best path is all there is. Expected "
            f"greedy decoding's {expected}, found {text} with beam_width={beam_width}."
        )


def test_it_is_never_worse_than_greedy_decoding() -> None:
    """It is never worse than greedy decoding, in log-probability."""
    for trial, beam_width in itertools.product(range(40), (1, 2, 4)):
        log_probabilities = random_windows(20, 5, sharpness=1 + trial / 10)
        text, _ = search(log_probabilities, 0, beam_width)
        greedy = read_greedily(log_probabilities, 0)
        found, expected = (log_probability(one, log_probabilities, 0) for one in (text, greedy))
        assert found >= expected - 1e-6, (
            f"With beam_width={beam_width}, {text} was found (log {found:.3f}), and greedy decoding reads "
            f"{greedy} (log {expected:.3f}). A narrow beam may prune what would have won in the end, so take the "
            "greedy reading into the final choice: score it by log_probability(), like those left in the beam."
        )


def test_long_lines_do_not_become_zero() -> None:
    """Long lines are read as well: the search calculates with logs."""
    log_probabilities = random_windows(400, 10)
    text, score = search(log_probabilities, 0, 4)
    assert math.isfinite(score), (
        f"400 windows gave {text} with a log-probability of {score}. A product of 400 probabilities is too small "
        "for a computer, and becomes 0. Add logs in place of multiplying, and use log(exp(a) + exp(b)), with the "
        "larger one taken out first, in place of adding (torch.logaddexp shows how)."
    )
    assert score >= log_probability(read_greedily(log_probabilities, 0), log_probabilities, 0) - 1e-3, (
        "On 400 windows the result is worse than greedy decoding: did small probabilities become 0 on the way?"
    )
