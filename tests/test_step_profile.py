"""Where the time of a step goes, against a stopwatch."""

import gzip
import json
import time

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from lab_kit.experiment import step_profile
from lab_kit.experiment.step_profile import StepTimes, advice, profile_steps

QUIET = {
    "accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
    "enable_model_summary": False,
}  # fmt: skip
DATA, FORWARD, BACKWARD, OPTIMIZER = 0.012, 0.006, 0.009, 0.004  # seconds


class Slow(torch.autograd.Function):
    """Takes its time on the way back."""

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        time.sleep(BACKWARD)
        return gradient


class SlowSGD(torch.optim.SGD):
    def step(self, closure=None):
        loss = super().step(closure)
        time.sleep(OPTIMIZER)
        return loss


class SlowModel(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)

    def training_step(self, batch, index):
        time.sleep(FORWARD)
        return Slow.apply(self.linear(batch[0])).mean()

    def configure_optimizers(self):
        return SlowSGD(self.parameters(), lr=0.1)


class SlowData(pl.LightningDataModule):
    num_workers = 0

    def train_dataloader(self):
        class Batches(torch.utils.data.IterableDataset):
            def __iter__(self):
                for _ in range(1000):
                    time.sleep(DATA)
                    yield torch.ones(8, 3), torch.zeros(8)

        return torch.utils.data.DataLoader(Batches(), batch_size=None)


def test_the_parts_are_those_of_a_stopwatch(tmp_path, capsys):
    torch.manual_seed(0)
    trainer, model = pl.Trainer(**QUIET), SlowModel()
    before = model.linear.weight.clone()
    times = profile_steps(trainer, model, SlowData(), tmp_path)
    for name, seconds in (("data", DATA), ("forward", FORWARD), ("backward", BACKWARD), ("optimizer", OPTIMIZER)):
        # a sleep takes as long as asked for, or longer on a busy machine
        assert seconds <= getattr(times, name) < 3 * seconds + 0.01, name
    assert torch.equal(model.linear.weight, before)
    assert times.samples == 8
    written = json.loads((tmp_path / step_profile.FIGURES).read_text(encoding="utf-8"))
    assert written["step"] == pytest.approx(times.step)
    trace = json.loads(gzip.decompress((tmp_path / step_profile.TRACE).read_bytes()))
    assert any("addmm" in event.get("name", "") for event in trace["traceEvents"])
    printed = capsys.readouterr().out
    assert "prepared in the loop" in printed
    assert "aten::" in printed


def test_the_whole_step_is_the_wall_time(tmp_path, monkeypatch):
    monkeypatch.setattr(step_profile, "print_times", lambda *_: None)
    clock = {}
    original = step_profile.StepClock.times

    def times(self):
        clock["wall"] = self.load.seconds / self.steps
        return original(self)

    monkeypatch.setattr(step_profile.StepClock, "times", times)
    found = profile_steps(pl.Trainer(**QUIET), SlowModel(), SlowData(), tmp_path)
    assert found.step == pytest.approx(clock["wall"], rel=0.02)


@pytest.mark.parametrize(
    ("data", "other", "workers", "says"),
    [
        (0.01, 0.0, 0, []),
        (0.05, 0.0, 0, ["--num_workers 2"]),
        (0.05, 0.0, 2, ["more workers"]),
        (0.01, 0.9, 0, ["Other programs"]),
    ],
)
def test_advice_is_given_where_there_is_something_to_do(data, other, workers, says):
    said = advice(StepTimes(data, 0.05, 0.05, 0.01, 2.0, other, 32), workers)
    assert len(said) == len(says)
    assert all(word in line for word, line in zip(says, said, strict=True))


def test_a_run_with_profile_ends_after_it(run, small_mnist, tmp_path):
    code, said = run("--model_class", "MLP", "--fc1", "16", "--fc2", "16", "--batch_size", "32", "--profile")
    assert code == 0, said
    assert "Where the time of a step goes" in said
    (folder,) = (tmp_path / "logs" / "MNIST-MLP").iterdir()
    assert {path.name for path in folder.iterdir()} - {".lock"} == {step_profile.FIGURES, step_profile.TRACE}
