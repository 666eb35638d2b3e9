"""Attention from scratch: each place of one sequence looks at all places of another, and takes what it needs.

A. Vaswani and others, Attention is all you need, arXiv:1706.03762.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab_kit.checks import check_sizes
from lab_kit.errors import UserError

KeysAndValues = tuple[Tensor, Tensor]


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention: each query gets the mean of the values, weighted by how well their keys fit.

    Args:
        queries: (..., T, d), what each of T places looks for.
        keys: (..., S, d), what each of S places offers.
        values: (..., S, v), what is taken from there.
        mask: bool, of a shape that broadcasts to (..., T, S): where a query may look. Each must be allowed some place.

    Returns:
        (..., T, v), and the weights (..., T, S), which are positive and add up to 1 over S.
    """
    # The sum of d products of numbers with variance 1 has variance d. Undivided, softmax would take one place alone.
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)  # of which softmax makes 0
    weights = scores.softmax(dim=-1)
    return weights @ values, weights


def fused_attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return what `attention` returns first, from PyTorch, which never holds all weights in memory, and is faster."""
    if queries.device.type == "cpu" and queries.dtype == torch.bfloat16 and torch.is_grad_enabled():
        # In bfloat16, its way back takes two to three times as long on a CPU as in float32.
        with torch.autocast("cpu", enabled=False):
            taken = functional.scaled_dot_product_attention(queries.float(), keys.float(), values.float(), mask)
        return taken.to(queries.dtype)
    return functional.scaled_dot_product_attention(queries, keys, values, mask)


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Return (T, T) bool: place t may look at itself and at what is before it, or it could copy what it shall guess."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """Return (B, 1, 1, size) bool, for all heads and queries: of sequence b, only the first `lengths[b]` places count.

    Args:
        lengths: (B,) int64, from 1 to `size`.
        size: places with padding.
    """
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None, None]


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each in a part of the features: one may look for the place, one for the shape.

    Args:
        dim: features of a place.
        heads: how many parts they are cut into.

    Raises:
        UserError: `dim` is not a multiple of `heads`.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        check_sizes(dim=dim, heads=heads)
        if dim % heads:
            raise UserError(f"{dim} features cannot be shared out evenly among {heads} heads of attention.")
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def keys_and_values(self, x: Tensor) -> KeysAndValues:
        """(B, S, dim) -> the keys and the values of its places, (B, heads, S, dim / heads) each."""
        return self._split(self.key(x)), self._split(self.value(x))

    def forward(
        self, x: Tensor, seen: KeysAndValues, mask: Tensor | None = None, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Let each place of `x` look at what is `seen`.

        Args:
            x: (B, T, dim).
            seen: keys and values of S places.
            mask: bool, of a shape that broadcasts to (B, heads, T, S): where each may look.
            need_weights: whether to return where each has looked, which takes longer.

        Returns:
            (B, T, dim), and the weights (B, heads, T, S) or None.
        """
        queries = self._split(self.query(x))
        if need_weights:
            taken, weights = attention(queries, *seen, mask)
        else:
            taken, weights = fused_attention(queries, *seen, mask), None
        return self.out(taken.transpose(1, 2).flatten(2)), weights  # the heads side by side again

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, dim) -> (B, heads, T, dim / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)
