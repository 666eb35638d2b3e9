"""What stops a run, and how it goes on: Ctrl-C, SIGTERM, a full disk, a loss that is no number, a second run."""

import csv
import json
import math
import os
import pty
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from lab_kit import atomic_write
from lab_kit.datasets import cache
from lab_kit.experiment import run_folder
from lab_kit.experiment.checkpoint_io import AtomicCheckpointIO
from lab_kit.paths import project_root
from lab_kit.plots import curves as learning_curves
from text_recognizer.lit_models import BaseLitModel

THREE_EPOCHS = ("--max_epochs", "3", "--fc1", "32", "--fc2", "16")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs" / "MNIST-MLP" / "version_0"


@pytest.fixture(autouse=True)
def _signals_as_in_a_terminal():
    """A test run in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """They take half of so short a run's time."""
    for kind in ("character", "line"):
        monkeypatch.setattr(f"lab_kit.plots.{kind}_plots.draw", lambda *_: None)


def figures(folder: Path) -> dict:
    """Return what a run measured, without what time it took."""
    found = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in found.items() if name.endswith(("_acc", "_loss", "_cer"))}


def in_epoch(number: int, action, monkeypatch, batch: int = 3):
    """Call `action()` in the middle of an epoch (from 0)."""
    original = BaseLitModel.training_step

    def training_step(self, data, index):
        if (self.current_epoch, index) == (number, batch):
            action()
        return original(self, data, index)

    monkeypatch.setattr(BaseLitModel, "training_step", training_step)


def one_line(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


# Interrupted


@pytest.mark.parametrize(
    ("number", "code", "name", "flags"),
    [
        (signal.SIGINT, 130, "Ctrl-C", ("--one_cycle_max_lr", "0.01", "--augment", "--num_workers", "1")),
        (signal.SIGTERM, 143, "SIGTERM", ("--optimizer", "AdamW", "--num_workers", "1")),
    ],
)
def test_a_stopped_and_resumed_run_ends_with_the_very_metrics_of_one_that_was_not(
    run, small_mnist, folder, monkeypatch, number, code, name, flags
):
    flags = (*THREE_EPOCHS, *flags)
    run(*flags)
    stopped = folder.with_name("version_1")
    with monkeypatch.context() as patch:
        in_epoch(1, lambda: signal.raise_signal(number), patch)
        ended, text = run(*flags)
    assert ended == code
    assert f"Stopped by {name}. Go on from the last full epoch with: " in text
    assert text.rstrip().endswith(f"--resume {stopped}")
    assert "Traceback" not in text
    assert not (stopped / "metrics.json").exists()
    assert run("--resume", str(stopped))[0] == 0
    assert figures(stopped) == figures(folder)
    assert len(figures(folder)) == 6
    assert (stopped / "metrics.csv").read_text() == (folder / "metrics.csv").read_text()
    assert (stopped / "curves.png").read_bytes() == (folder / "curves.png").read_bytes()


def test_dropout_goes_on_as_if_the_run_had_not_been_stopped(run, small_pen_set, tmp_path, monkeypatch):
    flags = (
        *("--data_class", "EMNISTLines", "--model_class", "LineCNNLSTM", "--loss", "ctc", "--source", "pen", "--fresh"),
        *("--lstm_dropout", "0.5", "--lstm_layers", "2", "--lstm_dim", "8", "--conv_dim", "4", "--fc_dim", "16"),
        *("--max_length", "8", "--window_stride", "8", "--num_train", "64", "--num_val", "16", "--num_test", "16"),
        *("--batch_size", "16", "--max_epochs", "3"),
    )
    run(*flags)
    folder = tmp_path / "logs" / "EMNISTLines-LineCNNLSTM" / "version_0"
    stopped = folder.with_name("version_1")
    with monkeypatch.context() as patch:
        in_epoch(2, lambda: signal.raise_signal(signal.SIGINT), patch, batch=1)
        assert run(*flags)[0] == 130
    assert run("--resume", str(stopped))[0] == 0
    assert figures(stopped) == figures(folder)
    assert "test_cer" in figures(folder)


def test_stopped_again_and_again_it_still_ends_the_same(run, small_mnist, folder, monkeypatch):
    run(*THREE_EPOCHS)
    stopped = folder.with_name("version_1")
    arguments = THREE_EPOCHS
    for epoch in (1, 1, 2):
        with monkeypatch.context() as patch:
            in_epoch(epoch, lambda: signal.raise_signal(signal.SIGTERM), patch)
            assert run(*arguments)[0] == 143
        arguments = ("--resume", str(stopped))
    assert run(*arguments)[0] == 0
    assert figures(stopped) == figures(folder)


def test_stopped_before_the_first_checkpoint_it_says_so_twice(run, small_mnist, folder, monkeypatch):
    with monkeypatch.context() as patch:
        in_epoch(0, lambda: signal.raise_signal(signal.SIGINT), patch)
        code, text = run(*THREE_EPOCHS)
    assert code == 130
    assert "No epoch was finished" in text
    code, text = run("--resume", str(folder))
    assert code == 2
    assert "had not finished an epoch. Start it again with --config" in text
    assert text.count("\n") == 1
    assert run("--config", str(folder / "config.yaml"), "--max_epochs", "1")[0] == 0


def test_stopped_while_data_is_prepared_it_leaves_no_folder(run, small_pen_set, folder, monkeypatch):
    monkeypatch.setattr("lab_kit.handwriting.pen_set.draw_set", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    code, text = run("--source", "pen")
    assert code == 143
    assert "start again with the same command" in text
    assert not folder.exists()


def test_stopped_after_training_it_goes_on_with_the_test(run, small_mnist, folder, monkeypatch):
    run(*THREE_EPOCHS)
    stopped = folder.with_name("version_1")
    with monkeypatch.context() as patch:
        patch.setattr(BaseLitModel, "test_step", lambda *_: signal.raise_signal(signal.SIGINT))
        assert run(*THREE_EPOCHS)[0] == 130
    assert run("--resume", str(stopped))[0] == 0
    assert figures(stopped) == figures(folder)
    assert json.loads((stopped / "metrics.json").read_text())["samples_per_second"] > 0


def test_signals_are_handled_as_before_when_the_run_is_over(run, small_mnist):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run("--fast_dev_run", "1")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_ctrl_c_in_a_terminal_also_reaches_the_workers_and_leaves_no_traceback(small_mnist, tmp_path):
    command = [sys.executable, "-u", project_root() / "training" / "run_experiment.py", "--num_workers", "2"]
    command += ["--max_epochs", "999", "--log_dir", tmp_path, "--fc1", "8", "--fc2", "8"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as program:
        written = []
        for line in program.stderr:
            written.append(line)
            if line.startswith("epoch 2/"):
                os.killpg(program.pid, signal.SIGINT)  # to all its processes, as a terminal does
    assert program.returncode == 130
    assert "Traceback" not in "".join(written)
    assert "--resume" in written[-1]
    assert "Stopped by Ctrl-C" in written[-1]


def test_a_terminal_that_is_closed_ends_the_run_and_nothing_is_left_half_written(small_mnist, tmp_path):
    ours, terminal = pty.openpty()
    run_in_it = (
        "import fcntl, os, sys, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-u", project_root() / "training" / "run_experiment.py", "--max_epochs", "999"]
    command += ["--log_dir", tmp_path, "--fc1", "8", "--fc2", "8"]
    ends = {"stdin": terminal, "stdout": terminal, "stderr": terminal, "start_new_session": True}
    with subprocess.Popen([sys.executable, "-c", run_in_it, *command], **ends) as program:
        os.close(terminal)
        written = b""
        while b"Epoch 1/" not in written:
            written += os.read(ours, 4096)
        os.close(ours)  # sends SIGHUP; whatever is written from now on is an error
    assert program.returncode != 0
    folder = tmp_path / "MNIST-MLP" / "version_0"
    assert not list(folder.rglob(f"*{atomic_write.UNFINISHED}"))
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] >= 0


# Resumed


def test_nothing_to_resume_is_one_line(run, small_mnist, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "none", tmp_path / "empty"):
        code, text = run("--resume", str(path))
        assert code == 2
        assert "There is nothing to resume" in text
        assert "Start the run again" in text
        assert text.count("\n") == 1


OTHER_FLAGS = {
    ("--lr", "0.01"): "has --lr 0.001, not 0.01",
    ("--batch_size", "64"): "has --batch_size 128, not 64",
    ("--optimizer", "SGD"): "has --optimizer Adam, not SGD",
    ("--seed", "7"): "has --seed 42, not 7",
    ("--fc1", "9"): "other sizes",
    ("--gradient_clip_val", "1"): "has --gradient_clip_val None, not 1",
}


def test_other_flags_than_those_of_the_run_are_refused(run, small_mnist, folder):
    _finished_run(run)
    for flags, message in OTHER_FLAGS.items():
        code, text = run("--resume", str(folder), *flags)
        assert code == 2
        assert message in text
        assert text.count("\n") == 1


def _finished_run(run, *flags):
    assert run("--max_epochs", "1", "--fc1", "8", "--fc2", "8", *flags)[0] == 0


def test_a_finished_run_can_be_made_longer(run, small_mnist, folder):
    _finished_run(run)
    code, _ = run("--resume", str(folder), "--max_epochs", "2", "--num_workers", "1")
    assert code == 0
    assert [row["epoch"] for row in csv.DictReader((folder / "metrics.csv").open())] == ["0", "1"]
    curves = learning_curves.read_curves(folder / "metrics.csv")
    assert curves["train_loss"][0] == curves["val_loss"][0] == [1, 2]


def test_one_cycle_cannot_be_made_longer(run, small_mnist, folder):
    _finished_run(run, "--one_cycle_max_lr", "0.01")
    code, text = run("--resume", str(folder), "--max_epochs", "2")
    assert code == 2
    assert "has --max_epochs 1, not 2" in text


def test_a_run_that_is_still_going_on_is_not_resumed(run, small_mnist, folder):
    _finished_run(run)
    with FileLock(folder / run_folder.LOCK):
        code, text = run("--resume", str(folder))
    assert code == 2
    assert "Another run is at work in" in text
    assert text.count("\n") == 1
    assert run("--resume", str(folder))[0] == 0  # the lock file alone blocks nobody


def test_what_a_killed_run_left_half_written_goes_away(run, small_mnist, folder):
    _finished_run(run)
    leftover = folder / "checkpoints" / f"last.ckpt.1234{atomic_write.UNFINISHED}"
    leftover.write_bytes(b"half")
    assert run("--resume", str(folder), "--max_epochs", "2")[0] == 0
    assert not leftover.exists()


# Checkpoints


def test_a_checkpoint_of_weights_alone_is_not_resumed(run, small_mnist, folder):
    _finished_run(run)
    last = folder / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    torch.save({name: content[name] for name in ("state_dict", "hyper_parameters")}, last)
    code, text = run("--resume", str(folder))
    assert code == 2
    assert "not the state of a run (epoch is missing): start from it with --load_checkpoint" in text


def test_a_run_that_was_begun_before_there_was_a_flag_is_resumed(run, small_mnist, folder):
    _finished_run(run)
    last = folder / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    settings = content["hyper_parameters"]["settings"]
    assert "label_smoothing: 0.0\n" in settings
    content["hyper_parameters"]["settings"] = settings.replace("label_smoothing: 0.0\n", "")
    torch.save(content, last)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("label_smoothing: 0.0\n", ""))
    code, text = run("--resume", str(folder), "--label_smoothing", "0.1", "--max_epochs", "9")
    assert code == 2
    assert "has --label_smoothing 0.0, not 0.1" in text
    assert run("--resume", str(folder), "--max_epochs", "4")[0] == 0


def test_a_checkpoint_outside_a_runs_folder_is_not_resumed(run, small_mnist, folder, tmp_path):
    _finished_run(run)
    elsewhere = tmp_path / "copied.ckpt"
    elsewhere.write_bytes((folder / "checkpoints" / "last.ckpt").read_bytes())
    code, text = run("--resume", str(elsewhere))
    assert code == 2
    assert "it is not in the folder of a run" in text
    assert run("--load_checkpoint", str(elsewhere), "--fc1", "8", "--fc2", "8", "--max_epochs", "1")[0] == 0


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


BAD = {
    "half": (lambda path, harm: path.write_bytes(path.read_bytes()[:3000]), "not a readable checkpoint"),
    "code": (lambda path, harm: torch.save({"state_dict": _Malicious(harm)}, path), "could run code"),
    "random": (lambda path, harm: path.write_bytes(bytes(range(256)) * 99), "not a readable checkpoint"),
    "empty": (lambda path, harm: path.write_bytes(b""), "not a readable checkpoint"),
}


def test_a_bad_checkpoint_is_one_line_and_runs_no_code(run, small_mnist, folder, tmp_path):
    _finished_run(run)
    last, harm = folder / "checkpoints" / "last.ckpt", tmp_path / "harm"
    for make, message in BAD.values():
        make(last, harm)
        for flag in ("--resume", "--load_checkpoint"):
            code, text = run(flag, str(last), "--fc1", "8", "--fc2", "8")
            assert code == 2
            assert message in text
            assert text.count("\n") == 1
            assert not harm.exists()


# A loss that is no number


@pytest.mark.parametrize("flag", ["--lr", "--one_cycle_max_lr"])
def test_a_loss_that_is_no_number_stops_the_run_with_advice(run, small_mnist, folder, flag):
    code, text = run(*THREE_EPOCHS, flag, "1e30", "--optimizer", "SGD")
    assert code == 2
    assert f"Lower {flag}, which is 1e+30, or add --gradient_clip_val 1." in text
    assert "Traceback" not in text
    assert not (folder / "checkpoints" / "last.ckpt").exists()


def test_it_keeps_the_last_good_checkpoint(run, small_mnist, folder, monkeypatch):
    original = BaseLitModel.training_step

    def training_step(self, batch, index):
        return original(self, batch, index) * (math.nan if (self.current_epoch, index) == (1, 3) else 1)

    monkeypatch.setattr(BaseLitModel, "training_step", training_step)
    code, text = run(*THREE_EPOCHS)
    best = folder / "checkpoints" / "best.ckpt"
    assert code == 2
    assert "The loss became nan in epoch 2" in text
    assert f"--load_checkpoint {best} starts from them" in one_line(text)
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["epoch"] == 0
    assert all(value.isfinite().all() for value in content["state_dict"].values())


def test_an_infinite_validation_loss_does_not_get_into_a_checkpoint_either(run, small_mnist, folder, monkeypatch):
    original = BaseLitModel.validation_step

    def validation_step(self, batch, index):
        if not self.trainer.sanity_checking and self.current_epoch == 1:
            for parameter in self.model.parameters():
                parameter.fill_(math.inf)
        return original(self, batch, index)

    monkeypatch.setattr(BaseLitModel, "validation_step", validation_step)
    code, _ = run(*THREE_EPOCHS)
    assert code == 2
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(value.isfinite().all() for value in content["state_dict"].values())


# A full disk


@contextmanager
def no_file_above(size: int):
    """Let no file grow beyond `size` bytes, as on a full disk: errno is EFBIG, not ENOSPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"x": torch.zeros(10)}, path)
    with no_file_above(10_000), pytest.raises(OSError, match="too large"):
        AtomicCheckpointIO().save_checkpoint({"x": torch.ones(10_000)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["x"], torch.zeros(10))
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_the_run_can_go_on(run, small_mnist, folder, monkeypatch):
    run(*THREE_EPOCHS)
    full = folder.with_name("version_1")
    original = AtomicCheckpointIO.save_checkpoint

    def save(self, checkpoint, path, storage_options=None):
        with pytest.MonkeyPatch.context() as patch:
            if checkpoint["epoch"] == 1 and "last" in str(path):
                patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            original(self, checkpoint, path, storage_options)

    with monkeypatch.context() as patch:
        patch.setattr(AtomicCheckpointIO, "save_checkpoint", save)
        code, text = run(*THREE_EPOCHS)
    assert code == 2
    assert "No space left on device. Go on from the last full epoch with" in text
    assert "Traceback" not in text
    assert not list(full.rglob(f"*{atomic_write.UNFINISHED}"))
    assert torch.load(full / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 0
    assert run("--resume", str(full))[0] == 0
    assert figures(full) == figures(folder)


def test_a_disk_that_is_full_of_data_is_one_line(run, small_pen_set, data_root):
    with no_file_above(100_000):
        code, text = run("--source", "pen")
    assert code == 2
    assert "File too large. Set TEXT_RECOGNIZER_DATA" in text
    assert "Traceback" not in text
    assert not list(data_root.rglob(f"*{atomic_write.UNFINISHED}"))
    assert not list(data_root.rglob("*.h5"))
    assert run("--source", "pen", "--max_epochs", "1")[0] == 0


def test_text_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "config.yaml"
    atomic_write.write_text("old", path)
    with no_file_above(10), pytest.raises(OSError, match="too large"):
        atomic_write.write_text("new and much longer", path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["config.yaml"]


def test_keys_change_with_the_code(tmp_path, monkeypatch):
    (tmp_path / "drawing.py").write_text("width = 1\n")
    before = cache.code_key(tmp_path / "drawing.py")
    (tmp_path / "drawing.py").write_bytes(b"width = 1\r\n")
    assert cache.code_key(tmp_path / "drawing.py") == before
    (tmp_path / "drawing.py").write_text("width = 2\n")
    assert cache.code_key(tmp_path / "drawing.py") != before
