import logging
import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
from filelock import FileLock

from lab_kit import atomic_write
from lab_kit.datasets import cache, cache_format
from lab_kit.datasets.cache_format import DamagedError, read_arrays
from lab_kit.errors import UserError


@pytest.fixture
def arrays():
    return {"images": np.arange(3000, dtype=np.uint8).reshape(3, 1000), "labels": np.array([1, 2, 3])}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "processed" / "set-123.h5"


def equal(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def test_arrays_come_back_as_they_were_and_are_built_once(path, arrays):
    calls = []

    def build():
        calls.append(1)
        return arrays

    assert equal(cache.load(path, build), arrays)
    assert equal(cache.load(path, build), arrays)
    assert len(calls) == 1


def test_a_failing_build_leaves_nothing_that_could_be_trusted(path):
    def build():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure(path, build)
    assert not path.exists()


def test_a_failing_write_leaves_nothing_that_could_be_trusted(path):
    with pytest.raises(TypeError):
        cache.ensure(path, lambda: {"good": np.zeros(5), "bad": np.array([object()])})
    assert [file.suffix for file in path.parent.iterdir()] in ([], [".lock"])


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def _folder(path):
    path.unlink()
    path.mkdir()
    (path / "someone's").touch()


def _of_another_name(path):
    cache.ensure(path.with_name("other-456.h5"), lambda: {"other": np.zeros(3)})
    path.with_name("other-456.h5").replace(path)


def _foreign(path):
    """An HDF5 file of somebody else, with the wrong datasets, shapes and types in it."""
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((2, 5), dtype=np.float64)


DAMAGES = {
    "cut": (_cut, "checksum"),
    "empty": (lambda path: path.write_bytes(b""), "cut short"),
    "zeros": (_zeros, "checksum"),
    "text": (lambda path: path.write_bytes(b"<html>"), "checksum"),
    "folder": (_folder, "Is a directory"),
    "of another name": (_of_another_name, "name and its content do not match"),
    "wrong content": (_foreign, "name and its content do not match"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_made_again_with_a_warning(path, arrays, name, caplog):
    damage, reason = DAMAGES[name]
    cache.ensure(path, lambda: arrays)
    damage(path)
    with caplog.at_level(logging.WARNING):
        assert equal(cache.load(path, lambda: arrays), arrays)
        assert equal(cache.load(path, pytest.fail), arrays)
    assert "is damaged" in caplog.text
    assert reason in caplog.text
    assert caplog.text.count("building it again") == 1


def test_no_flipped_byte_is_ever_read(path, arrays):
    cache.ensure(path, lambda: arrays, compress=True)
    content = path.read_bytes()
    for at in range(0, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        with pytest.raises(DamagedError):
            read_arrays(path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_block_that_is_lost_as_a_whole_is_not_read(path, compress):
    arrays = {"rows": np.ones((3000, 40), np.uint8)}
    cache.ensure(path, lambda: arrays, compress=compress)
    with h5py.File(path) as file:
        stored = file["rows"].id
        chunk = stored.get_chunk_info(1) if compress else None
        start, size = (chunk.byte_offset, chunk.size) if chunk else (stored.get_offset() + 40_000, 40_000)
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(size) + content[start + size :])
    with pytest.raises(DamagedError):
        read_arrays(path)


def test_what_does_not_fit_into_memory_is_mapped(path, arrays, monkeypatch):
    cache.ensure(path, lambda: arrays)
    monkeypatch.setattr(cache_format, "MOST_MEMORY", 0.0)
    before = path.read_bytes()
    mapped = cache.load(path, pytest.fail)
    assert equal(mapped, arrays)
    assert all(isinstance(array, np.memmap) and array.flags.aligned for array in mapped.values())
    chosen = torch.tensor([2, 0])
    pictures = torch.from_numpy(mapped["images"])  # without a warning: what is written into it stays in memory
    assert torch.equal(pictures.index_select(0, chosen), torch.from_numpy(arrays["images"])[chosen])
    pictures[0] = 7
    assert path.read_bytes() == before
    flipped = bytearray(before)
    flipped[mapped["images"].offset + 5] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(DamagedError):
        read_arrays(path)


class Made:
    """Rows that nobody holds in memory; it knows how many were asked for at once."""

    shape, dtype, most = (5_000, 300), np.dtype(np.uint16), 0

    def __getitem__(self, rows):
        self.most = max(self.most, rows.stop - rows.start)
        return (np.arange(rows.start, rows.stop, dtype=np.uint16)[:, None] + np.arange(300, dtype=np.uint16)) % 977


@pytest.mark.parametrize("compress", [False, True])
def test_rows_are_written_as_they_are_made(path, monkeypatch, compress):
    monkeypatch.setattr(cache_format, "BYTES_AT_ONCE", 100_000)
    made = Made()
    read = cache.load(path, lambda: {"rows": made, "few": np.arange(3)}, compress)
    assert np.array_equal(read["rows"], Made()[0:5_000])
    assert made.most == 100_000 // 600
    assert equal(cache.load(path, pytest.fail, compress), read)


def test_a_file_that_may_not_be_read_is_made_again(path, arrays, monkeypatch, caplog):
    cache.ensure(path, lambda: arrays)
    original, refused = cache.read_arrays, []

    def read(of):
        if len(refused) < 2:
            refused.append(of)
            raise PermissionError(13, "Permission denied")
        return original(of)

    monkeypatch.setattr(cache, "read_arrays", read)
    assert equal(cache.load(path, lambda: arrays), arrays)
    assert "Permission denied" in caplog.text


def test_a_read_only_folder_with_a_complete_cache_will_do(path, arrays, monkeypatch):
    cache.ensure(path, lambda: arrays)
    monkeypatch.setattr(cache, "_lock", pytest.fail)  # nothing is locked, and so nothing written
    cache.ensure(path, pytest.fail)
    assert equal(cache.load(path, pytest.fail), arrays)


def test_a_read_only_folder_without_one_is_a_clear_error(path, arrays, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(UserError, match=r"Cannot write .*set-123\.h5: Read-only file system.*TEXT_RECOGNIZER_DATA"):
        cache.ensure(path, lambda: arrays)


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (100, 1000, 5000, 100_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(
                UserError, match=r"Cannot write .*set-123\.h5: File too large. Set TEXT_RECOGNIZER_DATA"
            ):
                cache.ensure(path, lambda: {"x": np.random.default_rng(0).random((100, 1000))}, compress=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [file.suffix for file in path.parent.iterdir()] == [".lock"]


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(path, arrays):
    path.parent.mkdir(parents=True)
    own = path.with_name(f"{path.name}.1234{atomic_write.UNFINISHED}")
    dead = path.with_name(f"other-456.h5.1234{atomic_write.UNFINISHED}")
    alive = path.with_name(f"third-789.h5.1234{atomic_write.UNFINISHED}")
    for file in (own, dead, alive):
        file.write_bytes(b"half")
    with FileLock(path.with_name("third-789.lock")):
        cache.ensure(path, lambda: arrays)
    assert [file.exists() for file in (own, dead, alive)] == [False, False, True]


def test_a_lock_that_a_killed_process_left_blocks_nobody(path, arrays):
    path.parent.mkdir(parents=True)
    code = (
        f"import os, filelock; filelock.FileLock({str(path.with_suffix('.lock'))!r}).acquire(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert path.with_suffix(".lock").exists()
    assert equal(cache.load(path, lambda: arrays), arrays)


def test_a_waiting_process_says_so(path, arrays, caplog):
    path.parent.mkdir(parents=True)
    code = f"import time, filelock; lock = filelock.FileLock({str(path.with_suffix('.lock'))!r}); lock.acquire()"
    command = [sys.executable, "-c", f"{code}; print(flush=True); time.sleep(1.5)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other, caplog.at_level(logging.INFO):
        other.stdout.readline()
        cache.ensure(path, lambda: arrays)
    assert "Another process is building" in caplog.text


def test_key_changes_with_everything_it_is_made_from():
    keys = {
        cache.content_key(version=1, sizes={"a": 1}),
        cache.content_key(version=2, sizes={"a": 1}),
        cache.content_key(version=1, sizes={"a": 2}),
    }
    assert len(keys) == 3
    assert cache.content_key(a=1, b=2) == cache.content_key(b=2, a=1)


def test_processes_that_start_together_build_once(path):
    code = f"""
import sys, time
import numpy as np
from pathlib import Path
from lab_kit.datasets import cache, cache_format
from lab_kit.datasets.cache_format import DamagedError, read_arrays
def build():
    print("built", flush=True)
    time.sleep(0.5)
    return {{"x": np.arange(10)}}
cache.ensure(Path({str(path)!r}), build)
"""
    command = [sys.executable, "-c", code]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert "".join(outputs).count("built") == 1
