"""The store of visitors' pictures, with readings and corrections, in one SQLite file.

The store has no data about visitors: no address, no browser, no session. The caller must ask the visitor for consent
before a picture is kept. The visitor gets the id of the picture, which nobody can guess, and with it can correct or
delete the picture.

Several threads may use a Store, and several programs may use one file: changes are made one at a time, and a change is
on the disk when the method returns (see `database`).
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from lab_kit.errors import UserError
from lab_kit.feedback import database
from lab_kit.feedback.kept_picture import COLUMNS, KeptPicture, Reading, picture_from_row
from lab_kit.paths import readable

PICTURE_SOURCES = ("pen", "photo")
MAX_LABEL_LENGTH = 1000  # characters
READ_CHUNK = 200  # pictures read at a time: while one program reads, no other can write
ROW_OVERHEAD_BYTES = 8192  # of a picture, besides its two images: two pages of SQLite


class Store:
    """Pictures in one SQLite file. Open it with `Store.open`, and close it at the end.

    Attributes:
        path: the file.
        limit: the maximum size of the file in bytes.
        name: 8 hex digits that identify this store.
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
            limit: the maximum size of the file in bytes. To make room for a new picture, the oldest pictures without a
                label are deleted. Pictures with a label are never deleted: if there are no others, no picture is added.
            create: create the file if it is missing. If False, the file must exist; it may be read-only.

        Raises:
            UserError: the file is missing, is not a store, was written by a newer version, or cannot be used.
        """
        path = Path(path)
        connection = database.connect(path, create)
        with database.explain_errors(path):
            return cls(path, connection, limit)

    def close(self) -> None:
        """Close the file; all changes are already in it."""
        with self._lock:
            self._connection.close()

    # Changes

    def keep(self, file: bytes, seen: np.ndarray, reading: Reading, digest: str, how: str) -> str:
        """Add a picture with its reading, and return its id: 22 random characters, safe in URLs.

        Args:
            file: the picture file as the visitor sent it.
            seen: (C, H, W) uint8, the input of the network.
            reading: the reading.
            digest: the digest of the model.
            how: pen or photo.

        Raises:
            UserError: the file cannot be written, or it is full of labelled pictures.
            ValueError: `how` or `seen` is wrong.
        """
        if how not in PICTURE_SOURCES:
            raise ValueError(f"how must be one of {PICTURE_SOURCES}, not {how!r}")
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
            "drawn": bytes(file),
        }
        with self._change() as run:
            self._make_room(len(row["seen"]) + len(row["drawn"]) + ROW_OVERHEAD_BYTES)
            names = ", ".join(row)
            run(f"INSERT INTO picture ({names}) VALUES ({', '.join(f':{name}' for name in row)})", row)
        return id

    def correct(self, id: str, label: str) -> None:
        """Set the label of a picture: what it shows according to a visitor. It replaces an earlier label.

        Args:
            id: the id of the picture.
            label: the class or the text; a label equal to the reading confirms it.

        Raises:
            UserError: there is no such picture, the label is not valid, or the file cannot be written.
        """
        if not label or not label.isprintable() or len(label) > MAX_LABEL_LENGTH:
            raise UserError(f"A correction must be 1 to {MAX_LABEL_LENGTH:,} characters on one line.")
        with self._change() as run:
            changed = run("UPDATE picture SET label = ?, labelled = ? WHERE id = ?", (label, _now(), id))
            if not changed.rowcount:
                raise UserError(_NO_SUCH_PICTURE)

    def forget(self, id: str) -> None:
        """Delete a picture with its reading and label; its bytes in the file are overwritten with zeros.

        Raises:
            UserError: there is no such picture, or the file cannot be written.
        """
        with self._change() as run:
            if not run("DELETE FROM picture WHERE id = ?", (id,)).rowcount:
                raise UserError(_NO_SUCH_PICTURE)

    # Queries

    def counts(self, since: datetime | None = None) -> dict[str, int]:
        """Return the numbers of pictures since a time: `all`, `corrected`, `confirmed` and `unlabelled` ones."""
        query = "SELECT count(*), total(label <> text), total(label = text), total(label IS NULL) FROM picture"
        with self._lock, database.explain_errors(self.path):
            found = self._connection.execute(f"{query} WHERE kept >= ?", [_as_text(since) if since else ""]).fetchone()
        return dict(zip(("all", "corrected", "confirmed", "unlabelled"), map(int, found), strict=True))

    def original_file(self, id: str) -> bytes:
        """Return the picture file that the visitor sent.

        Raises:
            UserError: there is no such picture.
        """
        with self._lock, database.explain_errors(self.path):
            found = self._connection.execute("SELECT drawn FROM picture WHERE id = ?", (id,)).fetchone()
        if found is None:
            raise UserError(_NO_SUCH_PICTURE)
        return found[0]

    def readings(self, since: datetime | None = None, digest: str | None = None) -> Iterator[KeptPicture]:
        """Yield pictures, the oldest first: all, or those since a time, or those that one model read."""
        conditions, values = [], []
        if since is not None:
            conditions.append("kept >= ?")
            values.append(_as_text(since))
        if digest is not None:
            conditions.append("model = ?")
            values.append(digest)
        return self._select(" AND ".join(conditions) or "TRUE", values)

    def labelled(self) -> Iterator[KeptPicture]:
        """Yield the pictures that were corrected or confirmed, the oldest first."""
        return self._select("label IS NOT NULL", [])

    # Helpers

    @contextmanager
    def _change(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Open a transaction and yield a function that executes SQL; at the end, all changes are on disk, or none."""
        with self._lock, database.explain_errors(self.path), database.transaction(self._connection):
            yield self._connection.execute

    def _make_room(self, needed: int) -> None:
        """Delete the oldest pictures without a label until `needed` more bytes fit into the file."""
        while database.used_bytes(self._connection) + needed > self.limit:
            oldest = "SELECT number FROM picture WHERE label IS NULL ORDER BY number LIMIT 1"
            if not self._connection.execute(f"DELETE FROM picture WHERE number = ({oldest})").rowcount:
                raise UserError(
                    f"{readable(self.path)} is full: {self.limit / 2**20:,.1f} MiB of pictures that visitors have "
                    "corrected or confirmed. Export them, and continue with a new file."
                )

    def _select(self, condition: str, values: list[object]) -> Iterator[KeptPicture]:
        after = 0
        while True:
            query = f"SELECT {COLUMNS} FROM picture WHERE number > ? AND {condition} ORDER BY number LIMIT {READ_CHUNK}"
            with self._lock, database.explain_errors(self.path):
                rows = self._connection.execute(query, [after, *values]).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield from map(picture_from_row, rows)


_NO_SUCH_PICTURE = "There is no such picture. It was deleted, or the store removed it to make room for newer ones."


def _now() -> str:
    return _as_text(datetime.now(UTC))


def _as_text(time: datetime) -> str:
    """Return a time as text that sorts in the order of time."""
    return time.astimezone(UTC).isoformat(timespec="seconds")
