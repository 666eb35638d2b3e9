"""`kill -9` at random moments, and first runs at once; `benchmarks/kill.py` does it more often, in whole programs."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from lab_kit.atomic_write import UNFINISHED
from lab_kit.datasets import cache
from text_recognizer.data import EMNIST, MNIST, EMNISTLines

MOMENTS = 3
RUN = ("--max_epochs", "3", "--fc1", "32", "--fc2", "16", "--one_cycle_max_lr", "0.01")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")


def forked(action) -> int:
    """Return the id of a copy of this process that does `action()`, and nothing else."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            action()
            code = 0
        finally:
            os._exit(code)
    return child


def killed(action, seconds: float) -> bool:
    """Do `action()` in a copy of this process, and kill it after `seconds`; return whether it was still at it."""
    child = forked(action)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def caches(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "processed").rglob("*.h5")}


def prepare(data) -> None:
    data.prepare_data()
    data.setup()


DATA = {
    "archive": EMNIST,
    "pen set": lambda: EMNIST(source="pen"),
    "lines": lambda: EMNISTLines(source="pen", max_length=8, num_train=3000, num_val=100, num_test=100),
}


@pytest.mark.parametrize("name", DATA)
def test_data_whose_preparation_was_killed_is_prepared_by_the_next_run(small_pen_set, request, data_root, name):
    if name == "archive":
        request.getfixturevalue("small_emnist")
    start = time.perf_counter()
    prepare(DATA[name]())
    seconds = time.perf_counter() - start
    expected = caches(data_root)
    for _ in range(MOMENTS):
        for path in (data_root / "processed").rglob("*.h5"):
            path.unlink()
        killed(lambda: prepare(DATA[name]()), random.uniform(0, seconds))
        assert caches(data_root).items() <= expected.items()
        prepare(DATA[name]())
        assert caches(data_root) == expected
        assert not list(data_root.rglob(f"*{UNFINISHED}"))


def measured(folder: Path) -> dict:
    figures = json.loads((folder / "metrics.json").read_text())
    epochs = (folder / "metrics.csv").read_text()
    return {name: value for name, value in figures.items() if name.endswith(("_acc", "_loss"))} | {"epochs": epochs}


def test_a_run_that_was_killed_goes_on_to_the_very_metrics(run, small_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr("lab_kit.plots.character_plots.draw", lambda *_: None)
    folder = tmp_path / "logs" / "MNIST-MLP"
    start = time.perf_counter()
    run(*RUN)
    seconds = time.perf_counter() - start
    expected = measured(folder / "version_0")
    arguments, version = RUN, 1
    for _ in range(MOMENTS):
        killed(lambda: run(*arguments), random.uniform(0.2 * seconds, seconds))  # noqa: B023 - called at once
        stopped = folder / f"version_{version}"
        if (stopped / "checkpoints" / "last.ckpt").is_file():
            arguments = ("--resume", str(stopped))
        else:
            version += stopped.exists()
    assert run(*arguments)[0] == 0
    assert measured(folder / f"version_{version}") == expected
    assert not list((folder / f"version_{version}").rglob(f"*{UNFINISHED}"))


def test_eight_first_runs_at_once_prepare_the_data_once(small_pen_set, data_root, tmp_path, monkeypatch):
    original, log = cache.write_arrays, tmp_path / "written"

    def write(*arguments):
        with log.open("a") as file:
            file.write("once\n")
        original(*arguments)

    monkeypatch.setattr(cache, "write_arrays", write)
    children = [forked(lambda: prepare(MNIST(source="pen"))) for _ in range(8)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 8
    assert log.read_text() == "once\n"
    assert len(caches(data_root)) == 1
