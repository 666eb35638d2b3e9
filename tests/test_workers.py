"""Processes that prepare batches: however they start, and with little shared memory."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from lab_kit.datasets import batch_loader
from lab_kit.datasets.batch_index_sampler import BatchIndexSampler, identity_collate
from lab_kit.datasets.batch_loader import BatchLoader
from lab_kit.errors import UserError
from text_recognizer import data
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.lit_models import BaseLitModel

LINES = {"max_length": 8, "num_train": 64, "num_val": 16, "num_test": 16, "source": "pen"}


@pytest.fixture
def start_method():
    """Return a function that chooses how processes start, for the time of the test."""
    before = multiprocessing.get_start_method(allow_none=True)
    yield lambda name: multiprocessing.set_start_method(name, force=True)
    multiprocessing.set_start_method(before, force=True)


# Every start method


class OneBatchOfEach(Dataset):
    """Batch k of this is the first batch of the k-th dataset: one worker is enough to try them all."""

    def __init__(self, datasets: list[Dataset]) -> None:
        self.datasets = datasets

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        return self.datasets[indices[0]].__getitems__(range(8))


def every_dataset(root: Path) -> dict[str, Dataset]:
    """Return the training set of every data class, and of lines that are written anew."""
    for name in ("leaf", "fish"):
        (root / "pictures" / name).mkdir(parents=True)
        for k in range(10):
            Image.fromarray(np.full((9, 9), 20 * k, np.uint8)).save(root / "pictures" / name / f"{k}.png")
    settings = {"ImageFolder": {"folder": root / "pictures", "image_size": 9}, "EMNISTLines": LINES}
    settings["IAMLines"] = LINES | {"max_length": 12}
    settings["fresh"] = LINES | {"fresh": True}
    classes = {name: getattr(data, name) for name in data.__all__ if name not in ("BaseDataModule", "DataConfig")}
    modules = {
        name: a_class(**settings.get(name, {}))
        for name, a_class in (classes | {"fresh": data.EMNISTLines}).items()
        if issubclass(a_class, data.BaseDataModule)
    }
    for module in modules.values():
        module.prepare_data()
        module.setup()
    return {name: module.splits["train"] for name, module in modules.items()}


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_read_every_dataset_however_they_start(
    method, start_method, small_mnist, small_emnist, small_pen_set, data_root, tmp_path
):
    shutil.copytree(data_root / "raw" / "mnist", data_root / "raw" / "fashion_mnist")
    shutil.copytree(data_root / "downloaded" / "mnist", data_root / "downloaded" / "fashion_mnist")
    datasets = every_dataset(tmp_path)
    assert {"MNIST", "FashionMNIST", "EMNIST", "EMNISTLines", "ImageFolder", "fresh"} <= datasets.keys()
    expected = [dataset.__getitems__(range(8)) for dataset in datasets.values()]
    start_method(method)
    loader = BatchLoader(
        OneBatchOfEach(list(datasets.values())),
        batch_sampler=[[k] for k in range(len(datasets))],
        collate_fn=identity_collate,
        num_workers=1,
    )
    for name, (images, labels), (right, truth) in zip(datasets, loader, expected, strict=True):
        assert torch.equal(images, right), name
        assert torch.equal(labels, truth), name
    assert loader.multiprocessing_context.get_start_method() == method


def test_on_linux_workers_are_copies_unless_somebody_chose_otherwise(monkeypatch, start_method):
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: None)
    assert batch_loader._start_method() == ("fork" if sys.platform == "linux" else None)
    monkeypatch.undo()
    start_method("spawn")
    assert batch_loader._start_method() == "spawn"


# Little shared memory


def lines(workers: int, batch_size: int = 64, count: int = 12 * 64) -> BatchLoader:
    """Return a loader of batches as large as those of lines: 6.4 MB."""
    images, labels = torch.zeros(64, 28, 896, dtype=torch.uint8), torch.zeros(64, 32, dtype=torch.uint8)
    return BatchLoader(
        ImageDataset(images, labels, torch.arange(64).repeat(count // 64)),
        batch_sampler=BatchIndexSampler(count, batch_size),
        collate_fn=identity_collate,
        num_workers=workers,
        multiprocessing_context="fork",
    )


MB = 1 << 20


@pytest.mark.parametrize(
    ("workers", "total", "free", "advised"),
    [
        (8, 64, 64, 2),
        (4, 64, 30, 2),
        (2, 64, 20, 1),
        (1, 20, 20, 0),
        (3, 1000, 5, 2),
        (2, 64, 64, None),
        (2, 0, 0, None),
    ],
)
def test_what_the_batches_need_is_known_before_the_start(workers, total, free, advised, monkeypatch):
    memory = type(shutil.disk_usage("/"))(total * MB, (total - free) * MB, free * MB)
    monkeypatch.setattr(batch_loader, "SHARED_MEMORY", Path("/"))
    monkeypatch.setattr(batch_loader.shutil, "disk_usage", lambda _: memory)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    if advised is None:  # it fits, or there is no limit
        assert sum(len(images) for images, _ in lines(workers)) == 12 * 64
        return
    batches = min(12, 2 * workers + 2)
    with pytest.raises(UserError, match=rf"^--num_workers {workers} keeps up to {batches} batches of 6\.4 MB") as told:
        next(iter(lines(workers)))
    assert f"take --num_workers {advised}, or, in a container" in str(told.value)
    assert torch.equal(torch.get_rng_state(), before)


def test_in_64_mb_of_shared_memory_too_many_workers_end_in_one_line_and_fewer_work():
    """In a real one: root, and most other users, may mount a file system in a namespace of their own."""
    mount = 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"'
    ways = (["unshare", *flags, "sh", "-c", mount, "sh"] for flags in (["-m"], ["-rm"]))
    allowed = [way for way in ways if shutil.which(way[0]) and subprocess.run([*way, "true"]).returncode == 0]
    if not allowed:  # as in most containers: the tests beside this one try the same with simulated memory
        return
    code = f"import sys; sys.path[:0] = {sys.path!r}; import {__name__} as test; test.in_64_mb()"
    done = subprocess.run([*allowed[0], sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    refused, worked, full = done.stdout.splitlines()
    assert refused.startswith(
        "--num_workers 5 keeps up to 12 batches of 6.4 MB in shared memory. /dev/shm has 67 MB free"
    )
    assert "take --num_workers 2, or" in refused
    assert worked == "768 lines"
    assert full == batch_loader.FULL


def in_64_mb() -> None:
    """Print what becomes of five workers, of two, and of two beside another program that fills the memory."""
    try:
        next(iter(lines(5)))
    except UserError as error:
        print(error)  # noqa: T201
    print(sum(len(images) for images, _ in lines(2)), "lines")  # noqa: T201
    try:
        for _ in lines(2, count=100 * 64):
            with Path("/dev/shm/other").open("ab", buffering=0) as file, suppress(OSError):
                while file.write(bytes(MB)):
                    pass
    except UserError as error:
        print(error)  # noqa: T201


def test_memory_that_is_full_later_is_one_line(monkeypatch):
    def full(_):
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on device (28)"
        )

    monkeypatch.setattr(Tensor, "share_memory_", full)  # the worker is a copy of this process
    with pytest.raises(UserError, match=r"^Shared memory is full.* fewer --num_workers, or.* larger --shm-size\.$"):
        next(iter(lines(1)))


@pytest.mark.parametrize(
    "error",
    [
        *(RuntimeError(f"PyTorch: {sign}.") for sign in batch_loader.WORKER_ERRORS),
        *(ConnectionResetError(104, "Connection reset by peer"), EOFError()),
    ],
)
def test_whatever_pytorch_says_of_its_workers_becomes_one_line(error, monkeypatch):
    def failing(_):
        raise error
        yield

    monkeypatch.setattr(BatchLoader, "_batch_bytes", lambda _: 0)
    monkeypatch.setattr(batch_loader.DataLoader, "__iter__", failing)
    with pytest.raises(UserError, match=r"workers? that prepare") as told:
        next(iter(lines(1)))
    assert "\n" not in str(told.value)


def test_workers_that_cannot_be_started_are_one_line(monkeypatch):
    def refuse(_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(BatchLoader, "_batch_bytes", lambda _: 0)
    monkeypatch.setattr(batch_loader.DataLoader, "__iter__", refuse)
    with pytest.raises(UserError, match=r"cannot be started \(Function not implemented\): take fewer --num_workers"):
        next(iter(lines(1)))


def test_workers_that_ended_between_two_epochs_are_not_said_to_have_never_started(monkeypatch):
    def refuse(_):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(BatchLoader, "_batch_bytes", lambda _: 0)
    monkeypatch.setattr(batch_loader.DataLoader, "__iter__", refuse)
    with pytest.raises(UserError, match="A worker that prepares batches has ended unexpectedly"):
        next(iter(lines(1)))


def test_an_error_of_the_data_stays_what_it_is(monkeypatch):
    monkeypatch.setattr(ImageDataset, "__getitems__", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        next(iter(lines(1)))


def test_a_worker_that_the_system_kills_ends_the_run_in_one_line(run, small_mnist, monkeypatch):
    original = BaseLitModel.training_step

    def training_step(self, batch, index):
        if index == 3:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        return original(self, batch, index)

    monkeypatch.setattr(BaseLitModel, "training_step", training_step)
    code, text = run("--fc1", "8", "--fc2", "8", "--num_workers", "1", "--max_epochs", "3")
    assert code == 2
    assert "A worker that prepares batches has ended unexpectedly" in text
    assert "Traceback" not in text
