import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torchmetrics.functional.text import char_error_rate

from lab_kit.errors import UserError
from text_recognizer.data import DataConfig
from text_recognizer.data.character_mapping import BLANK, END, MAPPING, PADDING, START, decode, encode
from text_recognizer.lit_models import BaseLitModel, CTCLitModel, LineLitModel
from text_recognizer.lit_models.greedy_decode import greedy_decode
from text_recognizer.models import CNN, LineCNN

BLANK_INDEX, PADDING_INDEX = MAPPING.index(BLANK), MAPPING.index(PADDING)
CONFIG = DataConfig((1, 28, 28 * 6), (6, 1), MAPPING)


class Says(nn.Module):
    """A network that says what it was told to, as logits."""

    def __init__(self, classes: torch.Tensor) -> None:
        super().__init__()
        self.logits = 10 * functional.one_hot(classes, len(MAPPING)).float().transpose(1, 2)
        self.num_windows = classes.shape[1]

    def forward(self, images):
        return self.logits


def naive(row, blank, padding):
    read = [label for label, _ in itertools.groupby(row) if label != blank]
    return read + [padding] * (len(row) - len(read))


@given(
    st.integers(1, 9).flatmap(lambda n: st.lists(st.lists(st.integers(0, 4), min_size=n, max_size=n), min_size=1)),
    st.integers(0, 4),
)
def test_greedy_decoding_equals_a_naive_loop(rows, blank):
    decoded = greedy_decode(torch.tensor(rows), blank, padding=9)
    assert decoded.tolist() == [naive(row, blank, 9) for row in rows]


def test_greedy_decoding_equals_a_naive_loop_on_a_thousand_long_lines():
    classes = torch.randint(0, 5, (1000, 112), generator=torch.Generator().manual_seed(0))
    expected = [naive(row, 1, 3) for row in classes.tolist()]
    assert greedy_decode(classes, 1, 3).tolist() == expected


def test_greedy_decoding_leaves_its_input_alone():
    classes = torch.tensor([[1, 1, 2, 0, 2]])
    greedy_decode(classes, 0, 9)
    assert classes.tolist() == [[1, 1, 2, 0, 2]]


@pytest.mark.parametrize("windows", [6, 7, 23])
def test_ctc_loss_equals_torchs_line_by_line(windows):
    texts = ["a", "hello", "", "a b", "zzz", "Hi"]
    labels = torch.stack([torch.from_numpy(encode(text, 6)) for text in texts])
    logits = torch.randn(len(texts), len(MAPPING), windows, generator=torch.Generator().manual_seed(0))
    model = CTCLitModel(LineCNN(CONFIG, window_stride=4), CONFIG)
    losses = []
    for text, line in zip(texts, logits, strict=True):
        target = torch.from_numpy(encode(text))[None]
        lengths = torch.tensor([windows]), torch.tensor([len(text)])
        loss = functional.ctc_loss(line.T[:, None].log_softmax(2), target, *lengths, BLANK_INDEX, reduction="none")
        losses.append(loss / max(1, len(text)))
    torch.testing.assert_close(model.line_loss(logits, labels), torch.cat(losses).mean())


def test_ctc_loss_ignores_tokens_and_what_no_path_can_spell():
    model = CTCLitModel(LineCNN(CONFIG, window_stride=4), CONFIG)
    logits = torch.randn(1, len(MAPPING), 8)
    index = {name: number for number, name in enumerate(MAPPING)}
    plain = torch.tensor([[index["a"], index["b"], *[PADDING_INDEX] * 4]])
    tokens = torch.tensor([[index[START], index["a"], index["b"], index[END], *[PADDING_INDEX] * 2]])
    assert model.line_loss(logits, plain) == model.line_loss(logits, tokens)
    doubled = torch.tensor([[index["a"]] * 6])  # needs a blank between each two: 11 windows, and there are 8
    assert model.line_loss(logits, doubled) == 0


def test_ctc_reads_text_and_the_error_rate_is_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    said = torch.randint(0, 12, (200, 20), generator=generator)
    labels = torch.randint(4, 12, (200, 6), generator=generator)
    model = CTCLitModel(Says(said), CONFIG)
    model.log = lambda *_, **__: None
    model.validation_step((torch.rand(200, 1, 28, 168), labels), 0)
    read = ["".join(decode(naive(row, BLANK_INDEX, PADDING_INDEX))) for row in said.tolist()]
    true = [decode(row) for row in labels.tolist()]
    torch.testing.assert_close(model.val_cer.compute(), char_error_rate(read, true))


def test_line_model_counts_places_and_edits():
    labels = torch.stack([torch.from_numpy(encode(text, 6)) for text in ("hello", "world")])
    said = torch.stack([torch.from_numpy(encode(text, 6)) for text in ("hallo", "word")])
    model = LineLitModel(Says(said), CONFIG)
    model.log = lambda *_, **__: None
    model.validation_step((torch.rand(2, 1, 28, 168), labels), 0)
    assert model.val_cer.compute() == pytest.approx(2 / 10)
    assert model.val_acc.compute() == pytest.approx((6 + 6 - 3) / 12)
    torch.testing.assert_close(model.val_loss.compute(), functional.cross_entropy(model(None), labels))


@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss", "multi_margin_loss"])
def test_every_place_counts_alike_in_a_lines_loss(loss):
    labels = torch.randint(0, len(MAPPING), (5, 6), generator=torch.Generator().manual_seed(0))
    model = LineLitModel(Says(labels), CONFIG, loss=loss)
    logits = torch.randn(5, len(MAPPING), 6)
    one_by_one = [BaseLitModel(nn.Flatten(), CONFIG, loss=loss).loss(logits[..., k], labels[:, k]) for k in range(6)]
    torch.testing.assert_close(model.line_loss(logits, labels), torch.stack(one_by_one).mean())


@pytest.mark.parametrize(
    ("cls", "model", "message"),
    [(LineLitModel, LineCNN(CONFIG, window_stride=20),
      "reads 8 windows, but a line has 6 labels. --loss ctc needs no .*--limit_output_"),
     (LineLitModel, LineCNN(CONFIG, window_stride=40), "reads 4 windows.*a smaller --window_stride makes more"),
     (CTCLitModel, LineCNN(CONFIG, window_stride=40), "4 windows: too few to spell the 6"),
     (CTCLitModel, CNN(DataConfig((1, 28, 28), (1,), MAPPING)), "CNN gives one answer a picture"),
     (LineLitModel, CNN(DataConfig((1, 28, 28), (1,), MAPPING)), "choose a line model")],
)  # fmt: skip
def test_windows_that_do_not_fit_the_labels_are_refused(cls, model, message):
    with pytest.raises(UserError, match=message):
        cls(model, CONFIG)


def test_ctc_learns_to_read_without_being_told_where():
    torch.manual_seed(2)
    config = DataConfig((1, 28, 168), (6, 1), MAPPING)
    model = CTCLitModel(LineCNN(config, conv_dim=8, fc_dim=64, window_stride=4), config)
    texts = ["ab", "ba", "aab", "b a", "abab", "bbb"]
    images = torch.zeros(len(texts), 1, 28, 168)
    for image, text in zip(images, texts, strict=True):
        for place, character in enumerate(text):
            x = 14 + 23 * place
            image[0, {"a": slice(2, 12), "b": slice(15, 25), " ": slice(0, 0)}[character], x : x + 14] = 1
    labels = torch.stack([torch.from_numpy(encode(text, 6)) for text in texts])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(300):
        loss = model.line_loss(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    assert [decode(row) for row in model.read(model(images))[0].tolist()] == texts
