"""A transformer's decoder: it writes a text, one character after the other, and looks at a picture meanwhile."""

import torch
from torch import Tensor, nn

from lab_kit.checks import check_fraction, check_sizes
from text_recognizer.models.attention import KeysAndValues, causal_mask
from text_recognizer.models.decoder_layer import DecoderLayer
from text_recognizer.models.key_value_cache import KeyValueCache
from text_recognizer.models.positions import positions_1d

IMPOSSIBLE = -1e4  # a logit


class TextDecoder(nn.Module):
    """Characters become features, layers of attention work on them, and each place says which character comes next.

    Args:
        mapping: class index -> character; it has the tokens for start, end and padding.
        length: the most places of a text, the end token included.
        dim: features of a place.
        heads: of attention.
        fc_dim: neurons between the two linear layers of each layer.
        layers: how many are on top of each other.
        dropout: share of features that is set to zero in training.
    """

    def __init__(
        self, mapping: tuple[str, ...], length: int, dim: int, heads: int, fc_dim: int, layers: int, dropout: float
    ) -> None:
        from text_recognizer.data.character_mapping import END, PADDING, START  # here: it imports Lightning

        super().__init__()
        check_sizes(tf_layers=layers)
        check_fraction(tf_dropout=dropout)
        self.length = length
        self.start, self.end, self.padding = (mapping.index(token) for token in (START, END, PADDING))
        self.embedding = nn.Embedding(len(mapping), dim)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, fc_dim, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, len(mapping))
        self.register_buffer("positions", positions_1d(length, dim), persistent=False)

    def forward(self, tokens: Tensor, memory: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        """Say which character comes next behind each token: all places at once, as in training.

        Args:
            tokens: (B, T) classes, the start token first; T is at most `length`.
            memory: (B, S, dim), the picture.
            memory_mask: which places of the picture count, as `padding_mask` says; all, if not given.

        Returns:
            logits (B, classes, T): at place t, for what comes behind token t, which it has not seen.
        """
        mask = causal_mask(tokens.shape[1], tokens.device)
        return self._work(tokens, 0, self._seen(memory), mask, memory_mask)[0]

    def look(self, tokens: Tensor, memory: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        """Return where the last layer looks while it finds what comes behind each token, (B, T, S): a mean over heads.

        The arguments are those of `forward`.
        """
        mask = causal_mask(tokens.shape[1], tokens.device)
        return self._work(tokens, 0, self._seen(memory), mask, memory_mask, need_weights=True)[1].mean(dim=1)

    def write(self, memory: Tensor, memory_mask: Tensor | None = None, use_cache: bool = True) -> Tensor:
        """Write the text of pictures by greedy decoding: always go on with the most probable character.

        Args:
            memory: (B, S, dim), the pictures.
            memory_mask: which places of them count, as `padding_mask` says; all, if not given.
            use_cache: keep the keys and values of what is written. Without, each step begins from the start: for
                comparison.

        Returns:
            logits (B, classes, length): behind the end token, padding alone is possible.
        """
        tokens = torch.full((len(memory), 1), self.start, device=memory.device)
        finished = torch.zeros(len(memory), dtype=torch.bool, device=memory.device)
        nothing = torch.full((self.fc.out_features,), IMPOSSIBLE, device=memory.device)
        nothing[self.padding] = 0.0
        seen, caches = self._seen(memory), [KeyValueCache(self.length) for _ in self.layers]
        steps: list[Tensor] = []
        while len(steps) < self.length and not finished.all():
            if use_cache:  # of the last token alone; it may look at all before it, so there is nothing to mask
                logits = self._work(tokens[:, -1:], len(steps), seen, None, memory_mask, caches)[0]
            else:
                logits = self(tokens, memory, memory_mask)
            logits = torch.where(finished[:, None], nothing, logits[:, :, -1].float())
            steps.append(logits)
            best = logits.argmax(dim=1)
            finished = finished | (best == self.end)
            tokens = torch.cat([tokens, best[:, None]], dim=1)
        rest = nothing[None, :, None].expand(len(memory), -1, self.length - len(steps))
        return torch.cat([torch.stack(steps, dim=2), rest], dim=2)

    def _seen(self, memory: Tensor) -> list[KeysAndValues]:
        """Return the keys and values of the picture for each layer."""
        return [layer.cross_attention.keys_and_values(memory) for layer in self.layers]

    def _work(
        self,
        tokens: Tensor,
        first: int,
        seen: list[KeysAndValues],
        mask: Tensor | None,
        memory_mask: Tensor | None,
        caches: list[KeyValueCache] | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits (B, classes, T) and the last layer's weights of tokens (B, T), the first of them at `first`."""
        x = self.dropout(self.embedding(tokens) + self.positions[first : first + tokens.shape[1]])
        for layer, memory, cache in zip(self.layers, seen, caches or [None] * len(self.layers), strict=True):
            x, weights = layer(x, memory, mask, memory_mask, cache, need_weights)
        return self.fc(self.norm(x)).transpose(1, 2), weights
