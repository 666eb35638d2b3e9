"""The SQLite file of a store: open it, create its tables, and explain the errors of SQLite to users.

A commit must survive a killed process and a power cut. This is why `synchronous=FULL` is set: a commit returns only
when the change is on the disk. With less, the last commits before a power cut can be lost. The rollback journal is
truncated and not deleted: after a power cut, a deleted journal can come back, and with it the state before the commit.

A write-ahead log would be as safe, and faster with many writers. But the newest pictures would be in a second file,
which people forget when they copy the store; deleted pictures would stay in that file for a while; and it does not work
on network disks. One person presses one button at a time, so the milliseconds do not matter.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab_kit.errors import UserError
from lab_kit.paths import readable

APPLICATION_ID = 0x54524642  # "TRFB": marks the file as a store of this program
SCHEMA_VERSION = 1  # of the tables; increase it when older programs would misread them
LOCK_TIMEOUT_S = 10  # how long to wait while another program writes, which usually takes milliseconds

TABLES = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # The large columns come last, so that SQLite can read the others without them.
    """CREATE TABLE picture (
        number INTEGER PRIMARY KEY,  -- in the order of time
        id TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,          -- the reading, its confidence, and all guesses as JSON: [[text, confidence], ...]
        confidence REAL NOT NULL,
        guesses TEXT NOT NULL,
        model TEXT NOT NULL,         -- the model's digest
        how TEXT NOT NULL,           -- pen or photo
        kept TEXT NOT NULL,          -- when, as ISO 8601 in UTC
        label TEXT,                  -- what a visitor says that it shows; NULL: no answer
        labelled TEXT,               -- when
        shape TEXT NOT NULL,         -- of what the network saw, as JSON: [C, H, W]
        seen BLOB NOT NULL,          -- what the network saw: C * H * W bytes, row by row
        drawn BLOB NOT NULL          -- the PNG or JPEG file that the visitor sent
    )""",
    "CREATE INDEX unlabelled ON picture (number) WHERE label IS NULL",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

NO_LOCKS = "its disk has no locks, as some network disks: choose a file on another disk."
# By SQLite's error code; the extended error codes, which say more, have the same lowest byte.
ERROR_MESSAGES = {
    sqlite3.SQLITE_READONLY_DBMOVED: "it was moved, replaced or deleted after this program had opened it. "
    "Put it back, or start the program again.",
    sqlite3.SQLITE_FULL: "the disk is full. Nothing that was kept before is lost. Make room, and try again.",
    sqlite3.SQLITE_READONLY: "it cannot be written to. Change the permissions of it and its folder, or choose another.",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Check that its folder exists and can be written to.",
    sqlite3.SQLITE_PERM: "it cannot be opened: access is not allowed.",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database. Choose another file, or move this one away.",
    sqlite3.SQLITE_CORRUPT: "the file is damaged. Keep it, and continue with a backup or a new file.",
    sqlite3.SQLITE_BUSY: f"another program has been writing to it for {LOCK_TIMEOUT_S} s. Close it, and try again. "
    "If there is none, the disk has no locks, as some network disks: choose a file on another disk.",
    sqlite3.SQLITE_LOCKED: "another program is using it. Close it, and try again.",
    **dict.fromkeys(
        (
            sqlite3.SQLITE_IOERR_LOCK,
            sqlite3.SQLITE_IOERR_RDLOCK,
            sqlite3.SQLITE_IOERR_UNLOCK,
            sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
        ),
        NO_LOCKS,
    ),
    sqlite3.SQLITE_IOERR: "the disk reported an error. Check that it works and is not full.",
    sqlite3.SQLITE_TOOBIG: "the picture is too large.",
}


def connect(path: Path, create: bool) -> sqlite3.Connection:
    """Open the file of a store; any thread may use the connection, but only one at a time.

    Args:
        path: the file.
        create: create the file if it is missing, and check that it can be written. If False, it must exist.

    Raises:
        UserError: the file is missing, is not a store, or cannot be used.
    """
    if not create and not path.is_file():
        raise UserError(
            f"There is no file {readable(path)}. The web server writes it if it is started with --feedback."
        )
    with explain_errors(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = "rwc" if create else "rw"
        address = f"{path.resolve().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            address, uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path, create)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # on macOS, fsync alone leaves the change in the cache of the disk
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros
    if _is_new(connection):
        if not create:
            raise UserError(f"{readable(path)} is empty: no picture was kept in it.")
        with transaction(connection):
            if _is_new(connection):  # check again: two programs may start at once
                for statement in TABLES:
                    connection.execute(statement)
                connection.execute("INSERT INTO about VALUES ('name', lower(hex(randomblob(4))))")
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise UserError(f"{readable(path)} is the database of another program. Choose another file.")
    if (version := _pragma(connection, "user_version")) > SCHEMA_VERSION:
        raise UserError(
            f"{readable(path)} has version {version}; this program supports version {SCHEMA_VERSION}. "
            "Use the version of the course that wrote it, or choose another file."
        )
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    if create:
        with transaction(connection):  # fails now, and not at the first visitor, if the file cannot be written
            pass


def _is_new(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return tables == _pragma(connection, "application_id") == _pragma(connection, "user_version") == 0


def _pragma(connection: sqlite3.Connection, pragma: str) -> int:
    return connection.execute(f"PRAGMA {pragma}").fetchone()[0]


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how many bytes of the file are in use; the space of deleted pictures is used again."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all changes of the `with` block to disk, or none of them if it fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some disk errors have already ended it
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explain_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the disk into a UserError about the file `path`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", -1)
        message = ERROR_MESSAGES.get(code) or ERROR_MESSAGES.get(code & 0xFF)
        if isinstance(error, sqlite3.DatabaseError) and message:
            raise UserError(f"Cannot use {readable(path)}: {message}") from error
        if isinstance(error, sqlite3.ProgrammingError):
            raise  # a defect of the program
        emptied = "it was emptied after this program had opened it. Put a copy back, or start the program again"
        what = emptied if "no such table" in str(error) else error
        raise UserError(f"Cannot use {readable(path)}: {what}.") from error
    except OSError as error:
        raise UserError(f"Cannot use {readable(path)}: {error.strerror or error}.") from error
