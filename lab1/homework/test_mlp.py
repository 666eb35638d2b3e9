"""Exercise 1: a third hidden layer and a dropout flag for the MLP."""

import inspect
import re
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lab_kit.errors import UserError, sentence
from lab_kit.experiment import cli
from text_recognizer.data import DataConfig
from text_recognizer.models import MLP
from training.run_experiment import PACKAGES, Run

CONFIG = DataConfig(input_dims=(1, 28, 28), output_dims=(1,), mapping=tuple("0123456789"))
SIZES = {"fc1": 50, "fc2": 40, "fc3": 30}
FILE = "text_recognizer/models/mlp.py"
LAYERS = ["fc1", "fc2", "fc3"]


def require_parameter(name: str, hint: str) -> None:
    assert name in inspect.signature(MLP).parameters, (
        f"MLP takes no argument `{name}` yet. Add `{name}: {hint} = ...` to MLP.__init__ in {FILE}."
    )


def linear_layers(model: nn.Module, images: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return input and output of each linear layer, in the order in which the picture passes them."""
    passed = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: passed.append((inputs[0], output)))
        for module in model.modules()
        if isinstance(module, nn.Linear)
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return passed


@pytest.fixture
def flag(capsys: pytest.CaptureFixture) -> Callable[[str, str, object], None]:
    """Return a function that checks a flag: it is in --help with some words about it, and its value is read."""

    def check(name: str, given: str, expected: object) -> None:
        with pytest.raises(SystemExit):
            cli.parse(["--model_class", "MLP", "--help"], Run, PACKAGES)
        described = re.search(rf"^ +--{name} {name.upper()}(.*?)\(type: (\w+)", capsys.readouterr().out, re.M | re.S)
        hint = type(expected).__name__
        assert described, (
            f"--help does not list --{name}. Flags are made from the parameters of MLP.__init__ that have a type: add "
            f"`{name}: {hint} = ...` to it, in {FILE}, and a line about it to the docstring."
        )
        assert described[1].strip(), (
            f"--help lists --{name}, but says nothing about it. The words come from the docstring of MLP in {FILE}: "
            f"add a line `{name}: ...` under Args."
        )
        found = getattr(cli.parse(["--model_class", "MLP", f"--{name}", given], Run, PACKAGES).settings, name)
        assert (found, type(found)) == (expected, type(expected)), (
            f"--{name} {given} gives {found!r}, where {expected!r} was expected. Is the parameter's type `{hint}`?"
        )

    return check


def test_fc3_is_a_flag(flag) -> None:
    """--fc3 is a flag of the command line, explained in --help."""
    flag("fc3", "30", 30)


def test_fc3_neurons_stand_between_fc2_and_the_logits() -> None:
    """A third hidden layer of fc3 neurons stands between fc2 and the logits."""
    sizes = SIZES if "fc3" in inspect.signature(MLP).parameters else {"fc1": 50, "fc2": 40}
    passed = linear_layers(MLP(CONFIG, **sizes).eval(), torch.rand(2, 1, 28, 28))
    found = [passed[0][0].shape[1], *(output.shape[1] for _, output in passed)] if passed else []
    expected = [784, 50, 40, 30, 10]
    assert found == expected, (
        f"With fc1=50, fc2=40, fc3=30 a picture should go through {in_words(expected)} neurons. "
        f"Yours goes through {in_words(found)}{'' if 'fc3' in sizes else ' (there is no fc3 yet)'}. "
        f"Add an nn.Linear(fc2, fc3) to {FILE}; the layer behind it then takes fc3 numbers in place of fc2."
    )


def in_words(sizes: list[int]) -> str:
    return " -> ".join(map(str, sizes)) or "no"


def test_an_activation_follows_the_third_layer() -> None:
    """The third hidden layer has an activation behind it, like the others."""
    require_parameter("fc3", "int")
    passed = linear_layers(MLP(CONFIG, **SIZES).eval(), torch.rand(8, 1, 28, 28))
    for name, (_, output), (following, _) in zip(LAYERS, passed, passed[1:], strict=False):
        assert output.shape != following.shape or not torch.equal(output, following), (
            f"What {name} calculates goes into the next layer as it is. Two linear layers with nothing between them "
            f"can do no more than one: put an nn.ReLU() behind {name}."
        )


def test_a_layer_without_neurons_is_refused() -> None:
    """An fc3 below 1 is refused with a UserError, like the other sizes."""
    require_parameter("fc3", "int")
    for size in (0, -3):
        refused(fc3=size)


def refused(**setting: float) -> None:
    """Check that MLP raises a UserError that names the setting."""
    ((name, value),) = setting.items()
    advice = f"Raise it at the start of MLP.__init__; its message should name `{name}` and the value."
    try:
        MLP(CONFIG, **setting)
    except UserError as error:
        message = str(error)
    except Exception as error:
        raise AssertionError(
            f"MLP(config, {name}={value}) raises {sentence(error)} A UserError was expected: the "
            f"program prints it as one line, without a traceback. {advice}"
        ) from error
    else:
        raise AssertionError(f"MLP(config, {name}={value}) is accepted. A UserError was expected. {advice}")
    assert name in message, f"The message '{message}' does not name `{name}`: nobody can tell what is wrong."


def test_dropout_is_a_flag(flag) -> None:
    """--dropout is a flag of the command line, explained in --help."""
    flag("dropout", "0.5", 0.5)


def test_dropout_follows_each_hidden_layer_in_training() -> None:
    """In training, dropout sets that share of each hidden layer's outputs, those of fc3 too, to zero."""
    require_parameter("dropout", "float")
    require_parameter("fc3", "int")
    model = MLP(CONFIG, fc1=400, fc2=400, fc3=400, dropout=0.75)
    images = torch.rand(64, 1, 28, 28)
    whole, dropped = linear_layers(model.eval(), images), linear_layers(model.train(), images)
    # A layer behind another one that was dropped sees other numbers, but about as many above zero.
    for name, (kept, _), (left, _) in zip(LAYERS, whole[1:], dropped[1:], strict=False):
        share = 1 - ((left != 0).float().mean() / (kept != 0).float().mean()).item()
        assert 0.65 < share < 0.85, (
            f"With dropout=0.75, three of four outputs of {name} should become zero in training, and here {share:.0%} "
            f"do. Put an nn.Dropout(dropout) behind each hidden layer's activation, made with the new argument in "
            "place of a constant."
        )


def test_dropout_zero_drops_nothing() -> None:
    """With --dropout 0 the network says the same in training as afterwards."""
    require_parameter("dropout", "float")
    model = MLP(CONFIG, dropout=0.0)
    images = torch.rand(8, 1, 28, 28)
    with torch.no_grad():
        difference = (model.train()(images) - model.eval()(images)).abs().max().item()
    assert difference < 1e-5, (
        f"With dropout=0 the logits in training and in evaluation differ by {difference:.2g}: something else still "
        "drops numbers. Is there an nn.Dropout with a constant left?"
    )


def test_a_dropout_that_is_no_share_is_refused() -> None:
    """A dropout below 0, or of 1 and more, is refused with a UserError."""
    require_parameter("dropout", "float")
    for share in (-0.1, 1.0, 1.5):  # a dropout of 1 would leave nothing to learn from
        refused(dropout=share)


def test_nothing_is_left_that_is_no_longer_true() -> None:
    """No constant is left that nothing uses, and no docstring that counts the layers wrong."""
    require_parameter("dropout", "float")
    require_parameter("fc3", "int")
    module = sys.modules[MLP.__module__]
    assert len(re.findall(r"\bDROPOUT\b", inspect.getsource(module))) != 1, (
        f"Nothing uses the constant DROPOUT any more: take it out of {FILE}, or whoever changes it will wonder why "
        "nothing happens."
    )
    for of, docstring in (("the file", module.__doc__), ("MLP", MLP.__doc__)):
        first = inspect.cleandoc(docstring or "").split("\n")[0]
        assert not re.search("three (linear|fully connected) layers", first), (
            f"The docstring of {of} still begins: {sentence(first)} How many are there now? ({FILE})"
        )
