"""Exercise 1: residual blocks, batch norm, strides, as many blocks as you ask for (checks that were not handed out)."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from lab_kit.errors import UserError, sentence
from text_recognizer.data import DataConfig
from text_recognizer.models.cnn import CNN, ConvBlock

FILE = "text_recognizer/models/cnn.py"
Call = tuple[nn.Module, Tensor, Tensor]


@contextmanager
def calls() -> Iterator[list[Call]]:
    """Record every layer that is called, with its input and its output."""
    made: list[Call] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs:
            made.append((module, inputs[0], output))

    hook = nn.modules.module.register_module_forward_hook(record)
    try:
        yield made
    finally:
        hook.remove()


def is_conv(module: nn.Module, one_by_one: bool) -> bool:
    return isinstance(module, nn.Conv2d) and (max(module.kernel_size) == 1) == one_by_one


def silent_block(in_channels: int, out_channels: int) -> ConvBlock:
    """Return a block whose convolutions give zeros, but for those of one pixel."""
    block = ConvBlock(in_channels, out_channels).eval()
    for module in block.modules():
        if is_conv(module, one_by_one=False):
            for weight in module.parameters():
                nn.init.zeros_(weight)
    return block


def make_cnn(dims: tuple[int, int, int], classes: int, **settings: int) -> CNN:
    assert "num_blocks" in inspect.signature(CNN).parameters, (
        f"CNN takes no argument `num_blocks` yet. Add `num_blocks: int = 2` to CNN.__init__ in {FILE}."
    )
    return CNN(DataConfig(dims, (1,), tuple(f"class {k}" for k in range(classes))), **settings)


def test_block_adds_its_input_before_the_activation() -> None:
    """A block gives relu(x + f(x)), for numbers below zero, other channels and pictures that are not square, too."""
    for channels, height, width in ((4, 9, 5), (1, 6, 14), (13, 3, 3)):
        x = torch.randn(3, channels, height, width)
        with torch.no_grad():
            found = silent_block(channels, channels)(x)
        assert found.shape == x.shape, f"Expected the shape {tuple(x.shape)}, found {tuple(found.shape)}."
        furthest = (found - x.relu()).abs().max().item()
        assert furthest < 1e-3, (
            f"ConvBlock({channels}, {channels}), whose convolutions are zero, should give relu(x + 0), and differs "
            f"from it by up to {furthest:.2f} on an input with numbers below zero. Add the input as it is, and put "
            f"the ReLU behind the sum ({FILE})."
        )


def test_way_around_leads_to_fewer_channels_as_to_more() -> None:
    """The way around works where channels become fewer as where they become more, on pictures that are not square."""
    for before, after in ((8, 3), (5, 1), (1, 9), (2, 3)):
        images = torch.rand(2, before, 7, 12)
        block = silent_block(before, after)
        try:
            with torch.no_grad():
                found = block(images)
        except RuntimeError as error:
            raise AssertionError(
                f"ConvBlock({before}, {after}) does not take pictures {tuple(images.shape)}: {sentence(error)} "
                "Wherever the number of channels changes, the input needs a 1x1 convolution on its way around."
            ) from error
        assert found.shape == (2, after, 7, 12), (
            f"ConvBlock({before}, {after}) should turn {tuple(images.shape)} into (2, {after}, 7, 12), and gives "
            f"{tuple(found.shape)}."
        )
        around = ConvBlock(before, after).eval()
        ways = [module for module in around.modules() if is_conv(module, one_by_one=True)]
        for module in around.modules():  # so that the way around gives no number that ReLU would cut off
            if isinstance(module, nn.Conv2d):
                for weight in module.parameters():
                    nn.init.constant_(weight, 1.0 if module in ways else 0.0)
        with torch.no_grad():
            one, other = around(images).flatten(1)
        assert not torch.allclose(one, other, atol=1e-4), (
            f"ConvBlock({before}, {after}), whose 3x3 convolutions are zero, gives the same for two different "
            "pictures: nothing gets around them. Send the input through an nn.Conv2d with kernel_size=1, and add it."
        )


def test_batch_norm_follows_each_convolution_of_all_blocks() -> None:
    """Each convolution of a block has a batch norm, in the first, the last and all other blocks."""
    for num_blocks in (1, 2, 4):
        model = make_cnn((3, 10, 16), 4, conv_dim=6, fc_dim=9, num_blocks=num_blocks).train()
        with calls() as made:
            model(torch.rand(5, 3, 10, 16))
        inside = {part for module, _, _ in made if isinstance(module, ConvBlock) for part in module.modules()}
        met = [call for call in made if call[0] in inside]
        convs = sum(is_conv(module, one_by_one=False) for module, _, _ in met)
        on_the_way_around = {id(output) for module, _, output in met if is_conv(module, one_by_one=True)}
        norms = sum(isinstance(module, _BatchNorm) and id(x) not in on_the_way_around for module, x, _ in met)
        assert norms >= convs > 0, (
            f"With num_blocks={num_blocks}, a picture meets {convs} convolutions in blocks, and {norms} batch norms. "
            "Put an nn.BatchNorm2d between each convolution and its activation, whatever the channels and the stride."
        )


def test_num_blocks_works_with_other_sizes() -> None:
    """As many blocks as num_blocks says are passed and learn, with other pictures, classes, conv_dim and fc_dim."""
    for num_blocks, dims, classes, conv_dim in ((3, (4, 9, 5), 3, 2), (1, (1, 6, 21), 12, 5), (7, (2, 16, 8), 2, 3)):
        case = f"num_blocks={num_blocks}, conv_dim={conv_dim}, pictures {dims}, {classes} classes"
        model = make_cnn(dims, classes, conv_dim=conv_dim, fc_dim=7, num_blocks=num_blocks)
        try:
            with calls() as made:
                logits = model(torch.rand(6, *dims))
        except RuntimeError as error:
            raise AssertionError(
                f"{case}: {sentence(error)} Take all sizes from the arguments. A convolution with stride 2 rounds up "
                "where max-pooling rounds down."
            ) from error
        assert logits.shape == (6, classes), f"{case}: expected logits (6, {classes}), found {tuple(logits.shape)}."
        passed = len({id(module) for module, _, _ in made if isinstance(module, ConvBlock)})
        assert passed == num_blocks, f"{case}: a picture passes {passed} different blocks; expected {num_blocks}."
        functional.cross_entropy(logits, torch.arange(6) % classes).backward()
        idle = [name for name, weight in model.named_parameters() if weight.grad is None]
        assert not idle, f"{case}: these weights get no gradient, so they never learn: {', '.join(idle[:5])}."
    for refused in (-1, -10):
        try:
            make_cnn((1, 8, 8), 2, num_blocks=refused)
        except UserError:
            continue
        raise AssertionError(f"num_blocks={refused} is accepted. A number below 1 should end with a UserError.")
