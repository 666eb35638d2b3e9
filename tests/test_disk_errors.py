"""What cannot be written to is named, and nothing else."""

import errno
import sys
import tempfile
from pathlib import Path

import pytest

from lab_kit import atomic_write
from lab_kit.experiment import disk_errors
from text_recognizer.lit_models import BaseLitModel

FULL = OSError(errno.ENOSPC, "No space left on device")  # as a write raises it: without a name
TINY = ("--max_epochs", "1", "--fc1", "8", "--fc2", "8")


@pytest.fixture
def full(monkeypatch):
    """Return a function that lets a folder be full."""
    folders = []
    original = tempfile.TemporaryFile

    def temporary_file(dir):
        if Path(dir) in folders:
            raise FULL
        return original(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary_file)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    return folders.append


@pytest.fixture
def shared_memory(tmp_path, monkeypatch):
    path = tmp_path / "shm"
    path.mkdir()
    monkeypatch.setattr(disk_errors, "SHARED_MEMORY", path)
    return path


def test_a_file_that_has_a_name_is_named(tmp_path):
    error = OSError(errno.EACCES, "Permission denied", "some/file")
    assert disk_errors.explained(error, tmp_path, "Go on.") == "Cannot write some/file: Permission denied. Go on."


def test_only_the_folder_that_is_full_is_blamed(tmp_path, full, shared_memory):
    unknown = disk_errors.explained(FULL, tmp_path, "Go on.")
    assert f"it is not known where, for {tmp_path} can be written to" in unknown
    full(shared_memory)
    text = disk_errors.explained(FULL, tmp_path, "Go on.")
    assert f"Cannot write to {shared_memory}, the memory that processes share: No space left" in text
    assert "fewer --num_workers" in text
    assert "--shm-size" in text
    full(tmp_path)
    assert disk_errors.explained(FULL, tmp_path, "Go on.") == f"Cannot write {tmp_path}: {FULL.strerror}. Go on."


def test_temporary_files_are_looked_at_last(tmp_path, full, shared_memory, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/full/tmp")
    full(Path("/full/tmp"))
    assert "Cannot write to /full/tmp, where temporary files go" in disk_errors.explained(FULL, tmp_path, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(("stream", "name"), [("stdout", "the standard output"), ("stderr", "the standard error")])
def test_a_stream_that_takes_nothing_is_blamed_and_the_run_is_not_lost(tmp_path, monkeypatch, stream, name):
    with Path("/dev/full").open("w") as device:
        monkeypatch.setattr(f"sys.{stream}", device)
        text = disk_errors.explained(FULL, tmp_path, "Go on.")
        monkeypatch.undo()
    assert text.startswith(f"Cannot write to {name}: No space left on device.")
    assert f"is in {tmp_path}" in text


def test_a_full_standard_output_is_blamed_at_the_end_of_a_run(run, small_mnist, tmp_path, monkeypatch):
    with Path("/dev/full").open("w", buffering=1) as device:

        def print_table(*_):
            monkeypatch.setattr("sys.stdout", device)
            sys.stdout.write("a table\n")

        monkeypatch.setattr("lab_kit.experiment.console.print_table", print_table)
        monkeypatch.setattr("lab_kit.plots.character_plots.draw", lambda *_: None)
        code, text = run(*TINY)
    assert code == 2
    assert "Cannot write to the standard output: No space left on device." in text
    assert f"is in {tmp_path}" in text
    assert (tmp_path / "logs" / "MNIST-MLP" / "version_0" / "metrics.json").is_file()


def test_full_shared_memory_is_blamed_in_a_run(run, small_mnist, tmp_path, full, shared_memory, monkeypatch):
    full(shared_memory)

    def training_step(*_):
        raise FULL

    monkeypatch.setattr(BaseLitModel, "training_step", training_step)
    code, text = run(*TINY)
    assert code == 2
    assert f"Cannot write to {shared_memory}" in text
    assert f"Cannot write {tmp_path / 'logs'}" not in text


def test_a_file_that_cannot_be_completed_says_which(tmp_path, monkeypatch):
    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(OSError, match="No space left") as caught:
        atomic_write.write_text("text", tmp_path / "metrics.csv")
    assert caught.value.filename == str(tmp_path / "metrics.csv")
