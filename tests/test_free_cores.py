"""As many threads as there are free cores, beside other programs."""

import subprocess
import sys
import time

import pytest
import pytorch_lightning as pl
import torch

from lab_kit.experiment import free_cores
from lab_kit.experiment.cpu_load import CpuClock, CpuLoad
from lab_kit.experiment.free_cores import FreeCores, threads_beside
from tests.test_step_profile import QUIET, SlowData, SlowModel

SPIN = "while True: pass"


@pytest.mark.parametrize(
    ("others", "cores", "most", "threads"),
    [
        (0.0, 2, 2, 2), (0.3, 2, 2, 2), (0.9, 2, 2, 1), (1.0, 2, 2, 1), (2.0, 2, 2, 1), (5.0, 2, 2, 1),
        (1.0, 8, 8, 7), (2.6, 8, 8, 5), (30.0, 64, 2, 2), (63.9, 64, 2, 1), (0.0, 1, 1, 1),
    ],
)  # fmt: skip
def test_threads_have_cores_of_their_own(others, cores, most, threads):
    assert threads_beside(others, cores, most) == threads


def test_the_load_is_that_of_two_programs():
    """One that this process has started, which is its own, and one whose parent has ended."""
    code = (
        f"import subprocess as s, sys; quiet = {{'stdout': s.DEVNULL, 'stderr': s.DEVNULL}}; "
        f"print(s.Popen([sys.executable, '-c', '{SPIN}'], **quiet).pid)"
    )
    clock = CpuClock()
    child = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        time.sleep(1.5)
        load = clock.look()
        assert load.own > 0.2  # a core, unless other tests run beside
        assert load.seconds == pytest.approx(1.5, abs=0.5)
    finally:
        child.kill()
        child.wait()
    ended = clock.look()
    assert 0 <= ended.own * ended.seconds < 0.5  # a child that has ended does not count once more
    stranger = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    try:
        clock.look()
        time.sleep(1.5)
        load = clock.look()
        assert load.others > 0.2
        assert load.own < 0.5
    finally:
        subprocess.run(["kill", "-9", str(stranger)], check=False)


class Loads:
    """A clock that has seen what the test says."""

    age = 2.0
    busy: float = 0.0

    def look(self):
        return CpuLoad(1.0, self.busy, 2.0)


@pytest.fixture
def loads(monkeypatch):
    monkeypatch.setattr(free_cores, "CpuClock", Loads)
    monkeypatch.setattr(free_cores.os, "cpu_count", lambda: 2)
    yield Loads
    Loads.busy = 0.0


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


class Seen(pl.Callback):
    """Notes the threads of each step, and lets other programs come and go."""

    def __init__(self):
        self.threads = []

    def on_train_batch_start(self, trainer, module, batch, index):
        self.threads.append(torch.get_num_threads())
        Loads.busy = 0.95 if 2 <= index < 5 else 0.1


def test_training_leaves_a_busy_core_alone_and_takes_it_back(loads, two_threads, caplog):
    seen = Seen()
    trainer = pl.Trainer(**QUIET, max_steps=8, callbacks=[FreeCores(), seen])
    with caplog.at_level("INFO"):
        trainer.fit(SlowModel(), SlowData())
    assert seen.threads == [2, 2, 2, 1, 1, 1, 2, 2]
    assert torch.get_num_threads() == 2
    assert [record.message for record in caplog.records if "busy" in record.message] == [
        "Other programs keep 0.9 cores busy: going on with 1 of 2 threads until they stop."
    ]


def test_the_first_step_is_already_taken_on_free_cores(loads, two_threads, monkeypatch):
    class Busy(Loads):
        age, busy = 0.0, 1.0  # as right after the start

        def __init__(self):
            monkeypatch.setattr(free_cores.time, "sleep", self.sleep)

        def sleep(self, seconds):
            slept.append(seconds)
            self.age = 1.0

    slept = []
    monkeypatch.setattr(free_cores, "CpuClock", Busy)
    seen = Seen()
    pl.Trainer(**QUIET, max_steps=1, callbacks=[FreeCores(), seen]).fit(SlowModel(), SlowData())
    assert seen.threads == [1]
    assert slept[0] == free_cores.INTERVAL_S


def test_a_chosen_number_of_threads_stays(loads, run, small_mnist, monkeypatch):
    """The tests set OMP_NUM_THREADS, as a user may; without it, a run looks."""
    made = []
    original = FreeCores.setup
    monkeypatch.setattr(FreeCores, "setup", lambda self, *_, **how: (made.append(self), original(self, *_, **how)))
    flags = ("--model_class", "MLP", "--fc1", "16", "--fc2", "16", "--max_steps", "2")
    assert run(*flags)[0] == 0
    assert not made
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert run(*flags, "--tune", "false")[0] == 0
    assert not made
    assert run(*flags)[0] == 0
    assert made
