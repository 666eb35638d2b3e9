"""Layers that do not fit together: one line names the layer, in a run as in homework."""

import pytest
import torch
from torch import Tensor, nn

from lab_kit.experiment import shape_errors
from text_recognizer.models.mlp import MLP


class Net(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Identity(), layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class Residual(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.cat([x, x, x], dim=1)


class Hidden(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.Linear(3, 4)(x)


def said(network: nn.Module, x: Tensor) -> str | None:
    with pytest.raises((RuntimeError, ValueError)) as error:
        network(x)
    return shape_errors.explain(error.value)


def test_the_layer_that_gives_what_does_not_fit_is_named_too():
    layers = nn.Sequential(nn.Linear(9, 9), nn.Linear(9, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Linear(128, 10))
    line = said(Net(layers), torch.rand(8, 9))
    assert line.startswith("inner.1.4 of Net (Linear) takes 128 numbers, and is given 100: ")
    assert line.endswith(" inner.1.1 of Net (Linear) gives 100. Layers count from 0.")


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (nn.Linear(128, 10), (8, 64), "(Linear) takes 128 numbers, and is given 64: its input has the shape (8, 64)."),
        (nn.Linear(784, 10), (8, 1, 28, 28), "(Linear) takes 784 numbers, and is given 28: "),
        (nn.Conv2d(3, 8, 3), (8, 1, 9, 9), "(Conv2d) takes 3 channels, and is given 1: "),
        (nn.Conv2d(3, 8, 3), (8, 9, 9), "(Conv2d) takes 3 channels, and is given 8: "),
        (nn.Conv2d(3, 8, 3), (8, 9), "(Conv2d) cannot take an input of shape (8, 9): "),
        (nn.Conv2d(3, 8, 9), (8, 3, 5, 5), "(Conv2d) cannot take an input of shape (8, 3, 5, 5): "),
        (nn.ConvTranspose2d(3, 8, 3), (8, 1, 9, 9), "(ConvTranspose2d) takes 3 channels, and is given 1: "),
        (nn.BatchNorm2d(16), (8, 4, 5, 5), "(BatchNorm2d) takes 16 channels, and is given 4: "),
        (nn.BatchNorm2d(16), (8, 16), "(BatchNorm2d) cannot take an input of shape (8, 16): expected 4D input"),
        (nn.BatchNorm1d(16).eval(), (8, 4), "(BatchNorm1d) takes 16 channels, and is given 4: "),
        (nn.LSTM(64, 32), (8, 5, 32), "(LSTM) takes 64 numbers in each step, and is given 32: "),
        (nn.LSTM(64, 32), (8, 5, 1, 64), "(LSTM) cannot take an input of shape (8, 5, 1, 64): "),
        (nn.LayerNorm(64), (8, 32), "(LayerNorm) cannot take an input of shape (8, 32): "),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_a_layer_that_is_given_the_wrong_shape_is_named(layer, shape, words):
    line = said(Net(layer), torch.rand(shape))
    assert line.startswith(f"inner.1 of Net {words}")
    assert line.endswith(".")
    assert not line.endswith("..")


def test_tensors_that_cannot_be_added_are_said_to_be_inside_the_block_that_adds_them():
    line = said(Net(Residual()), torch.rand(2, 3, 4))
    assert line.startswith("Inside inner.1 of Net (Residual), given an input of shape (2, 3, 4), shapes do not fit: ")


def test_a_layer_alone_and_one_that_pytorch_does_not_know_of_are_named_by_their_kind():
    assert said(nn.Linear(3, 4), torch.rand(2, 2)).startswith("Linear takes 3 numbers, and is given 2")
    assert said(Hidden(), torch.rand(2, 2)).startswith("a layer of Hidden (Linear) takes 3 numbers")


@pytest.mark.parametrize(
    ("network", "x"),
    [(nn.Linear(3, 4), torch.zeros(2, 3, dtype=torch.uint8)), (lambda x: x.view(4, 5), torch.zeros(3))],
)
def test_other_errors_are_left_alone(network, x):
    assert said(network, x) is None


@pytest.fixture
def wrong(monkeypatch):
    """Leave out a layer of the MLP."""
    monkeypatch.setattr(MLP, "forward", lambda self, images: self.layers[-1](self.layers[1](self.layers[0](images))))


@pytest.mark.parametrize("how", [(), ("--find_lr",)])
def test_a_run_ends_with_one_line(run, small_mnist, wrong, how):
    code, text = run("--max_epochs", "1", *how)
    assert code == 2
    [line] = [line for line in text.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: layers.7 of MLP (Linear) takes 128 numbers, and is given 1024: its input has the ")
    assert "test_shape_errors.py, line " in line
    assert line.endswith("For the whole traceback, set COURSE_TRACEBACK=1.")
    assert "Traceback" not in text


def test_the_traceback_is_shown_on_demand(run, small_mnist, wrong, monkeypatch):
    monkeypatch.setenv("COURSE_TRACEBACK", "1")
    code, text = run("--max_epochs", "1")
    assert code == 2
    assert "Traceback (most recent call last):" in text
    assert "shapes cannot be multiplied" in text
    assert text.splitlines()[-1].startswith("error: layers.7 of MLP (Linear) takes 128 numbers")
