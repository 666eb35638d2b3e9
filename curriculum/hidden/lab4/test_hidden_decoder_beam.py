"""Exercise 1: beam search for a decoder (checks that were not handed out)."""

import itertools

import torch
from decoder_beam import Ask, ask_decoder, beam_search
from torch import Tensor

from text_recognizer.data.character_mapping import MAPPING
from text_recognizer.models.text_decoder import TextDecoder


def table(seed: int, classes: int, sharpness: float = 1.0) -> Ask:
    """Return a decoder of so many classes that expects something else behind each text, at random."""

    def ask(texts: list[list[int]]) -> Tensor:
        rows = []
        for text in texts:
            number = sum((label + 1) * (classes + 1) ** place for place, label in enumerate(text))
            generator = torch.Generator().manual_seed(100_000 * seed + number % 99_991)
            rows.append(sharpness * torch.randn(classes, generator=generator))
        return torch.stack(rows).log_softmax(dim=1)

    return ask


def search(ask: Ask, end: int, length: int, beam_width: int) -> tuple[list[int], float]:
    text, score = beam_search(ask, end, length, beam_width)
    return list(text), float(score)


def log_probability(text: list[int], ask: Ask, end: int, length: int) -> float:
    """Return the log-probability of a text and, unless it is of full length, of the end behind it."""
    labels = [*text, end][:length]
    return sum(ask([labels[:place]])[0, label].item() for place, label in enumerate(labels))


def as_described(ask: Ask, end: int, length: int, beam_width: int) -> list[int]:
    """Search as the exercise describes it: all continuations of all texts, sorted, and the first of them kept."""
    beam: list[tuple[list[int], float]] = [([], 0.0)]
    finished: list[tuple[list[int], float]] = []
    for step in range(1, length + 1):
        grown = [
            ([*text, label], score + log) for text, score in beam for label, log in enumerate(ask([text])[0].tolist())
        ]
        kept = sorted(grown, key=lambda item: item[1], reverse=True)[:beam_width]
        done = [item for item in kept if item[0][-1] == end or step == length]
        finished += done
        beam = [item for item in kept if item not in done]
    best, _ = max(finished, key=lambda item: item[1])
    return [label for label in best if label != end]


def test_beam_is_exact_where_nothing_is_thrown_away() -> None:
    """With a wide beam it finds the best text and its log-probability, with any number of classes and any end."""
    for classes, end, length in ((6, 3, 3), (3, 2, 5), (5, 1, 1), (2, 1, 6), (7, 6, 2)):
        labels = [label for label in range(classes) if label != end]
        texts = [list(text) for count in range(length + 1) for text in itertools.product(labels, repeat=count)]
        for seed in range(3):
            ask = table(seed, classes)
            truth = {tuple(text): log_probability(text, ask, end, length) for text in texts}
            best = max(truth, key=truth.__getitem__)
            text, score = search(ask, end, length, 900)
            assert tuple(text) == best, (
                f"{classes} classes, of which {end} is the end, and at most {length} of them in a text: the most "
                f"probable text is {list(best)} (log {truth[best]:.3f}), and {text} was found."
            )
            assert abs(score - truth[best]) < 1e-4, (
                f"The log-probability of {text}, its end included, is {truth[best]:.4f}; found was {score:.4f}."
            )


def test_beam_keeps_as_many_texts_as_it_is_told() -> None:
    """With few texts in the beam it finds what the search in the exercise finds, neither more nor less."""
    for classes, end, length, beam_width in ((6, 4, 5, 2), (9, 0, 4, 3), (4, 3, 7, 6), (12, 5, 6, 1)):
        same = 0
        for seed in range(20):
            ask = table(seed, classes)
            same += search(ask, end, length, beam_width)[0] == as_described(ask, end, length, beam_width)
        assert same >= 19, (  # rounding may decide which of two equal texts is kept
            f"{classes} classes, of which {end} is the end, texts of at most {length}, beam_width={beam_width}: on 20 "
            f"examples it should find what the described search finds, and did so {same} times. At each step, of all "
            f"continuations of all texts, keep the {beam_width} most probable ones; put aside those that end."
        )


def test_beam_stops_at_any_step_where_nothing_better_can_come() -> None:
    """It stops as soon as no unfinished text can become the best, also when the end comes late and is not class 0."""
    end, path = 4, [2, 2, 0, 1]
    calls: list[list[list[int]]] = []

    def ask(texts: list[list[int]]) -> Tensor:
        calls.append([list(text) for text in texts])
        rows = torch.full((len(texts), 6), 0.02)
        for row, text in zip(rows, texts, strict=True):
            row[[*path, end][len(text)] if list(text) == path[: len(text)] else 5] = 0.9
        return rows.log()

    text, _ = search(ask, end, 50, 4)
    assert text == path, f"Expected {path}, which has the probability 0.9 ** 5, and found {text}."
    assert len(calls) <= 6, (
        f"The end behind {path} comes at the fifth step, with a probability of 0.59. All other texts together have "
        f"less, and become less probable as they grow, but ask() was called {len(calls)} times: expected are 5."
    )
    asked = [text for texts in calls for text in texts]
    assert not [text for text in asked if end in text], "ask() was called for a text with the end in it."
    widest = max(len(texts) for texts in calls)
    assert widest <= 4, f"With beam_width=4, ask() was called about {widest} texts at once."


def test_beam_writes_with_another_decoder() -> None:
    """With a TextDecoder of other sizes, one text is what write() writes, and the score is that of the text."""
    torch.manual_seed(5)
    decoder = TextDecoder(MAPPING, 12, 24, 3, fc_dim=20, layers=2, dropout=0.0).eval()
    decoder.fc.weight.data *= 2
    for _ in range(4):
        memory = 3 * torch.randn(1, 5, 24)
        written = decoder.write(memory).argmax(dim=1)[0].tolist()
        expected = written[: written.index(decoder.end)] if decoder.end in written else written
        ask = ask_decoder(decoder, memory)
        text, _ = search(ask, decoder.end, decoder.length, 1)
        assert text == expected, f"write() wrote {expected}, and beam_search with beam_width=1 wrote {text}."
        text, score = search(ask, decoder.end, decoder.length, 3)
        full = log_probability(text, ask, decoder.end, decoder.length)
        assert abs(score - full) < 1e-3, f"The log-probability of {text} is {full:.4f}; found was {score:.4f}."
