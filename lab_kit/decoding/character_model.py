"""A language model of characters: how probable each is after those before it, counted in a text.

The counts of longer and shorter contexts are mixed as I. Witten and T. Bell do, The zero-frequency problem, IEEE
Transactions on Information Theory 37(4), 1991: the more different characters were seen after a context, the less is it
trusted, and the more the next shorter one.
"""

from collections.abc import Sequence

import numpy as np


class CharacterModel:
    """An n-gram model of characters.

    Args:
        text: what is counted in; characters that are not among `characters` end a context.
        characters: those that can be read, each once.
        order: characters of an n-gram: the context is one shorter. With `len(characters)` below 127, at most 9.
    """

    def __init__(self, text: str, characters: Sequence[str], order: int = 6) -> None:
        self.characters, self.order = tuple(characters), order
        self._place = {character: place for place, character in enumerate(self.characters)}
        self._base = len(self.characters) + 1
        if self._base**order >= 1 << 63:
            raise ValueError(f"n-grams of {order} among {len(self.characters)} characters are too many to be numbered")
        table = np.full(0x110000, -1, np.int64)
        for character, place in self._place.items():
            table[ord(character)] = place
        codes = table[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
        self._grams, self._counts = [], []  # for each length, the n-grams that occur as sorted numbers, and how often
        number, known = np.zeros(len(codes), np.int64), np.ones(len(codes), bool)
        for length in range(1, order + 1):
            ends = slice(length - 1, None)
            number = number[: len(codes) - length + 1][: max(0, len(codes) - length + 1)]
            number = number * self._base + codes[ends] + 1
            known = known[: len(number)] & (codes[ends] >= 0)
            grams, counts = np.unique(number[known], return_counts=True)
            self._grams.append(grams)
            self._counts.append(counts)
        self._known: dict[str, np.ndarray] = {}

    def log_probabilities(self, context: str) -> np.ndarray:
        """Return the logarithm of each character's probability, (characters,) float64, after `context`."""
        context = context[len(context) - min(len(context), self.order - 1) :]
        found = self._known.get(context)
        if found is None:
            found = self._known[context] = np.log(self._probabilities(context))
        return found

    def _probabilities(self, context: str) -> np.ndarray:
        size = len(self.characters)
        shorter = self._probabilities(context[1:]) if context else np.full(size, 1 / size)
        number = 0
        for character in context:
            if character not in self._place:
                return shorter
            number = number * self._base + self._place[character] + 1
        grams, counts = self._grams[len(context)], self._counts[len(context)]
        first, last = np.searchsorted(grams, [number * self._base, (number + 1) * self._base])
        seen = np.zeros(size)
        seen[grams[first:last] % self._base - 1] = counts[first:last]
        total, different = seen.sum(), last - first
        return (seen + different * shorter) / (total + different) if different else shorter
