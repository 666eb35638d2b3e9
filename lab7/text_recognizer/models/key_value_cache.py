"""Keys and values of what has been written already, so that no step calculates them again."""

from torch import Tensor


class KeyValueCache:
    """The keys and values of one layer's self-attention.

    What a place offers never changes once it is written, because it looks at nothing behind it. Each step adds one
    place, and calculates for that place alone: a text of T characters costs T steps of one place each, not
    1 + 2 + ... + T places.

    Args:
        length: the most places that will be written; memory for them is set aside with the first.
    """

    def __init__(self, length: int) -> None:
        self.length, self.written = length, 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values (B, heads, T, d) of T new places; return those of all places so far."""
        if self._keys is None:
            batch, heads, _, features = keys.shape
            self._keys = keys.new_empty(batch, heads, self.length, features)
            self._values = values.new_empty(batch, heads, self.length, features)
        start, self.written = self.written, self.written + keys.shape[2]
        self._keys[:, :, start : self.written] = keys
        self._values[:, :, start : self.written] = values
        return self._keys[:, :, : self.written], self._values[:, :, : self.written]
