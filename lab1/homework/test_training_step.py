"""Exercise 2: a training step by hand, equal to Lightning's."""

import copy
import warnings
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from training_step import train

from lab_kit.errors import sentence
from text_recognizer.data import DataConfig
from text_recognizer.lit_models import BaseLitModel

LR = 0.5
STEPS = 6
CONFIG = DataConfig(input_dims=(1, 6, 6), output_dims=(1,), mapping=tuple("abcd"))


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 4))


@pytest.fixture
def batches() -> list[tuple[Tensor, Tensor]]:
    return [(torch.rand(16, 1, 6, 6), torch.randint(4, (16,))) for _ in range(STEPS)]


@pytest.fixture
def lightning(tmp_path: Path, network: nn.Module):
    """Return a function that gives a copy of the network, trained on batches by Lightning's Trainer."""

    def fit(batches: list[tuple[Tensor, Tensor]]) -> nn.Module:
        lit_model = BaseLitModel(copy.deepcopy(network), CONFIG, optimizer="SGD", lr=LR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the speed of so small a training set
            trainer = pl.Trainer(
                accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                enable_model_summary=False, default_root_dir=tmp_path,
            )  # fmt: skip
            trainer.fit(lit_model, DataLoader(batches, batch_size=None))  # they are batches already
        return lit_model.model

    return fit


def difference(one: nn.Module, other: nn.Module) -> float:
    """Return the largest difference between the weights of two networks."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max((a - b).detach().abs().max().item() for a, b in pairs)


def test_one_step_equals_lightnings(network, batches, lightning) -> None:
    """After one step the weights are Lightning's to 1e-6."""
    expected = lightning(batches[:1])
    before = copy.deepcopy(network)
    train(network, functional.cross_entropy, batches[:1], LR)
    assert difference(network, before) > 0, (
        "train() leaves the weights as they were. After loss.backward() each parameter has its gradient in `.grad`: "
        "subtract lr times the gradient from the parameter, in place."
    )
    found = difference(network, expected)
    assert found < 1e-6, (
        f"After one step a weight differs from Lightning's by {found:.2g}. Each parameter should become parameter - lr "
        f"* gradient. Uphill instead of downhill? A forgotten lr?"
    )


def test_several_steps_equal_lightnings(network, batches, lightning) -> None:
    """After several steps the weights are still Lightning's to 1e-6."""
    expected = lightning(batches)
    train(network, functional.cross_entropy, batches, LR)
    found = difference(network, expected)
    assert found < 1e-6, (
        f"After {STEPS} steps a weight differs from Lightning's by {found:.2g}. If one step is right and several are "
        "not: backward() adds to `.grad`. Empty it before each step, or you go along the sum of all gradients so far."
    )


def test_old_gradients_do_not_count(network, batches, lightning) -> None:
    """Gradients that somebody left in the network do not count."""
    expected = lightning(batches[:2])
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    train(network, functional.cross_entropy, batches[:2], LR)
    found = difference(network, expected)
    assert found < 1e-6, (
        f"The network came with old gradients in `.grad`, and the weights now differ from Lightning's by {found:.2g}. "
        "Empty the gradients before backward(), not after it."
    )


def test_it_returns_the_loss_of_each_batch(network, batches) -> None:
    """It returns the loss of each batch, as it was before the step."""
    images, labels = batches[0]
    first = functional.cross_entropy(network(images), labels).item()
    losses = train(network, functional.cross_entropy, batches, LR)
    assert isinstance(losses, list), f"Expected a list of losses, found {losses!r}."
    assert len(losses) == STEPS, f"Expected {STEPS} losses, one for each batch; found {len(losses)}."
    assert all(isinstance(loss, float) for loss in losses), (
        f"Expected plain numbers, found {type(losses[0]).__name__}. A tensor would keep the whole graph of its step in "
        "memory: loss.item() gives the number."
    )
    assert abs(losses[0] - first) < 1e-5, (
        f"The loss of the first batch should be {first:.6f}, and {losses[0]:.6f} was returned. It is the loss that "
        "backward() started from, before the weights changed."
    )


def test_the_update_is_not_part_of_the_graph(network, batches) -> None:
    """The weights stay the same tensors, and autograd does not record the update."""
    before = list(network.parameters())
    try:
        train(network, functional.cross_entropy, batches, LR)
    except RuntimeError as error:
        if "in-place" not in str(error):
            raise
        raise AssertionError(
            f"PyTorch says: {sentence(str(error))} Autograd records all that happens to a weight, so that it could "
            "differentiate it. The update is not part of the network: write it inside `with torch.no_grad():`."
        ) from error
    same = all(old is new for old, new in zip(before, network.parameters(), strict=True))
    assert same, (
        "The network now holds other tensors than before. Change the weights in place (`weight -= ...`), so that all "
        "who know them see the change."
    )
    assert all(weight.is_leaf and weight.requires_grad for weight in before), (
        "After training, a weight is no longer a leaf that requires a gradient. Write the update inside "
        "`with torch.no_grad():`, so that autograd does not record it."
    )


def test_weights_without_a_gradient_stay(network, batches) -> None:
    """Weights that are frozen, or that the loss does not depend on, stay as they are."""
    frozen, unused = network[1], nn.Linear(3, 3)
    frozen.requires_grad_(False)
    network.unused = nn.Identity()  # which passes on what it gets ...
    network.unused.layer = unused  # ... and does not ask its layer
    before = copy.deepcopy((frozen, unused))
    try:
        train(network, functional.cross_entropy, batches, LR)
    except (TypeError, AttributeError) as error:
        raise AssertionError(
            f"{sentence(error)} A weight that is frozen, or that the loss does not depend on, has no "
            "gradient: its `.grad` is None. Leave it out."
        ) from error
    assert difference(nn.ModuleList((frozen, unused)), nn.ModuleList(before)) == 0, (
        "A weight without a gradient has changed. Where `.grad` is None there is nothing to follow: leave it out."
    )


def test_the_network_is_in_training_mode(batches) -> None:
    """The network is in training mode, so that dropout is at work."""
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(36, 4)).eval()
    modes = []
    network[1].register_forward_hook(lambda module, inputs, output: modes.append(module.training))
    train(network, functional.cross_entropy, batches, LR)
    assert modes == [True] * STEPS, (
        "The network came in evaluation mode, and was trained in it: dropout did nothing. Call network.train() first, "
        "as Lightning does."
    )


def test_the_step_is_written_by_hand(network, batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does without torch.optim."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("train() makes an optimizer of torch.optim. Write its step yourself: it is one line.")

    monkeypatch.setattr(torch.optim.Optimizer, "__init__", refuse)
    train(network, functional.cross_entropy, batches, LR)
