"""Exercise 2: what a network in 8 bits calculates (checks that were not handed out)."""

import numpy as np
import pytest
from eight_bits import integer_product, linear, quantize_inputs, quantize_weights, scale_and_zero_point


def weights_by_hand(weights: np.ndarray, per_channel: bool) -> tuple[list[list[int]], list[float]]:
    """Quantize number by number; returns whole numbers and scales."""
    largest = [max(map(abs, row)) for row in weights.tolist()]
    largest = largest if per_channel else [max(largest)] * len(largest)
    scales = [size / 127 if size else 1.0 for size in largest]
    return [[round(x / scale) for x in row] for row, scale in zip(weights.tolist(), scales, strict=True)], scales


def inputs_by_hand(inputs: np.ndarray, low: float, high: float) -> tuple[list[list[int]], float, int]:
    """Quantize number by number; returns whole numbers, scale and zero point."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    zero_point = round(-low / scale)
    return (
        [[min(255, max(0, round(x / scale) + zero_point)) for x in row] for row in inputs.tolist()],
        scale,
        zero_point,
    )


def test_bits_of_weights_of_any_shape() -> None:
    """Weights of any shape and size become what they become number by number, rows of zeros and negative ones too."""
    generator = np.random.default_rng(21)
    for rows, columns, kind in ((7, 3, np.float64), (2, 100, np.float64), (1, 6, np.float32), (5, 1, np.float64)):
        weights = (generator.normal(size=(rows, columns)) * 10.0 ** generator.integers(-4, 4, (rows, 1))).astype(kind)
        weights[0] = -np.abs(weights[0])  # the largest is negative
        if rows > 4:
            weights[[1, 3]] = 0.0
        for per_channel in (True, False):
            whole, scales = quantize_weights(weights, per_channel)
            expected, steps = weights_by_hand(weights, per_channel)
            case = f"Weights {(rows, columns)}, per_channel={per_channel}"
            assert whole.dtype == np.int8, f"{case}: expected int8, found {whole.dtype}."
            assert scales == pytest.approx(np.array(steps), rel=1e-5), (
                f"{case}: expected the scales {steps}, found {scales.tolist()}. The largest weight, by its size, is "
                "127 steps; of nothing but zeros the scale is 1."
            )
            apart = int(np.abs(whole.astype(int) - np.array(expected)).max())
            assert apart == 0, (
                f"{case}: a whole number is {apart} away from the nearest number of steps. Expected for the first row "
                f"{expected[0][:6]}, found {whole[0, :6].tolist()}."
            )


def test_bits_of_inputs_in_any_range() -> None:
    """Inputs in any range become the nearest of 256 steps, those out of it 0 or 255, and 0.0 the zero point."""
    generator = np.random.default_rng(22)
    ranges = [(-0.02, 7.0), (3.0, 4.0), (-900.0, -100.0), (-1e-4, 2e-4)]
    ranges += [tuple(sorted(pair)) for pair in generator.normal(size=(20, 2)).tolist()]
    for low, high in ranges:
        inputs = generator.uniform(low - (high - low), high + (high - low), (3, 17))
        inputs[0, 0] = 0.0
        expected, step, zero = inputs_by_hand(inputs, low, high)
        scale, zero_point = scale_and_zero_point(low, high)
        assert (scale, zero_point) == (pytest.approx(step), zero), (
            f"From {low:g} to {high:g}: expected a step of {step:.5g} and the zero point {zero}, found {scale:.5g} and "
            f"{zero_point}. The range is made to hold 0.0 first; between 256 whole numbers there are 255 steps."
        )
        found = quantize_inputs(inputs, scale, zero_point)
        assert found.dtype == np.uint8, f"Expected uint8, found {found.dtype}."
        place = np.abs(found.astype(int) - np.array(expected)).argmax()
        assert found.tolist() == expected, (
            f"From {low:g} to {high:g}, the input {inputs.flat[place]:g} should become "
            f"{np.array(expected).flat[place]}, and becomes {found.flat[place]}. Round, add the zero point, cut off, "
            "and make it uint8 last of all."
        )


def test_bits_are_multiplied_exactly_in_other_sizes() -> None:
    """Sums of products are exact, and linear() rescales them right, with other sizes, ranges and zero points."""
    generator = np.random.default_rng(23)
    for rows, channels, length in ((5, 1, 2), (1, 7, 300), (3, 4, 30_001)):
        inputs = generator.integers(200, 256, (rows, length), dtype=np.uint8)
        weights = generator.integers(100, 128, (channels, length), dtype=np.int8)
        for zero_point in (17, 128, 254):
            found = integer_product(inputs, zero_point, weights)
            expected = (inputs.astype(np.int64) - zero_point) @ weights.astype(np.int64).T
            assert found.dtype == np.int32, f"Expected int32, found {found.dtype}."
            assert np.array_equal(found, expected), (
                f"{rows} rows of inputs, {channels} of weights, {length} numbers each, zero point {zero_point}: "
                f"expected {expected.flat[0]} for the first, found {found.flat[0]}. Subtract and multiply as int32."
            )
    for rows, channels, length, low, high in ((2, 9, 5, -1.5, 0.5), (7, 2, 64, 2.0, 3.0), (1, 1, 1, -4.0, -1.0)):
        inputs = generator.uniform(low - 0.5, high + 0.5, (rows, length))
        weights = generator.normal(size=(channels, length)) * generator.uniform(0.1, 9, (channels, 1))
        whole, step, zero = inputs_by_hand(inputs, low, high)
        for per_channel in (True, False):
            parts, scales = weights_by_hand(weights, per_channel)
            expected = ((np.array(whole) - zero) @ np.array(parts).T) * step * np.array(scales)
            found = linear(inputs, weights, low, high, per_channel)
            assert np.allclose(found, expected, rtol=1e-4, atol=1e-7), (
                f"linear() of inputs {(rows, length)} from {low:g} to {high:g} and weights {(channels, length)}, "
                f"per_channel={per_channel}: expected {np.round(expected[0, :4], 4)}, found "
                f"{np.round(np.asarray(found)[0, :4], 4)}."
            )
