"""One layer of a transformer's decoder: look at what is written, look at the picture, think."""

from torch import Tensor, nn

from lab_kit.checks import check_sizes
from text_recognizer.models.attention import KeysAndValues, MultiHeadAttention
from text_recognizer.models.key_value_cache import KeyValueCache


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention and two linear layers, each with a way around it: x + f(norm(x)).

    The layer norm (Ba, Kiros and Hinton, arXiv:1607.06450) gives the features of each place mean 0 and variance 1. It
    stands before each part, not behind it, as at first: such a network learns from the first step, without a slow
    start (Xiong and others, arXiv:2002.04745).

    Args:
        dim: features of a place.
        heads: of attention.
        fc_dim: neurons between the two linear layers.
        dropout: share of what each part adds that is set to zero.
    """

    def __init__(self, dim: int, heads: int, fc_dim: int, dropout: float) -> None:
        super().__init__()
        check_sizes(fc_dim=fc_dim)
        self.self_attention, self.cross_attention = MultiHeadAttention(dim, heads), MultiHeadAttention(dim, heads)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, fc_dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(fc_dim, dim)
        )
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: KeysAndValues,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Work on T places.

        Args:
            x: (B, T, dim).
            memory: keys and values of the S places of the picture: `cross_attention.keys_and_values` makes them.
            mask: which of the T places each of them may look at, as `causal_mask` says.
            memory_mask: which places of the picture count, as `padding_mask` says.
            cache: keys and values of the places before these, to which those of `x` are added.
            need_weights: whether to return where in the picture each place has looked.

        Returns:
            (B, T, dim), and the weights (B, heads, T, S) or None.
        """
        normed = self.norm1(x)
        written = self.self_attention.keys_and_values(normed)
        if cache is not None:
            written = cache.append(*written)
        x = x + self.dropout(self.self_attention(normed, written, mask)[0])
        looked, weights = self.cross_attention(self.norm2(x), memory, memory_mask, need_weights)
        x = x + self.dropout(looked)
        return x + self.dropout(self.feed_forward(self.norm3(x))), weights
