"""Exercise 2: residual connections in LineCNN."""

import pytest
import torch
from torch import Tensor, nn

from text_recognizer.data import DataConfig
from text_recognizer.models import LineCNN, LineCNNLSTM

LENGTH = 8
CONFIG = DataConfig((1, 28, 28 * LENGTH), (LENGTH, 1), tuple("abcdefg"))
FILE = "text_recognizer/models/line_cnn.py"
SIZES = [(28, 28), (28, 8), (31, 12), (40, 20)]  # width and stride of windows


@pytest.fixture
def lines() -> Tensor:
    return torch.rand(4, 1, 28, 28 * LENGTH)


def features(model: nn.Module, lines: Tensor, silent: bool = False) -> Tensor:
    """Return what reaches the convolution over the whole window: (B, channels, height, columns).

    Args:
        silent: let all convolutions between the first one and that one give zero; 1x1 convolutions go on as before.
    """
    called, reached, hooks = [], [], []
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
            hooks.append(module.register_forward_hook(lambda module, inputs, output: called.append(module)))
    model(lines)
    *inner, last = called[1:]
    hooks.append(last.register_forward_pre_hook(lambda module, inputs: reached.append(inputs[0])))
    for module in inner if silent else []:
        hooks.append(module.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output)))
    model(lines)
    for hook in hooks:
        hook.remove()
    return reached[0]


def has_ways_around(model: nn.Module, lines: Tensor) -> bool:
    """Tell whether lines can still be told apart when the convolutions in the middle are silent."""
    one, other = features(model, lines[:2], silent=True)
    return not torch.allclose(one, other, atol=1e-5)


def residual(cls: type[nn.Module], lines: Tensor, **settings: int | bool) -> nn.Module:
    """Return a line model, in evaluation mode, after making sure that it has residual connections."""
    model = cls(CONFIG, conv_dim=8, fc_dim=16, **settings).eval()
    assert has_ways_around(model, lines), (
        "LineCNN has no residual connections yet. Meet the requirement above first: this check then makes sure that "
        "they did no harm."
    )
    model.train()(lines)  # so that batch norm has seen something
    return model.eval()


def test_there_is_a_way_around_each_inner_convolution(lines: Tensor) -> None:
    """There is a way around every convolution between the first one and the one over the window."""
    assert has_ways_around(LineCNN(CONFIG, conv_dim=8, fc_dim=16).eval(), lines), (
        "With the convolutions between the first one and the one over the window set to zero, two different lines of "
        "text look the same to the rest of the network: nothing gets around them. A residual convolution gives "
        "relu(x + f(x)), so a zero f passes x on. Where channels or stride change, x needs a 1x1 convolution with the "
        f"same stride ({FILE})."
    )


def test_the_number_of_windows_is_unchanged(lines: Tensor) -> None:
    """There are as many windows as before."""
    for width, stride in SIZES:
        expected = (28 * LENGTH - width) // stride + 1
        for limited in (False, True):
            expected = min(expected, LENGTH) if limited else expected
            sizes = {"window_width": width, "window_stride": stride, "limit_output_length": limited}
            model = residual(LineCNN, lines, **sizes)
            found = tuple(model(lines).shape)
            assert (found, model.num_windows) == ((4, 7, expected), expected), (
                f"With {sizes}, four lines should give logits (4, 7, {expected}), and give {found}; num_windows is "
                f"{model.num_windows}. The number of columns must stay what it was: leave stride and padding of the "
                "convolutions alone, and make the way around as narrow as they are."
            )


def test_a_window_is_read_by_its_own_pixels_alone(lines: Tensor) -> None:
    """What the network says of a window depends on that window's pixels alone."""
    for width, stride in SIZES:
        model = residual(LineCNN, lines, window_width=width, window_stride=stride)
        with torch.no_grad():
            in_line = model(lines)
            for window in range(in_line.shape[2]):
                start = window * stride
                alone = model(lines[..., start : start + width])[..., 0]
                difference = (in_line[..., window] - alone).abs().max().item()
                assert difference < 1e-4, (
                    f"Window {window} (width {width}, stride {stride}), cut out and read by itself, gives logits that "
                    f"differ by {difference:.2g} from those in the line: it saw its neighbours, or zeros that stand "
                    "for them. Do not pad to the left and right so that the shapes fit: cut the columns off the way "
                    "around that the convolution loses at either side."
                )


def test_the_ways_around_stay_in_the_middle(lines: Tensor) -> None:
    """What goes around a convolution joins the column that it came from."""
    residual(LineCNN, lines)
    model = LineCNN(CONFIG, conv_dim=8, fc_dim=16).eval()
    middles = []
    for silent in (False, True):
        pixels = lines.clone().requires_grad_()
        reached = features(model, pixels, silent)
        column = reached[..., reached.shape[3] // 2]
        (column * torch.rand_like(column)).sum().backward()
        seen = pixels.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
        middles.append((seen[0] + seen[-1]).item() / 2)
    whole, around = middles
    assert abs(whole - around) <= 1, (
        f"A column in the middle of the feature map sees pixels around column {whole:g} of the line through the "
        f"convolutions, and around column {around:g} on the ways around them. A 3x3 convolution without padding loses "
        "one column on the left and one on the right: cut off one on each side, not two on one."
    )


def test_all_weights_are_trained(lines: Tensor) -> None:
    """All weights get a gradient."""
    model = residual(LineCNN, lines).train()
    model(lines).square().sum().backward()
    idle = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not idle, (
        f"These weights get no gradient, so they never learn: {', '.join(idle[:5])}. Is there a layer that __init__ "
        "makes and forward does not call?"
    )


def test_the_lstm_still_stands_on_it(lines: Tensor) -> None:
    """LineCNNLSTM, which builds on LineCNN, works as before."""
    model = residual(LineCNNLSTM, lines, window_stride=20)
    expected = (28 * LENGTH - 28) // 20 + 1
    found = tuple(model(lines).shape)
    assert found == (4, 7, expected), (
        f"LineCNNLSTM should give logits (4, 7, {expected}), and gives {found}. It takes what `LineCNN.features` "
        "returns, (B, fc_dim, S): keep that method."
    )
