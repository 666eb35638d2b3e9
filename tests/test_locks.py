"""Locks between programs, above all where the file system has none."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from lab_kit import locks
from lab_kit.curation.review_queue import Picture, ReviewQueue
from lab_kit.datasets import cache
from lab_kit.errors import UserError


@pytest.fixture
def without_locks(request, tmp_path, monkeypatch):
    """Let the file system of `tmp_path` have no locks; that of the folder for temporary files has some."""
    answer = getattr(request, "param", errno.ENOLCK)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    flock = fcntl.flock

    def without(descriptor, operation):
        file = os.fstat(descriptor)
        if any(os.path.samestat(file, path.stat()) for path in (tmp_path / "temporary").iterdir()):
            return flock(descriptor, operation)
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "flock", without)
    monkeypatch.setattr(locks, "_warned", set())
    return os.strerror(answer)


def test_a_lock_keeps_others_out_and_ends_with_its_process(tmp_path):
    path = tmp_path / "a.lock"
    with locks.held(path, "busy") as everywhere:
        assert everywhere
        with pytest.raises(UserError, match=r"^busy$"), locks.held(path, "busy", timeout=0):
            pass
    _hold_and_die(path)
    with locks.held(path, "busy", timeout=0):
        pass


def _hold_and_die(path):
    code = f"import os, pathlib; from lab_kit import locks; held = locks.held(pathlib.Path({str(path)!r}), '')"
    killed = subprocess.run([sys.executable, "-c", f"{code}; held.__enter__(); os.kill(os.getpid(), 9)"])
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("without_locks", sorted(set(locks.NO_LOCKS)), indirect=True, ids=os.strerror)
def test_without_locks_programs_on_this_machine_take_turns_after_one_warning(without_locks, tmp_path, caplog):
    first, second = tmp_path / "a.lock", tmp_path / "b.lock"
    with locks.held(first, "busy", timeout=0) as everywhere, locks.held(second, "busy", timeout=0):
        assert not everywhere
        with pytest.raises(UserError, match=r"^busy$"), locks.held(first, "busy", timeout=0):
            pass
    with locks.held(first, "busy", timeout=0):  # what was there before does not count
        pass
    assert caplog.text.count("has no locks") == 1
    assert without_locks in caplog.text


def test_without_any_locks_the_error_says_what_to_do(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with (
        pytest.raises(UserError, match=r"^Neither .* has locks \(No locks available\)\. Set TMPDIR to"),
        locks.held(tmp_path / "a.lock", "busy", timeout=0),
    ):
        pass


# Where locks are used


def test_runs_caches_and_reviews_work_without_locks(without_locks, run, small_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr("lab_kit.plots.character_plots.draw", lambda *_: None)
    flags = ("--max_epochs", "1", "--fc1", "8", "--fc2", "8", "--source", "auto")
    code, text = run(*flags)
    assert code == 0
    assert text.count("has no locks") == 1
    folder = tmp_path / "logs" / "MNIST-MLP" / "version_0"
    assert run("--resume", str(folder), "--max_epochs", "2")[0] == 0
    with locks.held(folder / ".lock", "busy"):
        code, text = run("--resume", str(folder), "--max_epochs", "3")
    assert code == 2
    assert "Another run is at work in" in text
    (tmp_path / "leaf").mkdir()
    queue = ReviewQueue.create(
        tmp_path / "review.csv", tmp_path, ["leaf"], [Picture("leaf/a.png", "train", "leaf", "leaf", 0.5, 0.9)]
    )
    queue.propose("leaf/a.png", "delete")
    assert queue.picture("leaf/a.png").proposal == "delete"


def test_without_locks_the_work_of_another_machine_is_left_alone(without_locks, tmp_path):
    path = tmp_path / "data" / "set-123.h5"
    path.parent.mkdir()
    theirs = path.with_name("set-123.h5.1234.unfinished")
    theirs.write_bytes(b"half")
    arrays = {"x": np.arange(5)}
    assert cache.load(path, lambda: arrays) is arrays
    assert np.array_equal(cache.load(path, pytest.fail)["x"], arrays["x"])
    assert theirs.exists()


REFUSE_FLOCK = """
import ctypes, platform, struct, sys
if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64"):
    number, kind = (73, 0xC000003E) if platform.machine() == "x86_64" else (32, 0xC00000B7)
    steps = [(0x20, 0, 0, 4), (0x15, 0, 3, kind), (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 37),
             (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0
"""


def test_a_complete_cache_is_read_where_the_system_refuses_every_lock(tmp_path):
    """HDF5 locks files by itself, out of Python's sight: here the kernel answers ENOLCK."""
    path = tmp_path / "set-123.h5"
    cache.ensure(path, lambda: {"x": np.arange(5)}, compress=True)
    code = f"""{REFUSE_FLOCK}
import pathlib
from lab_kit.datasets import cache
print(cache.load(pathlib.Path({str(path)!r}), lambda: None)["x"].sum())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "10", done.stderr
