"""A loss that is no number: only what was checked is blamed for it."""

import math

import pytest
import torch
from torch import nn

from text_recognizer.data.base_data_module import BaseDataModule
from text_recognizer.lit_models import BaseLitModel

TINY = ("--max_epochs", "2", "--fc1", "32", "--fc2", "16")
ABOUT_STEPS = ("steps of training are too large", "Lower --")


def change(monkeypatch, method, changed, owner=BaseLitModel):
    """Let a method return `changed(self, what it returned, its arguments)`."""
    original = getattr(owner, method)
    monkeypatch.setattr(owner, method, lambda self, *arguments: changed(self, original(self, *arguments), *arguments))


def nan_loss(monkeypatch, epoch, batch):
    def changed(self, loss, data, index):
        return loss * math.nan if (self.current_epoch, index) == (epoch, batch) else loss

    change(monkeypatch, "training_step", changed)


def nan_picture(monkeypatch, epoch, batch):
    seen = []

    def changed(self, data, *_):
        if self.trainer.training:
            seen.append(data)
            if len(seen) == epoch * 8 + batch + 1:
                data[0][3, 0, 5, 5] = math.inf
        return data

    change(monkeypatch, "on_after_batch_transfer", changed, BaseDataModule)


def nan_gradient(monkeypatch):
    change(monkeypatch, "training_step", lambda self, loss, *_: loss + (0 * next(self.parameters())).sum().sqrt())


BEFORE_THE_FIRST_STEP = {
    "loss": (lambda patch: nan_loss(patch, 0, 0), "The loss is nan before the first step of training"),
    "picture": (lambda patch: nan_picture(patch, 0, 0), "a value that is no number in the first training batch"),
    "gradient": (nan_gradient, "its gradient at model.layers.1.weight is not"),
}


@pytest.mark.parametrize("find_lr", [(), ("--find_lr",)], ids=["training", "finder"])
@pytest.mark.parametrize(("spoil", "message"), BEFORE_THE_FIRST_STEP.values(), ids=BEFORE_THE_FIRST_STEP)
def test_before_the_first_step_no_step_is_blamed(run, small_mnist, monkeypatch, spoil, message, find_lr):
    spoil(monkeypatch)
    code, text = run(*TINY, *find_lr)
    assert code == 2
    assert message in text
    assert not any(words in text for words in ABOUT_STEPS)
    assert "Traceback" not in text


def test_weights_that_are_no_numbers_are_found_before_they_are_trained(run, small_mnist, tmp_path):
    run(*TINY, "--max_epochs", "1")
    best = tmp_path / "logs/MNIST-MLP/version_0/checkpoints/best.ckpt"
    content = torch.load(best, weights_only=True)
    content["state_dict"]["model.layers.4.bias"][3] = math.nan
    torch.save(content, best)
    code, text = run(*TINY, "--load_checkpoint", str(best))
    assert code == 2
    assert "model.layers.4.bias is no number before training begins" in text
    assert not any(words in text for words in ABOUT_STEPS)


def test_a_bad_picture_later_on_is_blamed_and_not_the_steps(run, small_mnist, monkeypatch):
    nan_picture(monkeypatch, 1, 3)
    code, text = run(*TINY)
    assert code == 2
    assert "in epoch 2: there is a value that is no number in the batch. Look at the data." in text
    assert not any(words in text for words in ABOUT_STEPS)


def test_a_loss_that_had_not_grown_is_no_proof_against_the_steps(run, small_mnist, monkeypatch):
    nan_loss(monkeypatch, 1, 3)
    code, text = run(*TINY)
    assert code == 2
    assert "The loss became nan in epoch 2: it had not grown before, so the steps need not be too large" in text
    assert "--detect_anomaly true" in text
    assert "best.ckpt starts from them" in " ".join(text.split())


@pytest.mark.parametrize("flags", [("--lr", "1e30"), ("--one_cycle_max_lr", "1e7")], ids=str)
def test_a_huge_first_step_is_blamed(run, small_mnist, flags):
    code, text = run(*TINY, "--optimizer", "SGD", *flags)
    assert code == 2
    assert f"the steps of training are too large. Lower {flags[0]}, which is {float(flags[1])}" in text


def test_steps_are_blamed_where_the_loss_had_grown(run, small_mnist, monkeypatch):
    losses = iter([1.0, 1.5, 0.5, 3.0, 90.0, math.inf, 1.0, 1.0])
    change(monkeypatch, "training_step", lambda self, loss, *_: loss / loss.detach() * next(losses))
    code, text = run(*TINY)
    assert code == 2
    assert "The loss became inf in epoch 1: the steps of training are too large. Lower --lr, which is 0.001" in text


def test_float16_is_named_before_the_steps(run, small_mnist):
    code, text = run(*TINY, "--precision", "16-true", "--optimizer", "SGD", "--lr", "1e4")
    assert code == 2
    assert "in epoch 1: float16 (--precision 16-true) has no numbers above 65,504" in text
    assert not any(words in text for words in ABOUT_STEPS)


def test_pictures_of_validation_are_blamed_where_training_went_well(run, small_mnist, monkeypatch):
    def changed(self, data, *_):
        if self.trainer.validating or self.trainer.sanity_checking or not self.trainer.training:
            data[0][0, 0, 0, 0] = math.nan
        return data

    change(monkeypatch, "on_after_batch_transfer", changed, BaseDataModule)
    code, text = run(*TINY)
    assert code == 2
    assert "val_loss became nan in epoch 1: all weights and the losses of the training batches are numbers" in text
    assert "Look at the validation pictures." in text


def test_a_buffer_of_the_network_is_named(run, small_mnist, monkeypatch):
    def validation_step(self, batch, index):
        if not hasattr(self.model, "running"):
            self.model.register_buffer("running", torch.tensor([math.inf]))
        self._record(
            "val_loss", index, self.model.running[0] * nn.functional.mse_loss(self(batch[0]), self(batch[0])), 1
        )

    monkeypatch.setattr(BaseLitModel, "validation_step", validation_step)
    code, text = run(*TINY)
    assert code == 2
    assert "Look at the network's model.running." in text


def test_a_step_that_skips_its_batch_is_no_fault(run, small_mnist, monkeypatch):
    change(monkeypatch, "training_step", lambda self, loss, data, index: None if index % 2 else loss)
    assert run(*TINY)[0] == 0
