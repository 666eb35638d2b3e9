"""A picture in the store with its reading and correction."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

COLUMNS = "number, id, text, confidence, guesses, model, how, kept, label, labelled, shape, seen"


class Reading(Protocol):
    """The result of reading a picture: the text, its confidence, and the best guesses with their confidences."""

    text: str
    confidence: float
    guesses: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class KeptPicture:
    """A picture in the store, without the file that the visitor sent (`Store.original_file` returns that).

    Args:
        id: the id, known only to the visitor.
        text, confidence, guesses: the reading, as in `Reading`.
        seen: (C, H, W) uint8, the input of the network.
        model: the digest of the model that read the picture.
        how: pen or photo.
        when: the time when it was kept, in UTC.
        label: what a visitor says that it shows; None without an answer.
        labelled: the time of that answer, in UTC.
    """

    id: str
    text: str
    confidence: float
    guesses: tuple[tuple[str, float], ...]
    seen: np.ndarray
    model: str
    how: str
    when: datetime
    label: str | None
    labelled: datetime | None

    @property
    def corrected(self) -> bool:
        """Whether the visitor's label differs from the reading."""
        return self.label is not None and self.label != self.text


def picture_from_row(row: tuple) -> KeptPicture:
    """Convert a row of the database, with the columns `COLUMNS`, to a KeptPicture."""
    _, id, text, confidence, guesses, model, how, kept, label, labelled, shape, seen = row
    return KeptPicture(
        id=id,
        text=text,
        confidence=confidence,
        guesses=tuple((guess, share) for guess, share in json.loads(guesses)),
        seen=np.frombuffer(seen, dtype=np.uint8).reshape(json.loads(shape)),
        model=model,
        how=how,
        when=datetime.fromisoformat(kept),
        label=label,
        labelled=labelled and datetime.fromisoformat(labelled),
    )
