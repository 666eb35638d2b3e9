"""Nothing that was acknowledged gets lost, and nothing that was forgotten stays."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lab_kit.errors import UserError
from lab_kit.feedback import database
from lab_kit.feedback.store import Store
from text_recognizer.shipping.read_logits import Reading

SEVEN = Reading("7", 0.9, (("7", 0.9), ("1", 0.1)))
SEEN = np.arange(784, dtype=np.uint16).astype(np.uint8).reshape(1, 28, 28)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "kept.sqlite")
    yield opened
    opened.close()


def keep(store: Store, drawn: bytes = b"a picture", reading: Reading = SEVEN, digest: str = "model") -> str:
    return store.keep(drawn, SEEN, reading, digest, "pen")


def test_what_is_kept_comes_back_as_it_was(store):
    before = datetime.now(UTC) - timedelta(seconds=1)
    ids = [keep(store), store.keep(b"\x00\xff", np.ones((3, 5, 4), np.uint8), Reading("ß", 0.5, ()), "other", "photo")]
    assert len(set(ids)) == 2
    assert all(len(id) == 22 for id in ids)
    store.correct(ids[1], "s")
    one, two = Store.open(store.path, create=False).readings()
    assert (one.id, one.text, one.confidence, one.guesses) == (ids[0], "7", 0.9, (("7", 0.9), ("1", 0.1)))
    assert (one.model, one.how, one.label, one.labelled, one.corrected) == ("model", "pen", None, None, False)
    assert np.array_equal(one.seen, SEEN)
    assert two.seen.shape == (3, 5, 4)
    assert (two.label, two.corrected, two.how) == ("s", True, "photo")
    assert before <= one.when <= two.labelled <= datetime.now(UTC)
    assert [store.original_file(id) for id in ids] == [b"a picture", b"\x00\xff"]
    assert [kept.id for kept in store.readings(digest="other")] == [ids[1]]
    assert [kept.id for kept in store.readings(since=before)] == ids
    assert not list(store.readings(since=before + timedelta(days=1)))


def test_the_last_correction_counts(store):
    ids = [keep(store) for _ in range(4)]
    store.correct(ids[0], "1")
    store.correct(ids[0], "7")
    store.correct(ids[1], "7")
    store.correct(ids[1], "2")
    store.correct(ids[2], " ")  # a class of the course
    assert store.counts() == {"all": 4, "corrected": 2, "confirmed": 1, "unlabelled": 1}
    assert [kept.label for kept in store.labelled()] == ["7", "2", " "]
    for label in ("", "a\nb", "a\0b", "x" * 1001):
        with pytest.raises(UserError, match="one line"):
            store.correct(ids[0], label)


def test_what_is_forgotten_is_nowhere_in_the_file(store):
    secret, label = os.urandom(20_000), "a very personal label"
    id = keep(store, secret)
    store.correct(id, label)
    other = keep(store, b"stays")
    assert secret[5000:5030] in store.path.read_bytes()
    store.forget(id)
    for file in store.path.parent.glob("kept*"):  # the journal, too
        content = file.read_bytes()
        assert not any(part in content for part in (secret[5000:5030], secret[:30], id.encode(), label.encode()))
    assert [kept.id for kept in store.readings()] == [other]
    for change in (store.forget, store.original_file, lambda id: store.correct(id, "7")):
        with pytest.raises(UserError, match="no such picture"):
            change(id)


def test_at_the_limit_the_oldest_go_of_which_nobody_has_said_what_they_are(tmp_path):
    store = Store.open(tmp_path / "small.sqlite", limit=400_000)
    first = keep(store, os.urandom(5000))
    store.correct(first, "1")
    ids = [keep(store, os.urandom(5000)) for _ in range(100)]
    there = [kept.id for kept in store.readings()]
    assert there[0] == first
    assert there[1:] == ids[-len(there) + 1 :]
    assert 30 < len(there) < 80
    assert store.path.stat().st_size <= 400_000
    for id in there:
        store.correct(id, "1")

    def keep_on() -> None:
        for _ in range(30):
            store.correct(keep(store, os.urandom(5000)), "2")

    with pytest.raises(UserError, match=r"is full: 0\.4 MiB of pictures that visitors have corrected"):
        keep_on()
    assert {kept.id for kept in store.readings()} >= set(there)
    with pytest.raises(UserError, match="is full"):
        keep(store, bytes(500_000))
    store.forget(first)
    keep(store, b"small")  # there is room again


def test_a_full_disk_loses_nothing(store):
    ids = [keep(store) for _ in range(3)]
    store._connection.execute("PRAGMA max_page_count = 12")

    def keep_on() -> None:
        for _ in range(30):
            ids.append(keep(store, os.urandom(4000)))

    with pytest.raises(UserError, match=r"the disk is full\. Nothing that was kept before is lost"):
        keep_on()
    store.correct(ids[0], "1")  # takes no room
    other = Store.open(store.path)
    assert [kept.id for kept in other.readings()] == ids
    assert next(other.readings()).label == "1"


def test_files_that_are_no_store_are_refused_and_left_as_they_are(tmp_path):
    (tmp_path / "text.sqlite").write_text("no database " * 100)
    foreign = sqlite3.connect(tmp_path / "foreign.sqlite")
    foreign.execute("CREATE TABLE recipes (name TEXT)")
    foreign.commit()
    newer = Store.open(tmp_path / "newer.sqlite")
    newer._connection.execute("PRAGMA user_version = 9")
    newer.close()
    (tmp_path / "cut.sqlite").write_bytes((tmp_path / "newer.sqlite").read_bytes()[:5000])
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "folder").mkdir()
    said = {
        "text.sqlite": "it is not an SQLite database",
        "foreign.sqlite": "the database of another program",
        "newer.sqlite": "has version 9; this program supports version 1",
        "cut.sqlite": "damaged",
        "folder": "cannot be opened",
        "text.sqlite/below": "text.sqlite",
    }
    before = {path: path.read_bytes() for path in tmp_path.glob("*.sqlite")}
    for name, words in said.items():
        with pytest.raises(UserError, match=words):
            Store.open(tmp_path / name)
    for name, words in {"empty.sqlite": "is empty", "none.sqlite": "There is no file"}.items():
        with pytest.raises(UserError, match=words):
            Store.open(tmp_path / name, create=False)
    assert before == {path: path.read_bytes() for path in tmp_path.glob("*.sqlite")}
    assert Store.open(tmp_path / "empty.sqlite").counts()["all"] == 0  # to be made anew


def test_one_that_cannot_be_written_to_can_be_read(store):
    keep(store)
    reader = Store.open(store.path, create=False)
    reader._connection.execute("PRAGMA query_only = ON")  # as of a disk that is write-protected
    assert reader.counts()["all"] == 1
    with pytest.raises(UserError, match="cannot be written to"):
        keep(reader)


def delete(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.sqlite"))


def move_its_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def put_a_copy_in_its_place(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let anybody move an open file")
@pytest.mark.parametrize("change", [move, delete, move_its_folder, put_a_copy_in_its_place])
def test_a_file_that_was_moved_is_said_to_be_moved(tmp_path, change):
    (tmp_path / "folder").mkdir()
    with contextlib.closing(Store.open(tmp_path / "folder" / "kept.sqlite")) as store:
        id = keep(store)
        change(store.path)
        for write in (lambda: keep(store), lambda: store.correct(id, "7"), lambda: store.forget(id)):
            with pytest.raises(UserError, match="it was moved, replaced or deleted after this program had opened it"):
                write()
        assert store.counts()["all"] == 1  # what it has is still there to be read
        if change is move:
            (tmp_path / "folder" / "elsewhere.sqlite").rename(store.path)
            keep(store)  # as the message says


def test_one_waits_for_another_program_and_then_says_so(store, monkeypatch):
    monkeypatch.setattr(database, "LOCK_TIMEOUT_S", 0.05)
    impatient = Store.open(store.path)
    with database.transaction(store._connection), pytest.raises(UserError, match="another program has been writing"):
        keep(impatient)
    keep(impatient)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK])
def test_a_disk_without_locks_is_called_so(tmp_path, code):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    with pytest.raises(UserError, match="its disk has no locks"), database.explain_errors(tmp_path / "kept.sqlite"):
        raise error


def test_a_file_that_was_emptied_is_said_to_be_emptied(store):
    keep(store)
    with contextlib.closing(sqlite3.connect(store.path)) as other:
        other.execute("DROP TABLE picture")
        other.commit()
    with pytest.raises(UserError, match="it was emptied after this program had opened it"):
        keep(store)


def test_threads_and_processes_take_turns(store):
    code = (
        "import sys; sys.path[:0] = ['tests', '.']; import test_feedback_store as t; from pathlib import Path\n"
        "store = t.Store.open(Path(sys.argv[1]))\n"
        "for _ in range(25): store.correct(t.keep(store), 'child')\n"
    )
    root = Path(__file__).parent.parent
    child = subprocess.Popen([sys.executable, "-c", code, str(store.path)], cwd=root)
    troubles = []

    def work() -> None:
        try:
            while child.poll() is None:
                id = keep(store)
                store.correct(id, "thread")
                assert all(kept.label for kept in store.labelled())
                store.forget(id)
                store.correct(keep(store), "stays")
                time.sleep(0.02)
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert child.returncode == 0
    assert not troubles
    labels = [kept.label for kept in store.readings()]
    assert labels.count("child") == 25
    assert "thread" not in labels
    assert labels.count("stays") >= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_every_acknowledged_correction_survives_kill_9(tmp_path):
    path, acknowledged = tmp_path / "kept.sqlite", tmp_path / "acknowledged"
    chance = random.Random(0)
    for _ in range(8):
        child = os.fork()
        if child == 0:
            correct_for_ever(path, acknowledged)
        lines = acknowledged.read_bytes().count(b"\n") if acknowledged.exists() else 0
        while not acknowledged.exists() or acknowledged.read_bytes().count(b"\n") < lines + 3:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        store = Store.open(path)
        labels = {kept.id: kept.label for kept in store.labelled()}
        for line in acknowledged.read_text().splitlines()[: acknowledged.read_bytes().count(b"\n")]:
            id, label = line.split()
            assert labels[id] == label
        assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        store.close()


def correct_for_ever(path: Path, acknowledged: Path) -> None:
    """Keep and correct, and write down what has been acknowledged, until somebody kills this process."""
    try:
        store = Store.open(path)
        with acknowledged.open("a") as file:
            for number in range(100_000):
                id = keep(store, os.urandom(6000))
                store.correct(id, str(number))
                file.write(f"{id} {number}\n")
                file.flush()
    finally:
        os._exit(1)
