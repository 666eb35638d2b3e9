"""Exercise 2: what a network in 8 bits calculates."""

import numpy as np

from lab_kit.errors import UserError


def quantize_weights(weights: np.ndarray, per_channel: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return weights as whole numbers from -127 to 127, and what one step is worth.

    The weight of the largest size becomes 127 or -127, and 0 stays 0. The others become the nearest whole number; one
    that lies halfway between two becomes the even one, as in ONNX Runtime and PyTorch.

    Args:
        weights: (C, K) floats: a row for each output channel.
        per_channel: whether each row has a scale of its own; False: all have the same one.

    Returns:
        (C, K) int8, and the scale of each row, (C,) floats: `whole numbers * scales[:, None]` are nearly the weights.
        Where there is nothing but zeros, the scale is 1.
    """
    largest = np.abs(weights).max(axis=1) if per_channel else np.full(len(weights), np.abs(weights).max())
    scales = np.where(largest > 0, largest / 127, 1.0)
    return np.rint(weights / scales[:, None]).astype(np.int8), scales


def scale_and_zero_point(low: float, high: float) -> tuple[float, int]:
    """Return what one step is worth, and which whole number stands for 0.0, for inputs from `low` to `high`.

    The 256 whole numbers from 0 to 255 are spread evenly over the range, which is made wider first, if need be, so that
    it holds 0.0. The zero point is a whole number, so that 0.0 is exact: it is what convolutions pad with.

    Args:
        low: the lowest input that was seen when the network was measured.
        high: the highest one.

    Returns:
        the scale, and the zero point, from 0 to 255; where the range is 0.0 alone, the scale is 1 and the zero point 0.

    Raises:
        UserError: `low` is above `high`, or one of them is no finite number.
    """
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise UserError(f"Inputs need a range from a low to a high number, not from {low} to {high}.")
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    if low == high:
        return 1.0, 0
    scale = (high - low) / 255
    return scale, round(-low / scale)


def quantize_inputs(inputs: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Return inputs as whole numbers from 0 to 255: how many steps each is worth, counted from the zero point.

    A number of steps is rounded to the nearest whole one, the even one if two are equally near, before the zero point
    is added.

    Args:
        inputs: (N, K) floats. Those out of range become 0 or 255, whichever is nearer.
        scale: what one step is worth.
        zero_point: the whole number that stands for 0.0.

    Returns:
        (N, K) uint8.
    """
    return np.clip(np.rint(inputs / scale) + zero_point, 0, 255).astype(np.uint8)


def integer_product(inputs: np.ndarray, zero_point: int, weights: np.ndarray) -> np.ndarray:
    """Multiply as an 8-bit network does: in whole numbers, each sum exact.

    Args:
        inputs: (N, K) uint8.
        zero_point: the whole number that stands for 0.0 among the inputs.
        weights: (C, K) int8.

    Returns:
        (N, C) int32: for each row of inputs and of weights, the sum of (input - zero point) * weight.
    """
    return (inputs.astype(np.int32) - zero_point) @ weights.astype(np.int32).T


def linear(inputs: np.ndarray, weights: np.ndarray, low: float, high: float, per_channel: bool = True) -> np.ndarray:
    """Calculate `inputs @ weights.T` in 8 bits: quantize both, multiply whole numbers, and rescale once, at the end.

    Args:
        inputs: (N, K) floats.
        weights: (C, K) floats.
        low: the lowest input that was seen when the network was measured.
        high: the highest one.
        per_channel: whether each row of weights has a scale of its own.

    Returns:
        (N, C) floats.

    Raises:
        UserError: `low` and `high` are no range.
    """
    scale, zero_point = scale_and_zero_point(low, high)
    quantized, scales = quantize_weights(weights, per_channel)
    return integer_product(quantize_inputs(inputs, scale, zero_point), zero_point, quantized) * (scale * scales)
