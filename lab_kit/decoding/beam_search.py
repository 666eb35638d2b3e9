"""CTC's most probable text, with a language model: A. Hannun and others, First-pass large vocabulary continuous speech
recognition using bi-directional recurrent DNNs, arXiv:1408.2873.
"""

import math

import numpy as np

from lab_kit.decoding.character_model import CharacterModel

WIDTH = 16  # texts that are followed at a time
IMPROBABLE = math.log(1e-3)  # a class this much less probable than the best of its column is not followed
NEVER = -math.inf


def beam_search(
    log_probabilities: np.ndarray, classes: np.ndarray, blank: int, model: CharacterModel, weight: float, bonus: float
) -> str:
    """Return the text with the highest score: CTC's log probability, and what the language model thinks of it.

    Args:
        log_probabilities: (S, classes), of each column of the picture.
        classes: (characters,) the class of each of the model's characters.
        blank: the class for "no character here".
        model: says how probable each character is after those before it.
        weight: of the model's log probability; 0 leaves it out.
        bonus: for each character, because the model makes long texts improbable.
    """
    columns, blanks = log_probabilities[:, classes], log_probabilities[:, blank]
    place = {character: k for k, character in enumerate(model.characters)}
    # For each text, the log probability of all paths that end with a blank, and of those that do not; and its score.
    beam = {"": (0.0, NEVER, 0.0)}
    for column, silence in zip(columns, blanks.tolist(), strict=True):
        least = max(column.max(), silence) + IMPROBABLE
        likely = [(k, value) for k, value in enumerate(column.tolist()) if value > least]
        following: dict[str, list[float]] = {}
        for text, (ended, open_, score) in beam.items():
            whole = float(np.logaddexp(ended, open_))
            _add(following, text, whole + silence, NEVER, score)
            if text:
                _add(following, text, NEVER, open_ + float(column[place[text[-1]]]), score)
            thinks = model.log_probabilities(" " + text) if likely and weight else None
            for k, value in likely:
                character = model.characters[k]
                # A character that is doubled needs a blank between.
                path = (ended if text.endswith(character) else whole) + value
                more = bonus + (weight * float(thinks[k]) if thinks is not None else 0.0)
                _add(following, text + character, NEVER, path, score + more)
        best = sorted(following.items(), key=lambda item: -_score(item[1]))[:WIDTH]
        beam = {text: tuple(values) for text, values in best}
    return max(beam.items(), key=lambda item: _score(item[1]))[0]


def _add(following: dict[str, list[float]], text: str, ended: float, open_: float, score: float) -> None:
    before = following.get(text)
    if before is None:
        following[text] = [ended, open_, score]
    else:
        before[0], before[1] = float(np.logaddexp(before[0], ended)), float(np.logaddexp(before[1], open_))


def _score(values: list[float]) -> float:
    return float(np.logaddexp(values[0], values[1])) + values[2]
