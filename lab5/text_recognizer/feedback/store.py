"""What visitors wrote, what was read, and what they say it is: kept in one SQLite file.

The store knows nothing of visitors: no address, no browser, no session; whoever passes in a picture has asked whether
it may be kept. A visitor holds the picture's id, which nobody can guess, and with it can correct the picture, or have
it forgotten.

A Store may be used from several threads, and several programs may use one file: each change waits for its turn, and is
on the disk when the method returns (`database` says how).
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from text_recognizer.errors import UserError
from text_recognizer.feedback import database
from text_recognizer.paths import readable

if TYPE_CHECKING:
    from text_recognizer.shipping.decoding import Reading

HOW = ("pen", "photo")
LONGEST_LABEL = 1000  # characters
CHUNK = 200  # pictures read at a time: while one program reads, no other can write
ROW = 8192  # bytes that a picture takes beside its two files: two pages

COLUMNS = "number, id, text, confidence, guesses, model, how, kept, label, labelled, shape, seen"


@dataclass(frozen=True)
class Kept:
    """A picture that was kept, all but the file that the visitor sent (that one is `Store.drawn(id)`).

    Args:
        id: which.
        text, confidence, guesses: the reading, as in `Reading`.
        seen: (C, H, W) uint8, what the network saw.
        model: the digest of the model that read it.
        how: pen or photo.
        when: in UTC.
        label: what a visitor says that it is; None as long as nobody has said anything.
        labelled: when that was said, in UTC.
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
        """Whether a visitor says that it is something else than was read."""
        return self.label is not None and self.label != self.text


class Store:
    """The pictures in one file; make it with `open`, and close it at the end.

    Attributes:
        path: the file.
        limit: bytes that the file may come to.
        name: 8 hex digits that tell this store from others.
    """

    path: Path
    limit: int
    name: str

    def __init__(self, path: Path, connection: sqlite3.Connection, limit: int) -> None:
        self.path, self.limit = path, limit
        self._connection, self._lock = connection, threading.Lock()
        self.name = connection.execute("SELECT value FROM about WHERE name = 'name'").fetchone()[0]

    @classmethod
    def open(cls, path: str | Path, limit: int = 1 << 30, create: bool = True) -> "Store":
        """Open a store.

        Args:
            path: its file.
            limit: bytes that the file may come to. Where a picture would exceed it, the oldest ones go of which nobody
                has said what they are. What was corrected or confirmed never goes; if there is nothing else, no more is
                kept.
            create: make the file if it is missing. Otherwise it must be there, and need not be writable.

        Raises:
            UserError: the file is missing, is no store, is of a newer version of the course, or cannot be used.
        """
        path = Path(path)
        connection = database.connect(path, create)
        with database.explained(path):
            return cls(path, connection, limit)

    def close(self) -> None:
        """Close the file; everything is in it already."""
        with self._lock:
            self._connection.close()

    # Changes

    def keep(self, drawn: bytes, seen: np.ndarray, reading: "Reading", digest: str, how: str) -> str:
        """Keep a picture with its reading, and return its id: 22 characters that nobody can guess, fit for addresses.

        Args:
            drawn: the PNG or JPEG file as the visitor sent it.
            seen: (C, H, W) uint8, what the network saw.
            reading: what it made of that.
            digest: of the model.
            how: pen or photo.

        Raises:
            UserError: it cannot be written, or the store is full of pictures that must not go.
        """
        if how not in HOW:
            raise ValueError(f"how must be one of {HOW}, not {how!r}")
        if seen.dtype != np.uint8 or seen.ndim != 3:
            raise ValueError(f"seen must be (C, H, W) uint8, not {seen.shape} {seen.dtype}")
        id = secrets.token_urlsafe(16)
        row = {
            "id": id,
            "text": reading.text,
            "confidence": float(reading.confidence),
            "guesses": json.dumps([[text, round(float(share), 6)] for text, share in reading.guesses]),
            "model": digest,
            "how": how,
            "kept": _now(),
            "shape": json.dumps(seen.shape),
            "seen": np.ascontiguousarray(seen).tobytes(),
            "drawn": bytes(drawn),
        }
        with self._change() as run:
            self._make_room(len(row["seen"]) + len(row["drawn"]) + ROW)
            names = ", ".join(row)
            run(f"INSERT INTO picture ({names}) VALUES ({', '.join(f':{name}' for name in row)})", row)
        return id

    def correct(self, id: str, label: str) -> None:
        """Note what a visitor says that a picture is; of several answers the last one counts.

        Args:
            id: which picture.
            label: the class or the text; the same as was read means that the reading is confirmed.

        Raises:
            UserError: there is no such picture, the label cannot be one, or it cannot be written.
        """
        if not label or not label.isprintable() or len(label) > LONGEST_LABEL:
            raise UserError(f"A correction is a text of 1 to {LONGEST_LABEL:,} characters on one line.")
        with self._change() as run:
            changed = run("UPDATE picture SET label = ?, labelled = ? WHERE id = ?", (label, _now(), id))
            if not changed.rowcount:
                raise UserError(_UNKNOWN)

    def forget(self, id: str) -> None:
        """Remove a picture and all that is kept with it; its place in the file is overwritten with zeros.

        Raises:
            UserError: there is no such picture, or it cannot be written.
        """
        with self._change() as run:
            if not run("DELETE FROM picture WHERE id = ?", (id,)).rowcount:
                raise UserError(_UNKNOWN)

    # What there is

    def counts(self, since: datetime | None = None) -> dict[str, int]:
        """Return how many pictures there are (`all`), and how many `corrected`, `confirmed` and `unlabelled` ones."""
        query = "SELECT count(*), total(label <> text), total(label = text), total(label IS NULL) FROM picture"
        with self._lock, database.explained(self.path):
            found = self._connection.execute(f"{query} WHERE kept >= ?", [_as_text(since) if since else ""]).fetchone()
        return dict(zip(("all", "corrected", "confirmed", "unlabelled"), map(int, found), strict=True))

    def drawn(self, id: str) -> bytes:
        """Return the file that the visitor sent.

        Raises:
            UserError: there is no such picture.
        """
        with self._lock, database.explained(self.path):
            found = self._connection.execute("SELECT drawn FROM picture WHERE id = ?", (id,)).fetchone()
        if found is None:
            raise UserError(_UNKNOWN)
        return found[0]

    def readings(self, since: datetime | None = None, digest: str | None = None) -> Iterator[Kept]:
        """Yield all pictures, the oldest first, or those since a time, or those that one model read."""
        conditions, values = [], []
        if since is not None:
            conditions.append("kept >= ?")
            values.append(_as_text(since))
        if digest is not None:
            conditions.append("model = ?")
            values.append(digest)
        return self._select(" AND ".join(conditions) or "TRUE", values)

    def labelled(self) -> Iterator[Kept]:
        """Yield the pictures that were corrected or confirmed, the oldest first."""
        return self._select("label IS NOT NULL", [])

    # How

    @contextmanager
    def _change(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Give what executes SQL; all of it is on the disk at the end, or nothing."""
        with self._lock, database.explained(self.path), database.transaction(self._connection):
            yield self._connection.execute

    def _make_room(self, needed: int) -> None:
        while database.used_bytes(self._connection) + needed > self.limit:
            oldest = "SELECT number FROM picture WHERE label IS NULL ORDER BY number LIMIT 1"
            if not self._connection.execute(f"DELETE FROM picture WHERE number = ({oldest})").rowcount:
                raise UserError(
                    f"{readable(self.path)} is full: {self.limit / 2**20:,.1f} MiB of pictures that visitors have "
                    "corrected or confirmed. Learn from them, and go on with a new file."
                )

    def _select(self, condition: str, values: list[object]) -> Iterator[Kept]:
        after = 0
        while True:
            query = f"SELECT {COLUMNS} FROM picture WHERE number > ? AND {condition} ORDER BY number LIMIT {CHUNK}"
            with self._lock, database.explained(self.path):
                rows = self._connection.execute(query, [after, *values]).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield from map(_kept, rows)


_UNKNOWN = "There is no such picture here any more: it was forgotten, or it had to make room for newer ones."


def _kept(row: tuple) -> Kept:
    _, id, text, confidence, guesses, model, how, kept, label, labelled, shape, seen = row
    return Kept(
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


def _now() -> str:
    return _as_text(datetime.now(UTC))


def _as_text(time: datetime) -> str:
    """Return a time so that later ones come later in the alphabet."""
    return time.astimezone(UTC).isoformat(timespec="seconds")
