"""Exercise 2: what a network in 8 bits calculates."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from eight_bits import integer_product, linear, quantize_inputs, quantize_weights, scale_and_zero_point

from lab_kit.errors import UserError, sentence

EARLIER = "Meet the requirements above first."


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call one of the functions, and check that it leaves the arrays that it was given as they were."""
    before = [np.copy(argument) for argument in arguments]
    found = function(*arguments)
    assert all(map(np.array_equal, before, arguments)), (
        f"{function.__name__}() has changed an array that it was given: whoever calls it goes on with wrong numbers. "
        "x /= scale and out=x work in place: work on a copy."
    )
    return found


def array(found: Any, name: str, shape: tuple[int, ...], kind: type | None = None) -> np.ndarray:
    """Check the form of a result; without a `kind` it is to hold floats."""
    assert isinstance(found, np.ndarray), f"{name} should be an array, and is {found!r}."
    fits = found.dtype == kind if kind else found.dtype.kind == "f"
    wanted = np.dtype(kind).name if kind else "floats"
    assert (found.shape, fits) == (shape, True), (
        f"{name} should be {shape} {wanted}, and is {found.shape} {found.dtype.name}."
    )
    return found


def weights_of(weights: np.ndarray, per_channel: bool = True) -> tuple[np.ndarray, np.ndarray]:
    found = call(quantize_weights, weights, per_channel)
    assert isinstance(found, tuple), f"quantize_weights() should return two arrays, and returned {found!r}."
    assert len(found) == 2, f"quantize_weights() should return two arrays, and returned {len(found)}."
    whole = array(found[0], "The first array of quantize_weights()", weights.shape, np.int8)
    return whole, array(found[1], "The second array of quantize_weights()", weights.shape[:1])


def range_of(low: float, high: float) -> tuple[float, int]:
    found = scale_and_zero_point(low, high)
    assert isinstance(found, tuple), f"scale_and_zero_point() should return a pair, and returned {found!r}."
    assert [type(part) for part in found] == [float, int], (
        f"scale_and_zero_point() should return a float and an int, and returned {found!r}. float(x) and int(x) make "
        "plain numbers of NumPy's."
    )
    return found


def inputs_of(inputs: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # who casts before clipping is told so below
        found = call(quantize_inputs, inputs, scale, zero_point)
    return array(found, "The result of quantize_inputs()", inputs.shape, np.uint8)


def exact(inputs: np.ndarray, zero_point: int, weights: np.ndarray) -> np.ndarray:
    """Multiply in Python's whole numbers, which have no end."""
    return (inputs.astype(object) - zero_point) @ weights.astype(object).T


def in_steps(
    inputs: np.ndarray, weights: np.ndarray, low: float, high: float, per_channel: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and weights as 8 bits can say them, number by number: floats again, but only whole steps."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / 255
    zero = round(-low / step)
    rounded = [[(min(255, max(0, round(x / step) + zero)) - zero) * step for x in row] for row in inputs.tolist()]
    steps = [(max(map(abs, row)) if per_channel else np.abs(weights).max()) / 127 for row in weights.tolist()]
    rows = zip(weights.tolist(), steps, strict=True)
    return np.array(rounded), np.array([[round(weight / step) * step for weight in row] for row, step in rows])


def test_weights_become_the_nearest_whole_number() -> None:
    """The largest weight of a row becomes 127 or -127, the others the nearest whole number, halves the even one."""
    row = np.array([254, 1, -1, 3, -3, 5, 0, 7, -253.5]) / 128
    weights, nearest = np.stack([row, -row]), [127, 0, 0, 2, -2, 2, 0, 4, -127]
    whole, scales = weights_of(weights)
    expected = [nearest, [-value for value in nearest]]
    halves = row * 64
    mistakes = (
        (np.trunc(halves), "You cut off what is behind the point, as astype does: round first."),
        (
            np.floor(halves + 0.5),
            "You round halves up, which makes sums too large on average. Which function does not?",
        ),
        (
            np.sign(halves) * np.floor(np.abs(halves) + 0.5),
            "You round halves away from 0. NumPy has a function for it.",
        ),
    )
    advice = next((text for wrong, text in mistakes if np.array_equal(whole[0], wrong)), "Divide by the scale; round.")
    if -128 in whole[0]:
        advice = "127.5 and 128 are no int8, and come round to -128: the largest weight is 127 steps."
    elif np.array_equal(whole[0], nearest):
        advice = "In the second row the largest weight is negative: it counts by its size."
    assert whole.tolist() == expected, (
        f"Rows {(row * 64).tolist()}, divided by 64, and the same with the opposite signs, should become "
        f"{expected}. Found {whole.tolist()}. {advice}"
    )
    assert scales == pytest.approx([1 / 64, 1 / 64]), (
        f"The largest weight, 127/64, is 127 steps, so that a step is worth 1/64 = 0.015625. Found {scales.tolist()}."
    )


def test_each_row_has_a_scale_of_its_own() -> None:
    """Each row has a scale of its own, or all have that of the largest weight of all: as per_channel says."""
    generator = np.random.default_rng(0)
    for shape in ((3, 50), (50, 3), (4, 4), (1, 1)):
        weights = generator.normal(size=shape) * 10.0 ** generator.integers(-6, 2, (shape[0], 1))
        for per_channel in (True, False):
            whole, scales = weights_of(weights, per_channel)
            largest = [max(map(abs, row)) if per_channel else np.abs(weights).max() for row in weights.tolist()]
            expected = np.array(largest) / 127
            case = f"Weights {shape}, per_channel={per_channel}"
            advice = "Which axis of (C, K) goes along a row?"
            if not per_channel or np.allclose(scales, np.abs(weights).max() / 127):
                advice = "With per_channel=False all rows have one scale, with True each has its own: ask for it."
            elif np.allclose(scales, 127 / np.array(largest)):
                advice = "That is one divided by it: a scale is what one step is worth."
            elif np.allclose(scales * 127.5, largest) or np.allclose(scales * 128, largest):
                advice = "The largest weight is 127 steps, neither 127.5 nor 128."
            assert scales == pytest.approx(expected, rel=1e-5), (
                f"{case}: expected the scales {expected[:4]}, found {scales[:4]}. {advice}"
            )
            furthest = np.abs(whole * expected[:, None] - weights).max(axis=1) / expected
            assert furthest.max() < 0.501, (
                f"{case}: whole numbers times scales should be at most half a step away from the weights. Found one "
                f"that is {furthest.max():.2f} steps away. {EARLIER} If they are met: is each row divided by "
                "its own scale?"
            )


def test_a_row_of_zeros_divides_nothing() -> None:
    """A row of zeros stays zero, with the scale 1."""
    weights = np.array([[0.0, 0.0], [1.0, -2.0]])
    for given, per_channel, expected in ((weights, True, [1.0, 2 / 127]), (weights * 0, False, [1.0, 1.0])):
        with np.errstate(all="ignore"):
            whole, scales = weights_of(given, per_channel)
        assert scales == pytest.approx(expected), (
            f"Rows {given.tolist()} with per_channel={per_channel}: expected the scales {expected}, found "
            f"{scales.tolist()}. Networks do have dead channels; 0 / 0 is nan, and spreads."
        )
        assert whole[0].tolist() == [0, 0], f"The row of zeros has become {whole[0].tolist()}. {EARLIER}"


def test_zero_is_exact() -> None:
    """The range of inputs is made to hold 0.0, and 0.0 is a whole number of steps: the zero point."""
    cases = (
        (0.0, 255.0, 1.0, 0),
        (-51.0, 204.0, 1.0, 51),
        (-0.3, 0.9, 1.2 / 255, 64),
        (1.0, 5.0, 5 / 255, 0),
        (-5.0, -1.0, 5 / 255, 255),
        (0.0, 0.0, 1.0, 0),
    )
    for low, high, scale, zero_point in cases:
        try:
            found = range_of(low, high)
        except ZeroDivisionError as error:
            raise AssertionError(
                f"From {low:g} to {high:g}, scale_and_zero_point() divides by 0. A channel that always gives 0.0 is no "
                f"mistake: expected {scale:g} and {zero_point}."
            ) from error
        advice = "How many steps are there between 256 whole numbers? How many of them lie below 0.0?"
        if low != high and found[0] == pytest.approx((high - low) / 255) and (low > 0 or high < 0):
            advice = "The range does not hold 0.0: make it wider first."
        elif found[0] == pytest.approx((max(high, 0) - min(low, 0)) / 256):
            advice = "Between 256 whole numbers there are 255 steps."
        elif found[0] == pytest.approx(scale) and abs(found[1] - zero_point) == 1:
            advice = "The zero point is the nearest whole number: int() cuts off what is behind the point."
        elif found[0] == pytest.approx(scale) and found[1] == -zero_point:
            advice = "The lowest input becomes 0. Which whole number does 0.0 become, then? It lies above it."
        assert found == (pytest.approx(scale), zero_point), (
            f"Inputs from {low:g} to {high:g}: expected a step of {scale:.5g} and the zero point {zero_point}, found "
            f"{found[0]:.5g} and {found[1]}. {advice}"
        )


def test_inputs_are_cut_off_and_do_not_wrap_around() -> None:
    """Inputs become the nearest step; those out of range become 0 or 255, and do not start again from the other end."""
    inputs = np.array([[0.0, 0.25, 0.75, -0.75, 1.1, -4.5, -5.0, -1000.0, 123.0, 130.0, 1e9]])
    expected = [9, 9, 11, 7, 11, 0, 0, 0, 255, 255, 255]
    found = inputs_of(inputs, 0.5, 9)[0].tolist()
    advice = "Divide by the scale, round, add the zero point, cut off: in this order."
    if found[7:] != expected[7:] or found[6] != 0:
        advice = "255 + 1 is 0 in uint8, which makes black of white. Cut off first (np.clip), and then make it uint8."
    elif found[1:4] != expected[1:4]:
        advice = "0.25 is half a step and 0.75 is one and a half: round these to 0 and 2, before you add 9."
    elif found[4] == 11 and found[0] != 9:
        advice = "0.0 must become the zero point."
    assert found == expected, (
        f"A step is 0.5, the zero point is 9. Inputs {inputs[0].tolist()} should become {expected}. Found {found}. "
        f"{advice}"
    )
    generator = np.random.default_rng(3)
    for low, high in generator.normal(size=(50, 2)).tolist():
        scale, zero_point = range_of(min(low, high), max(low, high))
        found = int(inputs_of(np.zeros((1, 1)), scale, zero_point)[0, 0])
        assert found == zero_point, (
            f"In the range from {min(low, high):.3f} to {max(low, high):.3f} the input 0.0 becomes {found}, and the "
            f"zero point is {zero_point}. They must be the same: convolutions pad with it. {EARLIER}"
        )


def test_sums_of_whole_numbers_are_exact() -> None:
    """integer_product() is exact, for long sums too: nothing overflows, and nothing is rounded."""
    generator = np.random.default_rng(5)
    for rows, channels, length in ((2, 3, 1), (4, 5, 9), (3, 2, 5001), (1, 1, 60001)):
        inputs = generator.integers(0, 256, (rows, length), dtype=np.uint8)
        weights = generator.integers(-127, 128, (channels, length), dtype=np.int8)
        if length > 60000:
            inputs[:], weights[:] = 255, 127  # the largest sum
        for zero_point in (0, 3, 255):
            found = call(integer_product, inputs, zero_point, weights)
            found = array(found, "The result of integer_product()", (rows, channels), np.int32)
            expected = exact(inputs, zero_point, weights)
            worst = np.abs(found - expected).argmax()
            advice = "For each pair of rows: the sum of (input - zero point) * weight."
            if np.array_equal(found, exact(inputs, 0, weights)) and zero_point:
                advice = "That is the sum without the zero point: subtract it from every input."
            elif np.array_equal(found, exact((inputs - np.uint8(zero_point)), 0, weights)):
                advice = "3 - 4 is 255 in uint8: make the inputs int32 first, then subtract."
            elif np.abs(found - expected).max() < 1e-3 * 255 * 127 * length:
                advice = "It is nearly right: float32 knows no odd numbers above 2 ** 24. Stay with whole numbers."
            elif length > 1:
                advice = "A product of two bytes does not fit into one: make both int32 before you multiply."
            assert np.array_equal(found, expected), (
                f"{rows} rows of inputs, {channels} rows of weights, each of {length} numbers, zero point "
                f"{zero_point}: expected {expected.flat[worst]}, found {found.flat[worst]}. {advice}"
            )


def test_eight_bits_multiply_as_floats_that_are_whole_steps() -> None:
    """linear() is the product of the rounded inputs and the rounded weights, though all it multiplies are bytes."""
    generator = np.random.default_rng(8)
    for rows, channels, low, high in ((6, 4, -2.0, 3.0), (4, 4, 0.0, 2.0), (3, 5, 0.5, 4.0), (2, 3, -3.0, -0.25)):
        inputs = generator.normal(size=(rows, 40)) * 2
        weights = generator.normal(size=(channels, 40)) * generator.uniform(0.01, 1, (channels, 1))
        for per_channel in (True, False):
            found = call(linear, inputs, weights, low, high, per_channel)
            found = array(found, "The result of linear()", (rows, channels))
            stepped, parts = in_steps(inputs, weights, low, high, per_channel)
            expected = stepped @ parts.T
            step = (max(high, 0.0) - min(low, 0.0)) / 255
            shifted = stepped + round(-min(low, 0.0) / step) * step
            others = in_steps(inputs, weights, low, high, not per_channel)
            measured = in_steps(inputs, weights, inputs.min(), inputs.max(), per_channel)
            mistakes = (
                (inputs @ weights.T, "That is the product of the floats: nothing has been rounded."),
                (expected / step, "You have not multiplied by the step of the inputs."),
                (expected / (np.abs(parts).max(axis=1) / 127), "You have not multiplied by the steps of the weights."),
                (shifted @ parts.T, "Nobody has subtracted the zero point."),
                (others[0] @ others[1].T, "Do you hand per_channel on?"),
                (measured[0] @ measured[1].T, "You have measured the range of these very inputs: take low and high."),
            )
            advice = next(
                (text for wrong, text in mistakes if np.allclose(found, wrong, rtol=1e-4, atol=1e-6)),
                "What is one step of the product worth, in each column? Multiply once, at the very end.",
            )
            assert np.allclose(found, expected, rtol=1e-4, atol=1e-6), (
                f"{rows} inputs from {low:g} to {high:g} (the others are cut off), {channels} rows of weights, "
                f"per_channel={per_channel}: expected {np.round(expected[0], 4)} for the first, found "
                f"{np.round(found[0], 4)}. {advice}"
            )


def test_one_large_row_spoils_the_others() -> None:
    """One row that is 200 times larger spoils all the others, but not where each row has its own scale."""
    generator = np.random.default_rng(2)
    inputs, weights = generator.uniform(0, 1, (50, 64)), generator.normal(size=(6, 64))
    weights[2] *= 200
    others = [0, 1, 3, 4, 5]
    truth = inputs @ weights.T
    errors = {}
    for per_channel in (True, False):
        found = call(linear, inputs, weights, 0.0, 1.0, per_channel)
        errors[per_channel] = np.abs(found - truth)[:, others].mean() / np.abs(truth)[:, others].mean()
    levels = {per_channel: len(np.unique(weights_of(weights, per_channel)[0][others])) for per_channel in (True, False)}
    assert levels[False] <= 5 < levels[True], (
        "One of six rows has weights of up to about 500, so with one scale for all, a step is about 4. Of the other "
        f"rows, whose weights are about 1, hardly anything but -1, 0 and 1 is left. Found {levels[False]} different "
        f"whole numbers there, and {levels[True]} with a scale for each row. {EARLIER}"
    )
    assert errors[True] < 0.02 < 0.2 < errors[False], (
        "With a scale for each row the other five outputs are wrong by less than 2%; with one for all, by more than "
        f"20%. Found {errors[True]:.1%} and {errors[False]:.1%}. {EARLIER}"
    )


def test_a_range_must_be_one() -> None:
    """A range that is none is refused with a UserError."""
    for low, high in ((2.0, 1.0), (float("nan"), 1.0), (0.0, float("inf")), (float("-inf"), 0.0), (0.0, float("nan"))):
        case = f"scale_and_zero_point({low}, {high})"
        try:
            found = scale_and_zero_point(low, high)
        except UserError:
            continue
        except NotImplementedError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{case} raises {sentence(error)} A UserError was expected, with a message that says "
                "what is wrong: look at the arguments first."
            ) from error
        raise AssertionError(
            f"{case} gave {found!r}. A UserError was expected. (Nothing is above nan, and nothing below: no comparison "
            "with it is true.)"
        )
