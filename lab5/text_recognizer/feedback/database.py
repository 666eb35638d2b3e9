"""The SQLite file of a store: its tables, how it is opened, and what SQLite's errors mean for a person.

A commit must survive a process that is killed, and a power cut. Hence `synchronous=FULL`: SQLite waits until the disk
has the change before it says that it was made; with less, the last commits before a power cut may be gone. And hence a
rollback journal that is truncated and not deleted: of a deleted one the folder's entry can come back after a power cut,
and with it the state before the commit; the truncated file is synced. A write-ahead log would be as safe, and faster
with many writers. But then the newest pictures lie in a second file, which is easily forgotten when the store is
copied; what was forgotten on a visitor's wish stays in that file for a while; and it fails on network disks. One person
presses one button at a time: the milliseconds do not matter.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from text_recognizer.errors import UserError
from text_recognizer.paths import readable

APPLICATION = 0x54524642  # "TRFB": marks the file as one of ours
VERSION = 1  # of the tables: raise it when older programs would misread them
PATIENCE_S = 10  # how long to wait for another program that writes, which takes it milliseconds

TABLES = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # What is big comes last: to read the columns before it, SQLite need not pass through it.
    """CREATE TABLE picture (
        number INTEGER PRIMARY KEY,  -- in the order of time
        id TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,          -- the reading, its confidence, and all guesses as JSON: [[text, confidence], ...]
        confidence REAL NOT NULL,
        guesses TEXT NOT NULL,
        model TEXT NOT NULL,         -- the model's digest
        how TEXT NOT NULL,           -- pen or photo
        kept TEXT NOT NULL,          -- when, as ISO 8601 in UTC
        label TEXT,                  -- what a visitor says that it is; NULL: nobody has said anything
        labelled TEXT,               -- when
        shape TEXT NOT NULL,         -- of what the network saw, as JSON: [C, H, W]
        seen BLOB NOT NULL,          -- what the network saw: C * H * W bytes, row by row
        drawn BLOB NOT NULL          -- the PNG or JPEG file that the visitor sent
    )""",
    "CREATE INDEX unlabelled ON picture (number) WHERE label IS NULL",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)

# SQLite's numbers for what went wrong; its extended ones have the same lowest byte.
MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full. Nothing that was kept before is lost: make room, and try again.",
    sqlite3.SQLITE_READONLY: "it cannot be written to. Allow it, or name another file.",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Check that its folder exists and can be written to.",
    sqlite3.SQLITE_PERM: "it cannot be opened: access is not allowed.",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database. Name another file, or move this one out of the way.",
    sqlite3.SQLITE_CORRUPT: "the file is damaged. Keep it, and go on with a copy or with a new file.",
    sqlite3.SQLITE_BUSY: f"another program has been writing to it for {PATIENCE_S} seconds. Close it, and try again.",
    sqlite3.SQLITE_LOCKED: "another program is using it. Close it, and try again.",
    sqlite3.SQLITE_IOERR: "the disk does not read or write it as it should. Check the disk, and that it is not full.",
    sqlite3.SQLITE_TOOBIG: "the picture is too large.",
}


def connect(path: Path, create: bool) -> sqlite3.Connection:
    """Open a store's file; it may be used from any thread, by one at a time.

    Args:
        path: the file.
        create: make it if it is missing, and insist that it can be written to; otherwise it must be there.

    Raises:
        UserError: it is missing, is no store, or cannot be used.
    """
    if not create and not path.is_file():
        raise UserError(f"There is no file {readable(path)}: the web page keeps it, if it is started with --feedback.")
    with explained(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = "rwc" if create else "rw"
        address = f"{path.resolve().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            address, uri=True, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path, create)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone leaves the change in the disk's own memory
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros
    if _is_new(connection):
        if not create:
            raise UserError(f"{readable(path)} is empty: nothing has been kept in it.")
        with transaction(connection):
            if _is_new(connection):  # still: two programs may start at once
                for statement in TABLES:
                    connection.execute(statement)
                connection.execute("INSERT INTO about VALUES ('name', lower(hex(randomblob(4))))")
    if _number(connection, "application_id") != APPLICATION:
        raise UserError(f"{readable(path)} is the database of another program, and is left alone: name another file.")
    if (version := _number(connection, "user_version")) > VERSION:
        raise UserError(
            f"{readable(path)} is of version {version}; this program knows version {VERSION}. "
            "Use the version of the course that wrote it, or name another file."
        )
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    if create:
        with transaction(connection):  # or a file that cannot be written to would be noticed by the first visitor
            pass


def _is_new(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return tables == _number(connection, "application_id") == _number(connection, "user_version") == 0


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return connection.execute(f"PRAGMA {pragma}").fetchone()[0]


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the file is in use: what was deleted leaves room that is used again."""
    pages = _number(connection, "page_count") - _number(connection, "freelist_count")
    return pages * _number(connection, "page_size")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything inside, and have it on the disk at the end; or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors of the disk have ended it already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk complain about into a sentence on the file `path`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        if isinstance(error, sqlite3.DatabaseError) and code in MEANINGS:
            raise UserError(f"Cannot use {readable(path)}: {MEANINGS[code]}") from error
        if isinstance(error, sqlite3.ProgrammingError):
            raise  # a defect of the program
        raise UserError(f"Cannot use {readable(path)}: {error}.") from error
    except OSError as error:
        raise UserError(f"Cannot use {readable(path)}: {error.strerror or error}.") from error
