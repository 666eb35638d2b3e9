"""Exercise 1: a third hidden layer and a dropout flag for the MLP (checks that were not handed out)."""

import inspect
import math

import torch
from torch import Tensor, nn

from lab_kit.errors import UserError, sentence
from text_recognizer.data import DataConfig
from text_recognizer.models import MLP

FILE = "text_recognizer/models/mlp.py"
LAYERS = ("fc1", "fc2", "fc3")


def config(dims: tuple[int, int, int], classes: int) -> DataConfig:
    return DataConfig(dims, (1,), tuple(f"class {k}" for k in range(classes)))


def takes(*names: str) -> None:
    missing = [name for name in names if name not in inspect.signature(MLP).parameters]
    assert not missing, f"MLP takes no argument `{missing[0]}` yet. Add it to MLP.__init__ in {FILE}, with its type."


def inputs_of_linear_layers(model: nn.Module, images: Tensor) -> list[Tensor]:
    """Return what goes into each linear layer, in the order in which the picture passes them, and then the logits."""
    seen: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        for module in model.modules()
        if isinstance(module, nn.Linear)
    ]
    with torch.no_grad():
        logits = model(images)
    for hook in hooks:
        hook.remove()
    return [*seen, logits]


def test_mlp_takes_other_pictures_sizes_and_classes() -> None:
    """The three hidden layers have the sizes asked for, with pictures of other shapes and other numbers of classes."""
    for dims, classes, sizes in (
        ((3, 20, 12), 5, (33, 21, 13)),
        ((1, 9, 31), 62, (17, 40, 25)),
        ((2, 4, 4), 2, (1, 1, 1)),
    ):
        given = dict(zip(LAYERS, sizes, strict=True))
        takes(*given)
        model = MLP(config(dims, classes), **given).eval()
        expected = [math.prod(dims), *sizes, classes]
        case = f"Pictures of shape {dims} and {classes} classes, {', '.join(f'{k}={v}' for k, v in given.items())}"
        try:
            found = [features.shape[1] for features in inputs_of_linear_layers(model, torch.rand(3, *dims))]
        except RuntimeError as error:
            raise AssertionError(
                f"{case}: expected the numbers of neurons {expected}, and PyTorch says: {sentence(error)} Take all "
                f"sizes from the arguments: is there a number in {FILE} that fits only one dataset?"
            ) from error
        assert found == expected, (
            f"{case}: the picture should go through {expected} numbers, and goes through {found}. Take all sizes from "
            "the arguments."
        )


def test_mlp_drops_the_share_that_it_is_told() -> None:
    """In training, the share of each of the three hidden layers that `dropout` says is dropped, and none afterwards."""
    takes("fc3", "dropout")
    for dropout in (0.4, 0.9):
        model = MLP(config((1, 28, 28), 10), fc1=300, fc2=500, fc3=400, dropout=dropout)
        images = torch.rand(100, 1, 28, 28)
        whole, again = (inputs_of_linear_layers(model.eval(), images) for _ in range(2))
        dropped = inputs_of_linear_layers(model.train(), images)
        assert len(whole) == 5, f"Expected three hidden layers and one for the logits, found {len(whole) - 1} in all."
        assert torch.equal(whole[-1], again[-1]), (
            "After the training, the same pictures got other logits at the second time: something still drops numbers."
        )
        for name, kept, left in zip(LAYERS, whole[1:4], dropped[1:4], strict=True):
            share = 1 - ((left != 0).float().mean() / (kept != 0).float().mean()).item()
            # A layer behind one that was dropped sees other numbers, but about as many above zero.
            assert abs(share - dropout) < 0.08, (
                f"With dropout={dropout}, about {dropout:.0%} of the outputs of {name} should become zero in training. "
                f"Found {share:.0%}. Each hidden layer needs an nn.Dropout that is made with the argument."
            )


def test_mlp_refuses_what_makes_no_sense_and_nothing_else() -> None:
    """An fc3 below 1 and a dropout below 0, or of 1 or more, are refused with a UserError; other values are not."""
    small = config((1, 5, 5), 3)
    for name, value in (("fc3", -1), ("fc3", -100), ("dropout", -0.001), ("dropout", 2.0), ("dropout", 20.0)):
        given = f"MLP(config, {name}={value})"
        advice = "A UserError was expected: raise it at the start of MLP.__init__."
        takes(name)
        try:
            MLP(small, **{name: value})
        except UserError:
            continue
        except Exception as error:
            raise AssertionError(f"{given} raises {sentence(error)} {advice}") from error
        raise AssertionError(f"{given} is accepted. {advice}")
    for name, value in (("fc3", 1), ("dropout", 0.0), ("dropout", 0.001), ("dropout", 0.999)):
        try:
            MLP(small, **{name: value})
        except UserError as error:
            raise AssertionError(
                f"MLP(config, {name}={value}) makes sense, and is refused: '{error}' Refused should be an fc3 below 1, "
                "a dropout below 0, and a dropout of 1 or more."
            ) from error
