"""Exercise 2: residual connections in LineCNN (checks that were not handed out)."""

import torch
from torch import Tensor, nn

from lab_kit.errors import sentence
from text_recognizer.data import DataConfig
from text_recognizer.models import LineCNN, LineCNNLSTM

FILE = "text_recognizer/models/line_cnn.py"
# Shapes of lines, classes, and width and stride of windows.
OTHER_LINES = [((2, 30, 150), 5, 20, 8), ((3, 40, 97), 11, 36, 12), ((1, 17, 120), 2, 23, 4)]
OTHER_WINDOWS = [((1, 28, 150), 7, width, stride) for width, stride in ((20, 8), (36, 12), (23, 4))]


def inputs_of_convolutions(
    model: nn.Module, lines: Tensor, silent: tuple[int, ...] = (), loud: tuple[int, ...] = ()
) -> list[Tensor]:
    """Return what goes into each convolution that looks at more than one pixel, in the order in which they are called.

    Args:
        silent: which of them give zeros.
        loud: which of them give random numbers.
    """
    seen: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if not isinstance(module, nn.Conv2d) or max(module.kernel_size) == 1:
            return None
        seen.append(inputs[0])
        if len(seen) - 1 in silent:
            return torch.zeros_like(output)
        return torch.rand_like(output) if len(seen) - 1 in loud else None

    hook = nn.modules.module.register_module_forward_hook(record)
    try:
        with torch.no_grad():
            model(lines)
    finally:
        hook.remove()
    return seen


def tells_apart(features: Tensor) -> bool:
    """Tell whether the first two lines of a batch differ."""
    return not torch.allclose(features[0], features[1], atol=1e-5)


def residual(cls: type[nn.Module], case: tuple, **settings: int) -> tuple[nn.Module, Tensor]:
    """Return a line model in evaluation mode, and three lines, after making sure that it has residual connections."""
    dims, classes, width, stride = case
    config = DataConfig(dims, (6, 1), tuple(f"class {k}" for k in range(classes)))
    model = cls(config, conv_dim=5, fc_dim=11, window_width=width, window_stride=stride, **settings).eval()
    lines = torch.rand(3, *dims)
    try:
        convolutions = len(inputs_of_convolutions(model, lines))
    except RuntimeError as error:
        raise AssertionError(
            f"Lines of shape {dims}, with windows of {width} pixels every {stride}, do not pass: {sentence(error)} "
            f"Take channels, height and width from `data_config`, and other sizes from the arguments ({FILE})."
        ) from error
    around = inputs_of_convolutions(model, lines, silent=tuple(range(1, convolutions - 1)))[-1]
    assert tells_apart(around), (
        f"Lines of shape {dims}: LineCNN has no residual connections, or not everywhere. With the convolutions between "
        "the first one and the one over the window set to zero, different lines look the same to the rest."
    )
    model.train()(lines)  # so that batch norm has seen something
    return model.eval(), lines


def test_line_cnn_reads_other_lines() -> None:
    """With lines of other heights, channels and classes there are as many windows as before, and the LSTM works."""
    for case in OTHER_LINES:
        dims, classes, width, stride = case
        windows = (dims[2] - width) // stride + 1
        for cls, limited, expected in ((LineCNN, 0, windows), (LineCNN, 1, min(6, windows)), (LineCNNLSTM, 0, windows)):
            model, lines = residual(cls, case, limit_output_length=bool(limited))
            found = tuple(model(lines).shape)
            assert (found, model.num_windows) == ((3, classes, expected), expected), (
                f"{cls.__name__}, lines of shape {dims}, {classes} classes, windows of {width} pixels every {stride}: "
                f"expected logits (3, {classes}, {expected}), found {found}; num_windows is {model.num_windows}."
            )


def test_line_cnn_sees_a_window_alone_whatever_its_size() -> None:
    """With windows of other sizes, too, what the network says of one depends on that window's pixels alone."""
    for case in OTHER_WINDOWS:
        dims, _, width, stride = case
        model, lines = residual(LineCNN, case)
        with torch.no_grad():
            in_line = model(lines)
            for window in range(in_line.shape[2]):
                start = window * stride
                alone = model(lines[..., start : start + width])[..., 0]
                furthest = (in_line[..., window] - alone).abs().max().item()
                assert furthest < 1e-4, (
                    f"Lines of shape {dims}: window {window} (width {width}, stride {stride}), cut out and read by "
                    f"itself, gives logits that differ by {furthest:.2g}. It saw its neighbours, or zeros that stand "
                    "for them: cut off the way around what the convolution loses, in place of padding."
                )


def test_line_cnn_has_a_way_around_one_or_two_convolutions_at_a_time() -> None:
    """No residual connection goes around more than two convolutions."""
    model, lines = residual(LineCNN, OTHER_WINDOWS[0])
    last = len(inputs_of_convolutions(model, lines)) - 1  # the one over the window
    for first in range(1, last - 2):
        middle, third = first + 1, first + 2
        fed = tells_apart(inputs_of_convolutions(model, lines, silent=(first,))[middle])
        one = inputs_of_convolutions(model, lines, silent=(third,), loud=(middle,))[-1]
        passed_on = not torch.allclose(one, inputs_of_convolutions(model, lines, silent=(middle, third))[-1], atol=1e-5)
        assert fed or passed_on, (
            f"Of the small convolutions, numbers {first + 1} to {third + 1} have one residual connection together: "
            "with the first of these set to zero, nothing reaches the second, and with the third set to zero, nothing "
            "that the second gives gets past it. Give each of them a connection, or one to two of them together."
        )
