"""Attention from scratch does what PyTorch's does, and a decoder looks only where it may."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lab_kit.errors import UserError
from text_recognizer.data.character_mapping import MAPPING
from text_recognizer.models.attention import MultiHeadAttention, attention, causal_mask, fused_attention, padding_mask
from text_recognizer.models.decoder_layer import DecoderLayer
from text_recognizer.models.key_value_cache import KeyValueCache
from text_recognizer.models.positions import positions_1d, positions_2d
from text_recognizer.models.text_decoder import TextDecoder

DIM, HEADS, LENGTH = 16, 4, 12
LENGTHS = torch.tensor([1, 9, 4])


@pytest.fixture(autouse=True)
def _same_chance():
    torch.manual_seed(0)


def decoder(layers=2, length=LENGTH):
    return TextDecoder(MAPPING, length, DIM, HEADS, fc_dim=24, layers=layers, dropout=0.0).eval()


@pytest.mark.parametrize("mask", [None, causal_mask(7), padding_mask(LENGTHS, 9), torch.rand(3, 1, 7, 9) < 0.7])
def test_attention_is_torchs(mask):
    places = 7 if mask is not None and mask.shape == (7, 7) else 9
    queries, keys, values = torch.randn(3, 4, 7, 5), torch.randn(3, 4, places, 5), torch.randn(3, 4, places, 6)
    if mask is not None and mask.shape == (3, 1, 7, 9):
        mask[..., 0] = True  # each may look somewhere
    found, weights = attention(queries, keys, values, mask)
    torch.testing.assert_close(found, functional.scaled_dot_product_attention(queries, keys, values, mask))
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 4, 7))
    if mask is not None:
        assert weights.masked_select(~mask.expand_as(weights)).eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mixed", [False, True])
def test_what_pytorch_calculates_has_the_gradients_of_attention_and_the_dtype_that_went_in(dtype, mixed):
    places = [torch.randn(2, 3, 5, 8, dtype=dtype, requires_grad=True) for _ in range(3)]
    mask = causal_mask(5)
    if mixed:
        with torch.autocast("cpu", torch.bfloat16):
            fused = fused_attention(*places, mask)
        assert fused.dtype == (torch.float64 if dtype == torch.float64 else torch.bfloat16)
    else:
        fused = fused_attention(*places, mask)
        assert fused.dtype == dtype
    found = torch.autograd.grad(fused.float().square().sum(), places)
    exact = [place.detach().double().requires_grad_() for place in places]
    wanted = torch.autograd.grad(attention(*exact, mask)[0].square().sum(), exact)
    near = {"atol": 0.1, "rtol": 0.05} if mixed or dtype.itemsize == 2 else {"atol": 1e-5, "rtol": 1e-4}
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, **near)


def test_attention_equals_a_naive_loop():
    queries, keys, values = torch.randn(5, 4), torch.randn(6, 4), torch.randn(6, 3)
    for query, found in zip(queries, attention(queries, keys, values)[0], strict=True):
        fits = [float(query @ key) / 4**0.5 for key in keys]
        shares = torch.tensor(fits).exp() / sum(torch.tensor(fits).exp())
        torch.testing.assert_close(found, sum(share * value for share, value in zip(shares, values, strict=True)))


def test_masks_say_where_one_may_look():
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert padding_mask(torch.tensor([1, 3]), 3).flatten(1).tolist() == [[True, False, False], [True, True, True]]


def test_several_heads_are_torchs():
    ours, theirs = MultiHeadAttention(DIM, HEADS), nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    copy_attention(ours, theirs)
    x, memory = torch.randn(3, 7, DIM), torch.randn(3, 9, DIM)
    mask = padding_mask(LENGTHS, 9)
    expected, expected_weights = theirs(x, memory, memory, key_padding_mask=~mask[:, 0, 0], average_attn_weights=False)
    for need_weights in (False, True):
        found, weights = ours(x, ours.keys_and_values(memory), mask, need_weights)
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(weights, expected_weights)


def copy_attention(ours, theirs):
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([part.weight for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias for part in parts])
    theirs.out_proj.load_state_dict(ours.out.state_dict())


@pytest.mark.parametrize("training", [True, False])
def test_a_decoder_layer_is_torchs(training):
    ours = DecoderLayer(DIM, HEADS, fc_dim=24, dropout=0.0).train(training)
    theirs = nn.TransformerDecoderLayer(DIM, HEADS, 24, dropout=0.0, batch_first=True, norm_first=True).train(training)
    copy_attention(ours.self_attention, theirs.self_attn)
    copy_attention(ours.cross_attention, theirs.multihead_attn)
    for mine, other in ((ours.feed_forward[0], theirs.linear1), (ours.feed_forward[3], theirs.linear2)):
        other.load_state_dict(mine.state_dict())
    for mine, other in ((ours.norm1, theirs.norm1), (ours.norm2, theirs.norm2), (ours.norm3, theirs.norm3)):
        nn.init.normal_(mine.weight)
        nn.init.normal_(mine.bias)
        other.load_state_dict(mine.state_dict())
    x, memory, mask = torch.randn(3, 7, DIM), torch.randn(3, 9, DIM), padding_mask(LENGTHS, 9)
    expected = theirs(x, memory, tgt_mask=~causal_mask(7), memory_key_padding_mask=~mask[:, 0, 0])
    seen = ours.cross_attention.keys_and_values(memory)
    found, weights = ours(x, seen, causal_mask(7), mask)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert weights is None
    torch.testing.assert_close(ours(x, seen, causal_mask(7), mask, need_weights=True)[0], found)


def test_no_place_sees_what_comes_behind_it():
    model, memory = decoder(), torch.randn(1, 9, DIM)
    tokens = torch.randint(4, len(MAPPING), (1, LENGTH))
    before = model(tokens, memory)
    for place in range(1, LENGTH):
        changed = tokens.clone()
        changed[0, place] = (changed[0, place] + 7) % len(MAPPING)
        after = model(changed, memory)
        assert torch.equal(after[..., :place], before[..., :place])
        assert not torch.equal(after[..., place], before[..., place])


def test_padding_of_the_picture_changes_nothing():
    model, memory = decoder(), torch.randn(3, 9, DIM)
    tokens, mask = torch.randint(4, len(MAPPING), (3, 6)), padding_mask(LENGTHS, 9)
    found, written = model(tokens, memory, mask), model.write(memory, mask)
    noise = torch.where(mask[:, 0, 0, :, None], memory, 100 * torch.randn(3, 9, DIM))
    torch.testing.assert_close(model(tokens, noise, mask), found)
    for row, length in enumerate(LENGTHS):
        alone = memory[row : row + 1, :length]
        torch.testing.assert_close(model(tokens[row : row + 1], alone), found[row : row + 1], rtol=1e-4, atol=1e-5)
        assert torch.equal(model.write(alone).argmax(dim=1)[0], written[row].argmax(dim=0))


@pytest.mark.parametrize("seed", range(8))
def test_the_cache_changes_nothing(seed):
    torch.manual_seed(seed)
    model = decoder(layers=1 + seed % 3, length=40)
    model.fc.weight.data *= 3  # so that lines say different things, and end
    model.fc.bias.data[model.end] += 2
    memory = 3 * torch.randn(16, 9, DIM)
    mask = padding_mask(torch.randint(1, 10, (16,)), 9) if seed % 2 else None
    with_cache, without = (model.write(memory, mask, use_cache=use) for use in (True, False))
    assert with_cache.shape == (16, len(MAPPING), 40)
    assert torch.equal(with_cache.argmax(dim=1), without.argmax(dim=1))
    torch.testing.assert_close(with_cache, without, rtol=1e-3, atol=1e-4)


def test_the_cache_gives_back_what_it_got():
    cache, keys, values = KeyValueCache(5), torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4)
    cache.append(keys[:, :, :2], values[:, :, :2])
    cache.append(keys[:, :, 2:3], values[:, :, 2:3])
    found = cache.append(keys[:, :, 3:], values[:, :, 3:])
    assert torch.equal(found[0], keys)
    assert torch.equal(found[1], values)


def test_finished_lines_stop():
    model, memory = decoder(), torch.randn(5, 9, DIM)
    model.fc.bias.data[model.end] = 1e3
    steps = []
    model.layers[0].register_forward_hook(lambda *_: steps.append(1))
    classes = model.write(memory).argmax(dim=1)
    assert len(steps) == 1
    assert classes[:, 0].eq(model.end).all()
    assert classes[:, 1:].eq(model.padding).all()


def test_what_was_looked_at_adds_up_to_one():
    model, memory = decoder(), torch.randn(3, 9, DIM)
    weights = model.look(torch.randint(4, len(MAPPING), (3, 6)), memory, padding_mask(LENGTHS, 9))
    assert weights.shape == (3, 6, 9)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 6))
    assert weights[0, :, 1:].eq(0).all()


def test_positions_turn_alike_wherever_one_is():
    positions = positions_1d(50, DIM)
    assert positions.shape == (50, DIM)
    assert positions.abs().max() <= 1
    pairs = torch.view_as_complex(positions.unflatten(1, (-1, 2)).contiguous())
    turns = pairs[3:] / pairs[:-3]
    torch.testing.assert_close(turns, turns[:1].expand_as(turns), rtol=1e-3, atol=1e-4)
    assert len(torch.unique(positions, dim=0)) == 50


def test_positions_in_two_dimensions_tell_row_and_column():
    positions = positions_2d(4, 6, DIM)
    assert positions.shape == (4, 6, DIM)
    assert torch.equal(positions[2, :, : DIM // 2], positions_1d(4, DIM // 2)[2].expand(6, -1))
    assert torch.equal(positions[:, 5, DIM // 2 :], positions_1d(6, DIM // 2)[5].expand(4, -1))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="10 features cannot be shared out evenly among 4 heads"):
        MultiHeadAttention(10, 4)
    with pytest.raises(UserError, match="even number"):
        positions_1d(5, 7)
    with pytest.raises(UserError, match="multiple of 4"):
        positions_2d(5, 5, 6)
    with pytest.raises(UserError, match="tf_layers"):
        TextDecoder(MAPPING, 5, DIM, HEADS, 8, 0, 0.0)
    with pytest.raises(UserError, match="tf_dropout"):
        TextDecoder(MAPPING, 5, DIM, HEADS, 8, 1, 1.0)
