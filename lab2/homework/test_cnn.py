"""Exercise 1: residual blocks, batch norm and strides, as many blocks as you ask for."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from lab_kit.errors import UserError, sentence
from lab_kit.experiment import cli
from lab_kit.experiment.shape_errors import explain
from text_recognizer.data import DataConfig
from text_recognizer.models.cnn import CNN, ConvBlock
from training.run_experiment import PACKAGES, Run

CONFIG = DataConfig(input_dims=(1, 28, 28), output_dims=(1,), mapping=tuple("abcdefg"))
FILE = "text_recognizer/models/cnn.py"

SHRINK = (
    "What comes in and what a block makes of it differ in size when they are added. The way around must shrink as the "
    "convolutions do: if a block has a stride, its 1x1 convolution needs the same one."
)
ROUND_UP = (
    "How many numbers does the first linear layer get? A 3x3 convolution with stride 2 and padding 1 turns 28 into 14, "
    "and 17 into 9: it rounds up, where max-pooling rounds down."
)

Call = tuple[nn.Module, Tensor, Tensor]


@contextmanager
def calls() -> Iterator[list[Call]]:
    """Record every layer that is called, with input and output: also those that are not registered anywhere."""
    made = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs:
            made.append((module, inputs[0], output))

    hook = nn.modules.module.register_module_forward_hook(record)
    try:
        yield made
    finally:
        hook.remove()


def convolutions(made: list[Call]) -> list[nn.Conv2d]:
    """Return the convolutions that were called and look at more than one pixel."""
    return [module for module, _, _ in made if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1]


def silence(block: ConvBlock, one_by_one: bool) -> ConvBlock:
    """Set the weights of a block's convolutions to zero; those of its 1x1 convolutions only if asked to."""
    for module in block.modules():
        if isinstance(module, nn.Conv2d) and (one_by_one or max(module.kernel_size) > 1):
            for weight in module.parameters():
                nn.init.zeros_(weight)
    return block.eval()


def make_cnn(num_blocks: int, config: DataConfig = CONFIG) -> CNN:
    assert "num_blocks" in inspect.signature(CNN).parameters, (
        f"CNN takes no argument `num_blocks` yet. Add `num_blocks: int = 2` to CNN.__init__ in {FILE}."
    )
    return CNN(config, conv_dim=8, fc_dim=16, num_blocks=num_blocks)


def blocks_called(made: list[Call]) -> list[ConvBlock]:
    """Return the different blocks that were called."""
    return list({id(module): module for module, _, _ in made if isinstance(module, ConvBlock)}.values())


def failed_to_add(error: RuntimeError) -> bool:
    """Tell whether PyTorch had to add two tensors of different shapes."""
    return "must match the size of tensor" in str(error) or "broadcast shape" in str(error)


def test_block_passes_its_input_on_where_its_convolutions_are_zero() -> None:
    """A ConvBlock is residual: what comes in is added to what its convolutions make of it."""
    x = torch.rand(2, 6, 8, 8)  # nothing below zero, so a ReLU at the end changes nothing
    with torch.no_grad():
        passed_on = silence(ConvBlock(6, 6), one_by_one=True)(x)
        other = ConvBlock(6, 6).eval()
        for weight in other.parameters():
            nn.init.uniform_(weight, -1, 1)
        changed = other(x)
    assert passed_on.shape == x.shape, (
        f"ConvBlock(6, 6) should keep the shape {tuple(x.shape)}, and gives {tuple(passed_on.shape)}."
    )
    difference = (passed_on - x).abs().max().item()
    assert difference < 1e-3, (
        "With all its convolutions set to zero, a residual block passes its input on: relu(x + 0) is x. Yours gives "
        f"values that differ by up to {difference:.2f}. Keep the input, and add it in ConvBlock.forward before the "
        f"last ReLU ({FILE}). Where the channels agree, add it as it is: nothing to learn stands in its way."
    )
    assert (changed - x).abs().max() > 1e-3, "ConvBlock only passes its input on: its convolutions do not count."


def test_way_around_fits_where_the_channels_change() -> None:
    """Where the number of channels changes, a 1x1 convolution makes the input fit."""
    with torch.no_grad():
        try:
            shape = tuple(ConvBlock(3, 8).eval()(torch.rand(2, 3, 8, 8)).shape)
        except RuntimeError as error:
            if not failed_to_add(error):
                raise
            raise AssertionError(
                f"ConvBlock(3, 8) cannot add 3 channels to 8: {sentence(str(error))} Where in_channels and "
                "out_channels differ, send the input through an nn.Conv2d(in_channels, out_channels, kernel_size=1) "
                "before you add it."
            ) from error
        assert shape == (2, 8, 8, 8), f"ConvBlock(3, 8) should turn (2, 3, 8, 8) into (2, 8, 8, 8), and gives {shape}."
        block = silence(ConvBlock(3, 8), one_by_one=False)
        one, other = block(torch.rand(1, 3, 8, 8)), block(torch.rand(1, 3, 8, 8))
    assert not torch.allclose(one, other, atol=1e-4), (
        "ConvBlock(3, 8), with all its 3x3 convolutions set to zero, gives the same for two different pictures: there "
        "is no way around them. Add one: an nn.Conv2d(in_channels, out_channels, kernel_size=1) where the channels "
        "change, else the input itself."
    )


def test_batch_norm_follows_the_convolutions() -> None:
    """Each convolution of a block has a batch norm."""
    with calls() as made:
        ConvBlock(6, 6).train()(torch.rand(4, 6, 8, 8))
    norms = sum(isinstance(module, _BatchNorm) for module, _, _ in made)
    convs = len(convolutions(made))
    assert norms >= convs > 0, (
        f"Convolutions that a picture meets on its way through a ConvBlock: {convs}; batch norms: {norms}. Put an "
        "nn.BatchNorm2d(out_channels) between each convolution and its ReLU. (The convolution then needs no bias: "
        "batch norm takes the mean away again.)"
    )


def test_strided_convolution_replaces_max_pooling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution with a stride makes the picture smaller, in place of max-pooling."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(
            f"CNN still uses max-pooling. Take it out of {FILE}, and let a convolution halve height and width: "
            "nn.Conv2d(..., stride=2) calculates every second place only, and learns what to keep."
        )

    for place in (functional, torch):
        for name in ("max_pool2d", "adaptive_max_pool2d"):
            if hasattr(place, name):
                monkeypatch.setattr(place, name, refuse)
    with calls() as made:
        CNN(CONFIG, conv_dim=8, fc_dim=16)(torch.rand(2, 1, 28, 28))
    strided = [conv for conv in convolutions(made) if max(conv.stride) > 1]
    assert strided, (
        "No convolution in the CNN has a stride, so the linear layers see every pixel: many weights, and slow. Give a "
        "3x3 convolution stride=2 where max-pooling was. (Give ConvBlock a `stride` and pass it on; mind that the way "
        "around must then shrink as well.)"
    )


@pytest.fixture
def help_text(capsys: pytest.CaptureFixture) -> Callable[[], str]:
    def read() -> str:
        with pytest.raises(SystemExit):
            cli.parse(["--model_class", "CNN", "--help"], Run, PACKAGES)
        return capsys.readouterr().out

    return read


def test_num_blocks_is_a_flag(help_text) -> None:
    """--num_blocks is a flag of the command line, explained in --help."""
    described = re.search(r"^ +--num_blocks NUM_BLOCKS(.*?)\(type: (\w+)", help_text(), re.M | re.S)
    assert described, (
        "--help does not list --num_blocks. Flags are made from the parameters of CNN.__init__ that have a type: add "
        f"`num_blocks: int = 2` to it, in {FILE}."
    )
    assert described[1].strip(), (
        "--help lists --num_blocks, but says nothing about it. The words come from the docstring of CNN: add a line "
        "`num_blocks: ...` under Args."
    )
    found = cli.parse(["--model_class", "CNN", "--num_blocks", "3"], Run, PACKAGES).settings.num_blocks
    assert found == 3, f"--num_blocks 3 gives {found!r}. Is the parameter's type `int`?"


def test_num_blocks_makes_that_many_blocks() -> None:
    """With --num_blocks N a picture passes N blocks, each with weights of its own."""
    counts = []
    for num_blocks in (1, 2, 5):
        model = make_cnn(num_blocks)
        with calls() as made:
            model(torch.rand(2, 1, 28, 28))
        counts.append(len(blocks_called(made)))
    assert counts == [1, 2, 5], (
        f"With num_blocks of 1, 2 and 5, a picture passes {counts[0]}, {counts[1]} and {counts[2]} different "
        "ConvBlocks: it should be as many as num_blocks says, the first and the last included. Make them in a loop, a "
        "new ConvBlock each time: the same block passed twice learns only once. And call them all in forward."
    )


def test_the_weights_of_all_blocks_are_trained() -> None:
    """The optimizer gets the weights of all blocks, and all of them get a gradient."""
    model = make_cnn(num_blocks=4)
    with calls() as made:
        logits = model(torch.rand(4, 1, 28, 28))
    known = {id(weight) for weight in model.parameters()}
    blocks = blocks_called(made)
    lost = [block for block in blocks if any(id(weight) not in known for weight in block.parameters())]
    assert not lost, (
        f"{len(lost)} of {len(blocks)} blocks are missing from model.parameters(): no optimizer will train them, and "
        "no checkpoint will hold them. PyTorch does not look into a Python list: put the blocks into an nn.Sequential "
        "or an nn.ModuleList."
    )
    functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    idle = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not idle, (
        f"These weights get no gradient, so they never learn: {', '.join(idle[:5])}. Is there a layer that __init__ "
        "makes and forward does not call?"
    )


def test_pictures_of_any_size_fit() -> None:
    """Pictures of any size, with any number of blocks, become logits."""
    for num_blocks in (1, 2, 4):
        for dims in ((1, 28, 28), (3, 17, 40), (1, 31, 29)):
            model = make_cnn(num_blocks, DataConfig(dims, (1,), CONFIG.mapping)).eval()
            try:
                found = tuple(model(torch.rand(5, *dims)).shape)
            except RuntimeError as error:
                why = explain(error) or sentence(error)
                hint = SHRINK if failed_to_add(error) else ROUND_UP if "(Linear)" in why else ""
                raise AssertionError(
                    f"With num_blocks={num_blocks}, pictures of shape {dims} do not pass. {why} {hint}".rstrip()
                ) from error
            assert found == (5, 7), f"Five pictures of shape {dims} should give logits (5, 7), and give {found}."


def test_less_than_one_block_is_refused() -> None:
    """A num_blocks below 1 is refused with a UserError."""
    make_cnn(num_blocks=1)
    advice = "check_sizes, at the start of CNN.__init__, raises one: give it num_blocks, too."
    for num_blocks in (0, -2):
        try:
            make_cnn(num_blocks)
        except UserError as error:
            message = str(error)
        except Exception as error:
            raise AssertionError(
                f"num_blocks={num_blocks} raises {sentence(error)} A UserError was expected. {advice}"
            ) from error
        else:
            raise AssertionError(f"num_blocks={num_blocks} is accepted. A UserError was expected. {advice}")
        assert "num_blocks" in message, f"The message '{message}' does not name num_blocks. {advice}"
