"""The language model against naive counting, and beam search against all paths that there are."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_kit.decoding.beam_search import beam_search
from lab_kit.decoding.character_model import CharacterModel

TEXT = "the theme then; the others\nthe thin thing. " * 3 + "a bath"
LETTERS = sorted(set(TEXT) - {"\n", ";"})


def naive(text, letters, context, order):
    """Return the probability of each letter after the context, counted word by word."""
    probabilities = dict.fromkeys(letters, 1 / len(letters))
    context = context[len(context) - min(len(context), order - 1) :]
    for length in range(len(context) + 1):
        ending = context[len(context) - length :]
        places = range(len(text) - length)
        seen = Counter(
            text[at + length]
            for at in places
            if text[at : at + length] == ending and set(text[at : at + length + 1]) <= set(letters)
        )
        if seen:
            total, different = sum(seen.values()), len(seen)
            probabilities = {c: (seen[c] + different * p) / (total + different) for c, p in probabilities.items()}
    return [probabilities[letter] for letter in letters]


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("context", ["", " ", "th", "e th", "xxthe", "zzz", "q", "ba"])
def test_probabilities_are_those_of_naive_counting(context, order):
    found = np.exp(CharacterModel(TEXT, LETTERS, order).log_probabilities(context))
    assert found == pytest.approx(naive(TEXT, LETTERS, context, order))
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "a", "ab"])
def test_a_text_shorter_than_an_n_gram_will_do(text):
    found = np.exp(CharacterModel(text, "abc", 4).log_probabilities("ab"))
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()


def test_too_many_n_grams_are_refused():
    with pytest.raises(ValueError, match="too many"):
        CharacterModel(TEXT, [chr(k) for k in range(32, 127)], 12)


def best_of_all_paths(log_probabilities, model, weight, bonus):
    """Return the score of each text: the sum over all of its paths, with the language model's."""
    columns, classes = log_probabilities.shape
    scores = {}
    for path in itertools.product(range(classes), repeat=columns):
        merged = [k for k, _ in itertools.groupby(path) if k > 0]
        text = "".join(model.characters[k - 1] for k in merged)
        value = sum(log_probabilities[column, k] for column, k in enumerate(path))
        scores[text] = np.logaddexp(scores.get(text, -math.inf), value)
    places = {character: k for k, character in enumerate(model.characters)}
    for text in scores:
        for end, character in enumerate(text):
            scores[text] += bonus + weight * model.log_probabilities(" " + text[:end])[places[character]]
    return scores


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0]))
def test_the_text_found_is_the_best_of_all(seed, weight, bonus):
    model = CharacterModel("abba ab aab ", "ab ", 3)
    logits = np.random.default_rng(seed).normal(0, 1.5, (5, 4))
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    scores = best_of_all_paths(log_probabilities, model, weight, bonus)
    found = beam_search(log_probabilities, np.array([1, 2, 3]), 0, model, weight, bonus)
    assert scores[found] == pytest.approx(max(scores.values()), abs=0.3)  # a beam is narrow
    assert sorted(scores.values())[-2] <= scores[found] + 0.3


def test_the_language_decides_where_the_picture_does_not():
    model = CharacterModel("the then there them the ", "theknrm ", 4)
    order = {character: k + 1 for k, character in enumerate(model.characters)}
    columns = np.full((5, 9), 1e-4)
    for column, shares in enumerate([{"t": 0.9}, {"h": 0.45, "k": 0.55}, {"e": 0.9}]):
        for character, share in shares.items():
            columns[2 * column, order[character]] = share
    columns[1::2, 0] = 1
    values = np.log(columns / columns.sum(axis=1, keepdims=True))
    classes = np.arange(1, 9)
    assert beam_search(values, classes, 0, model, 0.0, 0.0) == "tke"
    assert beam_search(values, classes, 0, model, 0.5, 0.0) == "the"


def test_nothing_is_read_from_silence():
    model = CharacterModel(TEXT, LETTERS, 3)
    silence = np.log(np.full((6, len(LETTERS) + 1), 1e-6))
    silence[:, 0] = 0
    assert beam_search(silence, np.arange(1, len(LETTERS) + 1), 0, model, 0.5, 1.0) == ""
