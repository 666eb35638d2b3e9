"""Exercise 2: rotary positions. Attention sees how far away a place is, not where it is."""

import math

import torch
from torch import Tensor

from text_recognizer.models.attention import KeysAndValues, MultiHeadAttention
from text_recognizer.models.positions import SLOWEST


def speeds(dim: int) -> Tensor:
    """Return (dim / 2,) float32: how far each pair of features turns from one place to the next, in radians.

    This one is done for you: they are the speeds of `positions_1d`, from 1 down to nearly 1 / 10,000.
    """
    return torch.exp(torch.arange(0, dim, 2) * (-math.log(SLOWEST) / dim))


def rotate(x: Tensor, first: int = 0) -> Tensor:
    """Turn the features of each place by its position (Su and others, arXiv:2104.09864).

    Features 0 and 1 are a pair, 2 and 3 are the next, and so on. A pair (a, b) at position p becomes
    (a cos(w) - b sin(w), a sin(w) + b cos(w)), where the angle w is p times the speed of the pair.

    Args:
        x: (..., T, d), features of T places.
        first: the position of the first of them; the others follow.

    Returns:
        (..., T, d), of the type of `x`. Angles, sines and cosines are calculated in float32 all the same.

    Raises:
        UserError: d is odd.
    """
    raise NotImplementedError("rotate() in homework/rotary.py is still a stub: write its body.")


class RotaryAttention(MultiHeadAttention):
    """Several heads of self-attention whose queries and keys, but not values, are turned by their positions.

    The arguments are those of `MultiHeadAttention`.
    """

    def keys_and_values(self, x: Tensor, first: int = 0) -> KeysAndValues:
        """(B, S, dim) -> keys, turned, and values of places from `first` on, (B, heads, S, dim / heads) each."""
        raise NotImplementedError("RotaryAttention.keys_and_values() in homework/rotary.py is still a stub.")

    def forward(
        self, x: Tensor, seen: KeysAndValues, mask: Tensor | None = None, need_weights: bool = False, first: int = 0
    ) -> tuple[Tensor, Tensor | None]:
        """As in `MultiHeadAttention`; the places of `x` are at the positions from `first` on."""
        raise NotImplementedError("RotaryAttention.forward() in homework/rotary.py is still a stub: write its body.")
