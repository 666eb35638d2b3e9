"""Exercise 1: beam search for a decoder."""

import itertools
import math

import torch
from decoder_beam import Ask, ask_decoder, beam_search
from torch import Tensor

from text_recognizer.data.character_mapping import MAPPING
from text_recognizer.models.text_decoder import TextDecoder

END, CLASSES = 0, 4  # of the small examples
WIDE = 1000  # more texts than they have


def table(seed: int, sharpness: float = 2.0) -> Ask:
    """Return a decoder that expects something else behind each text, at random."""

    def ask(texts: list[list[int]]) -> Tensor:
        rows = []
        for text in texts:
            number = sum((label + 1) * (CLASSES + 1) ** place for place, label in enumerate(text))
            random = torch.Generator().manual_seed(1_000 * seed + number)
            rows.append(sharpness * torch.randn(CLASSES, generator=random))
        return torch.stack(rows).log_softmax(dim=1)

    return ask


def by_hand(expected: dict[str, dict[str, float]]) -> Ask:
    """Return a decoder that expects what a table says: behind each text, the probability of `$` (the end), a, b, c."""

    def ask(texts: list[list[int]]) -> Tensor:
        found = [expected["".join("$abc"[label] for label in text)] for text in texts]
        return torch.tensor([[row.get(name, 1e-9) for name in "$abc"] for row in found]).log()

    return ask


def search(ask: Ask, length: int, beam_width: int, end: int = END) -> tuple[list[int], float]:
    """Call beam_search, and check the form of what it returns."""
    found = beam_search(ask, end, length, beam_width)
    try:
        text, score = found
    except (TypeError, ValueError):
        raise AssertionError(f"Expected a text and its log-probability, and beam_search gave {found!r}.") from None
    assert all(isinstance(label, int) for label in text), f"The text should be a list of int, and is {text!r}."
    assert end not in text, f"The text {list(text)} holds the end ({end}): return it without."
    return list(text), float(score)


def log_probability(text: list[int], ask: Ask, length: int) -> float:
    """Return the log-probability of a text and, unless it is of full length, of the end behind it."""
    labels = [*text, END][:length]
    return sum(ask([labels[:place]])[0, label].item() for place, label in enumerate(labels))


def greedy(ask: Ask, length: int) -> list[int]:
    text: list[int] = []
    while len(text) < length and (label := int(ask([text])[0].argmax())) != END:
        text.append(label)
    return text


def test_a_good_beginning_is_not_all() -> None:
    """The most probable text wins, even if another one begins better."""
    ask = by_hand(
        {
            "": {"a": 0.6, "b": 0.4},
            **{"a": {"$": 0.3, "a": 0.35, "b": 0.35}, "b": {"$": 0.9, "a": 0.1}},
            **{text: {"$": 1.0} for text in ("aa", "ab", "ba", "bb")},
        }
    )
    text, _ = search(ask, 3, 2)
    assert text == [2], (
        "The first character is 'a' with probability 0.6, or 'b' with 0.4. Behind 'b' the text ends with 0.9, behind "
        "'a' three continuations are about as probable. So 'b' has 0.36, and no other text more than 0.21. Expected "
        f"[2], which is 'b', with two texts in the beam, and found {text}: keep the best texts at each step, not the "
        "best one, and compare whole texts at the end."
    )


def test_one_text_is_greedy_decoding() -> None:
    """With one text in the beam, it is greedy decoding."""
    for seed in range(20):
        expected, (text, _) = greedy(table(seed), 6), search(table(seed), 6, 1)
        assert text == expected, (
            f"With beam_width=1, the most probable next class is all that is kept. Greedy decoding writes {expected}, "
            f"and beam_search wrote {text}. If the end is the most probable class, the search is over."
        )


def test_a_wide_beam_finds_the_best_text() -> None:
    """A wide beam finds the text that is best among all there are."""
    for seed, length in itertools.product(range(6), (1, 2, 3, 4)):
        labels = [label for label in range(CLASSES) if label != END]
        texts = [list(text) for count in range(length + 1) for text in itertools.product(labels, repeat=count)]
        truth = {tuple(text): log_probability(text, table(seed), length) for text in texts}
        best = max(truth, key=truth.__getitem__)
        text, _ = search(table(seed), length, WIDE)
        assert tuple(text) == best, (
            f"Of all texts of at most {length} classes, {list(best)} is the most probable (log {truth[best]:.3f}); "
            f"found was {text} (log {truth.get(tuple(text), -math.inf):.3f}). With nothing thrown away the search must "
            "be exact. Are texts of full length, which need no end, among those compared? And the empty one?"
        )


def test_it_returns_the_log_probability_of_the_text() -> None:
    """It returns the log-probability of that text, the end included."""
    for seed, beam_width in itertools.product(range(5), (1, 3)):
        ask = table(seed, sharpness=1.0)
        text, score = search(ask, 5, beam_width)
        expected = log_probability(text, ask, 5)
        assert abs(score - expected) < 1e-4, (
            f"The log-probability of {text} is {expected:.4f}, and beam_search says {score:.4f}. It is the sum over "
            "all classes of the text and its end: the sum so far goes into the next step."
        )


def test_a_finished_text_is_left_alone() -> None:
    """A finished text waits, and nobody asks what comes behind it."""
    for seed in range(10):
        asked: list[list[int]] = []

        def ask(texts: list[list[int]], seed: int = seed, asked: list[list[int]] = asked) -> Tensor:
            asked.extend(list(text) for text in texts)
            return table(seed)(texts)

        search(ask, 5, 4)
        wrong = [text for text in asked if END in text]
        assert not wrong, (
            f"ask() was called for {wrong[:1]}, a text with the end ({END}) in it. Put such a text aside, with its "
            "log-probability, and compare it with the others when the search is over."
        )


def test_all_texts_are_asked_about_at_once() -> None:
    """Each step asks once, about at most as many texts as the beam is wide."""
    for beam_width in (1, 2, 5):
        calls: list[list[list[int]]] = []

        def ask(texts: list[list[int]], calls: list[list[list[int]]] = calls) -> Tensor:
            calls.append([list(text) for text in texts])
            row = torch.tensor([0.001, 0.35, 0.333, 0.316]).log()
            return row.expand(len(texts), -1)

        search(ask, 7, beam_width)
        sizes = [len(texts) for texts in calls]
        lengths = [sorted({len(text) for text in texts}) for texts in calls]
        assert lengths == [[step] for step in range(7)], (
            f"Texts of at most 7 classes take 7 steps, and step t asks once, about texts of t classes. Here the calls "
            f"of ask() were about texts of these lengths: {lengths}."
        )
        assert max(sizes) == beam_width, (
            f"With beam_width={beam_width} a step should ask about {beam_width} texts, as soon as there are so many: "
            f"of all continuations of all texts together, keep the best {beam_width}. It was about {sizes}."
        )


def test_it_stops_when_nothing_better_can_come() -> None:
    """It stops as soon as no unfinished text can become the best."""
    calls: list[int] = []

    def ask(texts: list[list[int]]) -> Tensor:
        calls.append(len(texts))
        return torch.tensor([0.7, 0.2, 0.06, 0.04]).log().expand(len(texts), -1)

    text, _ = search(ask, 40, 3)
    assert text == [], f"The empty text has probability 0.7 here, and all others together 0.3; found was {text}."
    assert len(calls) <= 2, (
        f"The empty text has probability 0.7, and no other can have more, but the search went on for {len(calls)} "
        "steps. The log-probability of a text only falls as it grows: stop when the best finished text is at least as "
        "probable as the best unfinished one."
    )


def test_a_wider_beam_is_nearly_always_better() -> None:
    """A beam of four texts is nearly always at least as good as greedy decoding, and often better."""
    better = as_good = 0
    for seed in range(100):
        ask = table(seed, sharpness=1.0)
        text, _ = search(ask, 6, 4)
        found, simple = (log_probability(each, ask, 6) for each in (text, greedy(ask, 6)))
        better += found > simple + 1e-6
        as_good += found >= simple - 1e-6
    assert as_good >= 97, (
        f"With beam_width=4 the text was less probable than that of greedy decoding {100 - as_good} times of 100; it "
        "should be 3 times at most. Are the sums of log-probabilities compared, over all texts, and not those of the "
        "last class alone?"
    )
    assert better >= 40, (
        f"With beam_width=4 the text was more probable than that of greedy decoding {better} times of 100; it should "
        "be 40 times or more. Are four different texts kept, or is it the same one four times?"
    )


def test_it_writes_with_a_real_decoder() -> None:
    """With a TextDecoder, one text is what write() writes, and five are at least as probable on average."""
    torch.manual_seed(1)
    decoder = TextDecoder(MAPPING, 8, 16, 2, fc_dim=16, layers=1, dropout=0.0).eval()
    decoder.fc.weight.data *= 2
    gains = []
    for _ in range(10):
        memory = 3 * torch.randn(1, 9, 16)
        written = decoder.write(memory).argmax(dim=1)[0].tolist()
        expected = written[: written.index(decoder.end)] if decoder.end in written else written
        ask = ask_decoder(decoder, memory)
        one, five = (search(ask, decoder.length, width, decoder.end) for width in (1, 5))
        assert one[0] == expected, f"write() wrote {expected}, and beam_search with beam_width=1 wrote {one[0]}."
        gains.append(five[1] - one[1])
    assert sum(gains) > 0, f"Five texts in the beam in place of one change the log-probabilities by {gains}: for worse."
