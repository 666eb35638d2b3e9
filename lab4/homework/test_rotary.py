"""Exercise 2: rotary positions."""

import math

import torch
from rotary import RotaryAttention, rotate, speeds
from torch import Tensor

from lab_kit.errors import UserError
from text_recognizer.models.attention import causal_mask
from text_recognizer.models.key_value_cache import KeyValueCache

DIM, HEADS = 16, 2
CLOSE = 1e-4


def turned(x: Tensor, first: int = 0) -> Tensor:
    """Call rotate, and check the shape of what it returns."""
    found = rotate(x, first)
    assert isinstance(found, Tensor), f"rotate() should return a tensor, and returned {found!r}."
    assert found.shape == x.shape, f"rotate() was given {tuple(x.shape)}, and returned {tuple(found.shape)}."
    return found


def differ(a: Tensor, b: Tensor) -> float:
    return (a.float() - b.float()).abs().max().item()


def attend(model: RotaryAttention, x: Tensor, first: int = 0, **settings: object) -> tuple[Tensor, Tensor | None]:
    with torch.no_grad():
        return model(x, model.keys_and_values(x, first), first=first, **settings)


def test_a_pair_turns_by_its_angle() -> None:
    """A pair of features turns by its angle."""
    found = turned(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    expected = torch.tensor([[1, 0], [math.cos(1), math.sin(1)], [-math.sin(2), math.cos(2)]])
    assert differ(found, expected) < CLOSE, (
        "With two features there is one pair, of speed 1. (1, 0) at position 0 stays; at position 1 it becomes "
        f"(cos 1, sin 1); (0, 1) at position 2 becomes (-sin 2, cos 2). Expected {expected.tolist()}, "
        f"found {found.tolist()}."
    )


def test_each_pair_turns_at_its_own_speed() -> None:
    """Neighbouring features are a pair, and each pair turns at its own speed."""
    x = torch.randn(3, 20, DIM)
    angles = torch.arange(20)[:, None] * speeds(DIM)
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    expected = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)
    assert differ(turned(x), expected) < CLOSE, (
        "Features 0 and 1 are a pair, 2 and 3 the next, and pair k at position p turns by p * speeds(d)[k]. Some "
        f"feature is {differ(turned(x), expected):.2g} away from that. Are the pairs features 0 and d / 2, 1 and "
        "d / 2 + 1? Other people do it so, but not here. And do the features stand in their old order again?"
    )


def test_only_the_distance_counts() -> None:
    """The product of a query and a key depends on how far they are from each other, and not on where they are."""
    query, key = torch.randn(1, DIM), torch.randn(1, DIM)
    products = [float(turned(query, at + 3) @ turned(key, at).T) for at in (0, 1, 10, 100)]
    assert max(products) - min(products) < 1e-3, (
        "A query three places behind a key should fit it equally well wherever both are. At positions 0, 1, 10 and 100 "
        f"the products are {products}."
    )
    near, far = (float(turned(query, at) @ turned(key).T) for at in (1, 5))
    assert abs(near - far) > 1e-3, f"At distances 1 and 5 the product is the same, {near:.4f}: nothing was turned."


def test_places_can_be_turned_one_at_a_time() -> None:
    """`first` says where the first place is, so places can be turned one at a time, as a cache needs it."""
    x = torch.randn(2, HEADS, 9, DIM)
    one_by_one = torch.cat([turned(x[:, :, at : at + 1], at) for at in range(9)], dim=2)
    assert differ(one_by_one, turned(x)) < CLOSE, (
        "Nine places turned one at a time, with first=0, 1, ... 8, should be what they are when turned together, and "
        f"differ by up to {differ(one_by_one, turned(x)):.2g}."
    )


def test_an_odd_number_of_features_is_refused() -> None:
    """An odd number of features is refused, with a UserError."""
    said = "Of 7 features, one has no partner. Expected was a UserError (of lab_kit.errors), and found was "
    try:
        rotate(torch.randn(4, 7))
    except UserError:
        return
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise AssertionError(f"{said}{type(error).__name__}: {error}") from None
    raise AssertionError(f"{said}a result. See what `Raises` in the docstring of `rotate` promises.")


def test_far_places_are_exact_in_any_type() -> None:
    """The type stays, and far positions are exact in bfloat16 too."""
    x = torch.randn(4, DIM).bfloat16()
    found = turned(x, 1001)
    assert found.dtype == torch.bfloat16, f"bfloat16 went in, and {found.dtype} came out: return the type of `x`."
    expected = turned(x.float(), 1001)
    assert differ(found, expected) < 0.05, (
        f"At position 1001, in bfloat16, a feature is {differ(found, expected):.2g} away from what float32 gives. "
        "bfloat16 does not hold 1001, it rounds it to 1000: calculate angles in float32, and round at the end."
    )


def test_attention_sees_the_order() -> None:
    """RotaryAttention sees the order of places."""
    torch.manual_seed(0)
    model, x = RotaryAttention(DIM, HEADS).eval(), 2 * torch.randn(1, 6, DIM)
    swapped = x[:, [1, 0, 2, 3, 4, 5]]
    change = differ(attend(model, x)[0][:, 5], attend(model, swapped)[0][:, 5])
    assert change > 1e-3, (
        "The first two of six places were swapped, and the last place got the same result. Without positions attention "
        "sees a set of places, not their order: are queries and keys both turned, by rotate()?"
    )


def test_attention_does_not_see_where_the_text_is() -> None:
    """All places moved by the same distance give the same result: values are not turned."""
    torch.manual_seed(0)
    model, x = RotaryAttention(DIM, HEADS).eval(), torch.randn(2, 6, DIM)
    here, there = (attend(model, x, first)[0] for first in (0, 17))
    assert differ(here, there) < 1e-3, (
        f"Six places at positions 0 to 5 and the same six at 17 to 22 give results that differ by "
        f"{differ(here, there):.2g}. Turn queries and keys by the same `first`, each head by itself, and leave the "
        "values as they are."
    )
    with torch.no_grad():
        values = model.keys_and_values(x, 17)[1]
        plain = model.value(x).unflatten(2, (HEADS, -1)).transpose(1, 2)
    assert differ(values, plain) < CLOSE, "The values are not those of the layer `value`: only queries and keys turn."


def test_masks_and_weights_work_as_before() -> None:
    """Masks and weights work as in MultiHeadAttention."""
    torch.manual_seed(0)
    model, x = RotaryAttention(DIM, HEADS).eval(), torch.randn(2, 6, DIM)
    out, nothing = attend(model, x, mask=causal_mask(6))
    same, weights = attend(model, x, mask=causal_mask(6), need_weights=True)
    assert nothing is None, "Without need_weights the second result should be None, as in MultiHeadAttention."
    assert isinstance(weights, Tensor), f"With need_weights the weights are the second result, and it is {weights!r}."
    assert differ(out, same) < CLOSE, f"With and without need_weights the results differ by {differ(out, same):.2g}."
    assert weights.triu(1).eq(0).all(), "The mask hides what is behind a place, but some weights there are not 0."


def test_it_works_with_a_cache() -> None:
    """One place at a time, with a KeyValueCache, gives what all places give at once."""
    torch.manual_seed(0)
    model, x, cache = RotaryAttention(DIM, HEADS).eval(), torch.randn(2, 6, DIM), KeyValueCache(6)
    at_once, _ = attend(model, x, mask=causal_mask(6))
    steps = []
    with torch.no_grad():
        for at in range(6):
            place = x[:, at : at + 1]
            steps.append(model(place, cache.append(*model.keys_and_values(place, at)), first=at)[0])
    found = torch.cat(steps, dim=1)
    assert differ(found, at_once) < 1e-3, (
        f"Six places one at a time, with a cache, differ by {differ(found, at_once):.2g} from the same six at once "
        "under a causal mask. Keys are turned before they are stored, and the query by its own position, `first`."
    )
