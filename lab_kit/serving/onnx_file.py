"""Write a network as an ONNX file, in 32 bits and in 8 bits."""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

INPUT, OUTPUT = "pictures", "logits"
MOST_AT_ONCE = 65_535  # pictures in a batch; the example has two: a batch of one would be taken for a constant
EXAMPLE_WIDTH, LEAST_WIDTH, MOST_WIDTH = 160, 8, 65_535  # pixels, where pictures may be of any width


def write(network: nn.Module, input_dims: tuple[int, int, int], path: Path, any_width: bool = False) -> None:
    """Write a network that takes (N, C, H, W) uint8, any N, to an ONNX file.

    Args:
        network: ready to answer (`eval`), on the CPU.
        input_dims: (C, H, W).
        path: of the file.
        any_width: whether the network takes pictures of any W, and not of that of `input_dims` alone.
    """
    channels, height, width = input_dims
    example = torch.zeros(2, channels, height, EXAMPLE_WIDTH if any_width else width, dtype=torch.uint8)
    sizes = {0: torch.export.Dim("batch", min=1, max=MOST_AT_ONCE)}
    if any_width:
        sizes[3] = torch.export.Dim("width", min=LEAST_WIDTH, max=MOST_WIDTH)
    with _quiet():
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(sizes,),
            external_data=False,
            verbose=False,
        )


def quantize(source: Path, batches: Iterable[np.ndarray], path: Path) -> None:
    """Write a network whose convolutions and linear layers calculate in 8 bits.

    Each output channel of a layer has a scale of its own for its weights; activations get the range that they have on
    `batches` (Jacob et al., arXiv:1712.05877).

    Args:
        source: the ONNX file in 32 bits.
        batches: (N, C, H, W) uint8 each, together a few hundred pictures of those that the network has learned from.
        path: of the new file.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Calibration(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    prepared = path.with_suffix(".prepared")
    with _quiet():
        try:
            # Batch norm becomes part of the convolution before it: one rounding less.
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            quantization.quantize_static(
                prepared,
                path,
                Calibration(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        finally:
            prepared.unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what exporters say about themselves from the student: errors still raise."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
