"""Exercise 2: rotary positions (checks that were not handed out)."""

import torch
from rotary import RotaryAttention, rotate, speeds
from torch import Tensor
from torch.nn import functional

from text_recognizer.models.attention import causal_mask
from text_recognizer.models.key_value_cache import KeyValueCache

CLOSE = 1e-3


def by_hand(x: Tensor, first: int) -> Tensor:
    """Turn each pair of features, as a complex number, by its angle."""
    angles = torch.arange(first, first + x.shape[-2])[:, None] * speeds(x.shape[-1])
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def differ(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape, f"Expected the shape {tuple(b.shape)}, found {tuple(a.shape)}."
    return (a.float() - b.float()).abs().max().item()


def expected_attention(
    model: RotaryAttention, x: Tensor, first: int, others: Tensor, first_of_others: int, mask: Tensor | None
) -> Tensor:
    """Calculate attention from the layers of a model, with queries and keys turned by hand."""

    def heads(features: Tensor) -> Tensor:
        return features.unflatten(2, (model.heads, -1)).transpose(1, 2)

    queries = by_hand(heads(model.query(x)), first)
    keys, values = by_hand(heads(model.key(others)), first_of_others), heads(model.value(others))
    taken = functional.scaled_dot_product_attention(queries, keys, values, mask)
    return model.out(taken.transpose(1, 2).flatten(2))


def test_rotate_turns_neighbours_in_any_shape() -> None:
    """Neighbouring features turn by position times speed, in any number of dimensions, places and features."""
    for shape, first in (((7, 6), 0), ((3, 4, 10), 5), ((2, 3, 5, 2), 31), ((1, 1, 2, 1, 12), 999), ((1, 8), 2)):
        x = torch.randn(shape)
        before = x.clone()
        away = differ(rotate(x, first), by_hand(x, first))
        assert away < CLOSE, (
            f"rotate() of {shape}, the last two of which are places and features, with first={first}: a feature is "
            f"{away:.2g} away from (a cos(w) - b sin(w), a sin(w) + b cos(w)), where w is the position times the speed "
            "of the pair. Pairs are features 0 and 1, 2 and 3, and so on."
        )
        assert torch.equal(x, before), "rotate() has changed the tensor that it was given: work on a copy."


def test_rotate_is_exact_far_away_in_half_precision() -> None:
    """The type stays, and places that a short type cannot count are exact in float16, too."""
    for kind, first, close in ((torch.float16, 2049, 0.03), (torch.float16, 70_001, 0.03), (torch.bfloat16, 515, 0.05)):
        x = torch.randn(3, 8).to(kind)
        found = rotate(x, first)
        assert found.dtype == kind, f"{kind} went in, and {found.dtype} came out: return the type of `x`."
        away = differ(found, by_hand(x.float(), first))
        assert away < close, (
            f"From position {first} on, in {kind}, a feature is {away:.2g} away from what float32 gives. Calculate "
            "angles, sines and cosines in float32, and round at the end."
        )


def test_rotary_attention_is_attention_between_turned_queries_and_keys() -> None:
    """RotaryAttention gives what its layers give where queries and keys are turned by hand, wherever both are."""
    torch.manual_seed(2)
    for dim, heads, places, first, others, first_of_others in (
        (18, 3, 4, 9, 13, 0),
        (8, 4, 1, 40, 6, 35),
        (6, 1, 5, 0, 5, 0),
    ):
        model = RotaryAttention(dim, heads).eval()
        x, seen = torch.randn(3, places, dim), torch.randn(3, others, dim)
        mask = torch.rand(places, others) < 0.7
        mask[:, 0] = True
        for rule in (None, mask):
            with torch.no_grad():
                expected = expected_attention(model, x, first, seen, first_of_others, rule)
                pair = model.keys_and_values(seen, first_of_others)
                quick, _ = model(x, pair, rule, first=first)
                slow, weights = model(x, pair, rule, need_weights=True, first=first)
            away = max(differ(quick, expected), differ(slow, expected))
            assert away < CLOSE, (
                f"{dim} features, {heads} heads, {places} places from {first} on that look at {others} places from "
                f"{first_of_others} on, {'with' if rule is not None else 'without'} a mask: the result is {away:.2g} "
                "away from attention between queries turned by `first`, keys turned by theirs, and values as they are. "
                "Each head has pairs of its own, and scores are divided by the root of the features of a head."
            )
            assert weights.shape == (3, heads, places, others), (
                f"Expected the weights {(3, heads, places, others)}, found {tuple(weights.shape)}."
            )


def test_rotary_attention_takes_several_places_at_a_time_with_a_cache() -> None:
    """With a KeyValueCache, three places, then one, then four give what all eight give at once."""
    torch.manual_seed(3)
    model, x, cache, at = RotaryAttention(12, 2).eval(), torch.randn(2, 8, 12), KeyValueCache(8), 0
    found = []
    with torch.no_grad():
        at_once, _ = model(x, model.keys_and_values(x), causal_mask(8))
        for count in (3, 1, 4):
            part, mask = x[:, at : at + count], causal_mask(8)[at : at + count, : at + count]
            found.append(model(part, cache.append(*model.keys_and_values(part, at)), mask, first=at)[0])
            at += count
    away = differ(torch.cat(found, dim=1), at_once)
    assert away < CLOSE, (
        f"Eight places in three parts, with a cache, are {away:.2g} away from the same eight at once. Keys are turned "
        "before they are stored, from `first` on, and queries by their own positions."
    )
