"""Exercise 2: rotary positions. Attention sees how far away a place is, not where it is."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from lab_kit.errors import UserError
from text_recognizer.models.attention import KeysAndValues, MultiHeadAttention, attention
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
    if x.shape[-1] % 2:
        raise UserError(f"Rotary positions need an even number of features, not {x.shape[-1]}.")
    positions = torch.arange(first, first + x.shape[-2], device=x.device)
    angles = positions[:, None] * speeds(x.shape[-1]).to(x.device)  # (T, d / 2)
    a, b = x[..., 0::2].float(), x[..., 1::2].float()
    turned = torch.stack([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], dim=-1)
    return turned.flatten(-2).to(x.dtype)


class RotaryAttention(MultiHeadAttention):
    """Several heads of self-attention whose queries and keys, but not values, are turned by their positions.

    The arguments are those of `MultiHeadAttention`.
    """

    def keys_and_values(self, x: Tensor, first: int = 0) -> KeysAndValues:
        """(B, S, dim) -> keys, turned, and values of places from `first` on, (B, heads, S, dim / heads) each."""
        keys, values = super().keys_and_values(x)
        return rotate(keys, first), values

    def forward(
        self, x: Tensor, seen: KeysAndValues, mask: Tensor | None = None, need_weights: bool = False, first: int = 0
    ) -> tuple[Tensor, Tensor | None]:
        """As in `MultiHeadAttention`; the places of `x` are at the positions from `first` on."""
        queries = rotate(self.query(x).unflatten(2, (self.heads, -1)).transpose(1, 2), first)
        if need_weights:
            taken, weights = attention(queries, *seen, mask)
        else:
            taken, weights = functional.scaled_dot_product_attention(queries, *seen, mask), None
        return self.out(taken.transpose(1, 2).flatten(2)), weights
