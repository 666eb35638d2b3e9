"""Networks that write what they see: how they are taught, how they read, and the runs that train them."""

import json

import pytest
import torch
from matplotlib import animation
from torch.nn import functional

from lab_kit.errors import UserError
from lab_kit.notebooks.player import play
from lab_kit.plots.attention_plots import Glances, animate, plot_attention
from text_recognizer.data import DataConfig
from text_recognizer.data.character_mapping import END, MAPPING, PADDING, PAGE_MAPPING, START, decode, encode
from text_recognizer.lit_models import CTCLitModel, LineLitModel, ParagraphLitModel, TransformerLitModel
from text_recognizer.models import CNN, LineCNN, LineCNNTransformer, ResNetTransformer

TINY = {"conv_dim": 4, "tf_dim": 16, "tf_fc_dim": 16, "tf_layers": 1, "tf_nhead": 2, "tf_dropout": 0.0}
LINE = DataConfig((1, 28, 28 * 6), (6, 1), MAPPING)
PAGE = DataConfig((1, 96, 64), (12, 1), PAGE_MAPPING)
START_INDEX, END_INDEX, PADDING_INDEX = (MAPPING.index(token) for token in (START, END, PADDING))
FLAGS = [part for name, value in TINY.items() for part in (f"--{name}", str(value))]
LINES = (
    *("--data_class", "EMNISTLines", "--source", "pen", "--max_length", "8"),
    *("--num_train", "64", "--num_val", "16", "--num_test", "16", "--batch_size", "32", "--max_epochs", "2"),
    *("--model_class", "LineCNNTransformer", "--loss", "transformer", *FLAGS),
)
WRITERS = ("--source", "pen", "--num_train", "8", "--num_val", "4", "--num_test", "4", "--batch_size", "4")


@pytest.fixture(autouse=True)
def _small(small_pen_set):
    torch.manual_seed(0)


def line_model(**settings):
    return TransformerLitModel(LineCNNTransformer(LINE, **TINY), LINE, **settings)


def labels_of(*texts, length=6):
    return torch.stack([torch.from_numpy(encode(text, length)) for text in texts])


def names(rows):
    return ["".join(MAPPING[k] for k in row) for row in rows.tolist()]


def test_the_teacher_shifts_the_text_by_one_place():
    labels = labels_of("ab", "", "abc")
    labels[1, 0], labels[1, 1] = START_INDEX, END_INDEX  # as EMNISTLines has them
    labels = torch.cat([torch.tensor([[START_INDEX, *encode("hey"), END_INDEX, PADDING_INDEX]]), labels])
    given, wanted = line_model().with_teacher(labels)
    assert names(given) == ["<B>hey", "<B>ab<P>", "<B><P><P><P>", "<B>abc"]
    assert names(wanted) == ["hey<E>", "ab<E><P>", "<E><P><P><P>", "abc<E>"]


def test_the_loss_is_torchs_for_each_character_that_is_there():
    model = line_model(ctc_weight=0.0, label_smoothing=0.1).eval()
    texts, images = ["ab", "abcde"], torch.rand(2, 1, 28, 168)
    memory = model.model.encode(images)
    losses = []
    for row, text in enumerate(texts):
        given = torch.tensor([[START_INDEX, *encode(text)]])
        wanted = torch.tensor([[*encode(text), END_INDEX]])
        logits = model.model.decoder(given, memory[row : row + 1].flatten(1, 2))
        losses += functional.cross_entropy(logits, wanted, reduction="none", label_smoothing=0.1).flatten().tolist()
    found = model.text_loss(memory, labels_of(*texts))
    torch.testing.assert_close(found, torch.tensor(losses).mean())


def test_ctc_is_added_with_its_weight():
    model, images, labels = line_model(ctc_weight=0.0).eval(), torch.rand(2, 1, 28, 168), labels_of("ab", "cde")
    memory = model.model.encode(images)
    without = model.text_loss(memory, labels)
    model.ctc_weight = 0.25
    spelled = model.model.spell(memory.flatten(1, 2)).transpose(1, 2)
    ctc = CTCLitModel(LineCNN(LINE, window_stride=4), LINE).line_loss(spelled, labels)
    torch.testing.assert_close(model.text_loss(memory, labels), without + 0.25 * ctc)


def test_wrong_tokens_are_given_in_training_alone():
    model, memory, labels = (
        line_model(wrong_tokens=0.9, ctc_weight=0.0),
        torch.randn(2, 1, 9, 16),
        labels_of("abc", "d"),
    )
    given = []
    model.model.decoder.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    model.eval().text_loss(memory, labels)
    model.train().text_loss(memory, labels)
    assert names(given[0]) == ["<B>abc", "<B>d<P><P>"]
    assert given[1][:, 0].eq(START_INDEX).all()
    assert not torch.equal(*given)


def test_a_line_reads_the_same_alone_and_beside_others():
    model = LineCNNTransformer(LINE, **TINY).eval()
    images = torch.rand(4, 1, 28, 168)
    together = model(images)
    assert together.shape == (4, len(MAPPING), 7)
    for row in range(4):
        torch.testing.assert_close(model(images[row : row + 1]), together[row : row + 1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("width", [48, 168, 400])
def test_lines_may_be_of_any_width(width):
    model = LineCNNTransformer(LINE, **TINY).eval()
    written, weights = model.look(torch.rand(2, 1, 28, width))
    assert written.shape == (2, 7)
    assert weights.shape == (2, 7, 1, width // 4)
    torch.testing.assert_close(weights.sum(dim=(2, 3)), torch.ones(2, 7))


def test_a_page_is_a_grid_of_places():
    model = ResNetTransformer(PAGE, **TINY).eval()
    images = torch.zeros(2, 1, 96, 64)
    images[:, :, 40:80, 10:50] = torch.rand(2, 1, 40, 40)
    assert model.encode(images).shape == (2, 3, 8, 16)  # 40 rows of ink and 32 of paper become 3 x 32
    written, weights = model.look(images)
    assert weights.shape == (2, 13, 3, 8)
    assert torch.equal(model(images).argmax(dim=1), written)


def test_where_on_the_page_the_writing_begins_does_not_matter():
    model = ResNetTransformer(PAGE, **TINY).eval()
    ink, pages = torch.rand(1, 30, 64).clamp(min=0.3), torch.zeros(4, 1, 96, 64)
    for page, top in zip(pages, (0, 20, 66), strict=False):  # and a blank one
        page[:, top : top + 30] = ink
    trimmed = model.trim(pages)
    assert trimmed.shape == (4, 1, 64, 64)
    assert all(torch.equal(page, trimmed[0]) for page in trimmed[1:3])
    assert torch.equal(trimmed[0, :, 16:46], ink)
    assert torch.equal(model.trim(trimmed), trimmed)
    assert trimmed[3].eq(0).all()
    torch.testing.assert_close(model(pages)[:3], model(trimmed[:3]))


def test_what_the_decoder_says_with_a_teacher_is_what_it_writes():
    model = line_model().eval()
    images = torch.rand(3, 1, 28, 168)
    logits = model(images)
    written = logits.argmax(dim=1)
    tokens = torch.cat([torch.full((3, 1), START_INDEX), written[:, :-1]], dim=1)
    with_teacher = model.model.decoder(tokens, model.model.encode(images).flatten(1, 2))
    until_end = (written == END_INDEX).long().cumsum(dim=1) - (written == END_INDEX).long() == 0
    torch.testing.assert_close(logits.transpose(1, 2)[until_end], with_teacher.transpose(1, 2)[until_end])


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda: TransformerLitModel(LineCNN(LINE, window_stride=20), LINE), "LineCNN does not write"),
     (lambda: TransformerLitModel(CNN(DataConfig((1, 28, 28), (1,), MAPPING)), LINE), "CNN does not write"),
     (lambda: CTCLitModel(LineCNNTransformer(LINE, **TINY), LINE), "LineCNNTransformer learns with --loss transformer"),
     (lambda: LineLitModel(LineCNNTransformer(LINE, **TINY), LINE), "learns with --loss transformer alone"),
     (lambda: TransformerLitModel(LineCNNTransformer(LINE, **TINY), DataConfig((1, 28, 560), (20, 1), MAPPING)),
      "writes at most 6 characters, and the labels have up to 20"),
     (lambda: line_model(label_smoothing=1.0), "label_smoothing"),
     (lambda: line_model(wrong_tokens=-1), "wrong_tokens"),
     (lambda: line_model(ctc_weight=-1), "ctc_weight"),
     (lambda: LineCNNTransformer(LINE, tf_nhead=5), "192 features cannot be shared out evenly among 5"),
     (lambda: LineCNNTransformer(LINE, conv_dim=0), "conv_dim"),
     (lambda: LineCNNTransformer(PAGE), "ResNetTransformer for pages"),
     (lambda: ResNetTransformer(DataConfig((1, 28, 28), (1,), MAPPING)), "This model writes text")],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    ("flags", "message"),
    [(("--data_class", "EMNISTLines", "--model_class", "LineCNNTransformer"), "learns with --loss transformer alone"),
     (("--data_class", "EMNISTLines", "--model_class", "LineCNNTransformer", "--loss", "ctc"), "--loss transformer"),
     (("--data_class", "EMNISTLines", "--model_class", "CNN", "--loss", "transformer"), "CNN does not write"),
     (("--data_class", "EMNIST", "--model_class", "CNN", "--loss", "transformer"), "is for pictures of a line"),
     (("--data_class", "EMNIST", "--model_class", "LineCNNTransformer"), "This model writes text"),
     (("--data_class", "IAMParagraphs", "--model_class", "ResNetTransformer"), "with --loss transformer alone"),
     (("--data_class", "IAMParagraphs", "--model_class", "CRNN", "--loss", "ctc"), "is for pictures of a line"),
     (("--data_class", "IAMParagraphs", "--model_class", "LineCNNTransformer", "--loss", "transformer"),
      "use --model_class ResNetTransformer")],
)  # fmt: skip
def test_a_wrong_combination_gets_one_line(run, flags, message):
    code, text = run("--source", "pen", *flags)
    assert code == 2
    assert message in text
    assert text.startswith("error: ")
    assert len(text.strip().splitlines()) == 1


def test_a_run_leaves_its_folder_with_what_was_looked_at_and_can_be_resumed(run, tmp_path):
    code, text = run(*LINES)
    assert code == 0, text
    folder = tmp_path / "logs" / "EMNISTLines-LineCNNTransformer" / "version_0"
    figures = json.loads((folder / "metrics.json").read_text())
    assert {"train_loss", "val_loss", "val_cer", "test_loss", "test_cer"} <= figures.keys()
    assert not {"train_acc", "test_acc"} & figures.keys()
    for name in ("attention.png", "predictions.png", "curves.png"):
        assert (folder / name).stat().st_size > 5_000
    assert "attention.png" in text

    code, text = run(*LINES, "--max_epochs", "1")
    assert code == 0, text
    code, text = run("--resume", str(folder.with_name("version_1")), "--max_epochs", "2")
    assert code == 0, text
    resumed = json.loads((folder.with_name("version_1") / "metrics.json").read_text())
    assert resumed["test_loss"] == figures["test_loss"]
    assert resumed["test_cer"] == figures["test_cer"]


def test_lines_by_imaginary_writers_are_read(run, tmp_path):
    flags = ("--data_class", "IAMLines", "--model_class", "LineCNNTransformer", "--loss", "transformer", *FLAGS)
    code, text = run(*flags, *WRITERS, "--max_length", "12", "--max_epochs", "1", "--one_cycle_max_lr", "1e-3")
    assert code == 0, text
    folder = tmp_path / "logs" / "IAMLines-LineCNNTransformer" / "version_0"
    assert (folder / "attention.png").stat().st_size > 5_000


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_pages_by_imaginary_writers_are_read(run, tmp_path, precision):
    flags = ("--data_class", "IAMParagraphs", "--model_class", "ResNetTransformer", "--loss", "transformer", *FLAGS)
    flags += (*WRITERS, "--max_length", "40", "--curriculum", "--precision", precision)
    code, text = run(*flags, "--max_epochs", "1")
    assert code == 0, text
    folder = tmp_path / "logs" / "IAMParagraphs-ResNetTransformer" / "version_0"
    for name in ("attention.png", "predictions.png"):
        assert (folder / name).stat().st_size > 5_000
    code, text = run(*flags, "--overfit_batches", "1")
    assert code == 2
    assert "--overfit_batches keeps the same ones: leave one of them out." in text


def test_two_batches_are_learned_by_heart(run, tmp_path):
    small = TINY | {"tf_dim": 32, "tf_fc_dim": 64, "tf_layers": 2, "tf_nhead": 4}
    code, text = run(
        *("--data_class", "EMNISTLines", "--source", "pen", "--max_length", "6", "--num_train", "8"),
        *("--num_val", "4", "--num_test", "4", "--batch_size", "4", "--overfit_batches", "2", "--max_epochs", "60"),
        *("--model_class", "LineCNNTransformer", "--loss", "transformer", "--wrong_tokens", "0", "--ctc_weight", "0"),
        *("--one_cycle_max_lr", "5e-3", "--tune", "false", "--check_val_every_n_epoch", "20"),
        *(part for name, value in small.items() for part in (f"--{name}", str(value))),
    )
    assert code == 0, text
    folder = tmp_path / "logs" / "EMNISTLines-LineCNNTransformer" / "version_0"
    assert json.loads((folder / "metrics.json").read_text())["val_cer"] == 0


def test_where_the_decoder_looked_becomes_a_picture_and_a_player(tmp_path):
    line = Glances(torch.rand(28, 80).numpy(), list("a b$") + [END], torch.eye(5)[:, None].numpy())
    page = Glances(torch.rand(60, 80).numpy(), list("a\n_c"), torch.full((4, 3, 5), 1 / 15).numpy())
    assert page.centres().tolist() == [[pytest.approx(32, abs=1e-3), pytest.approx(20, abs=1e-3)]] * 4
    assert line.centres()[:, 0].tolist() == [0, 16, 32, 48, 64]  # where convolutions of stride 16 look
    for number, glances in enumerate((line, page)):
        plot_attention(glances, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 5_000
        shown = animate(glances)
        assert isinstance(shown, animation.FuncAnimation)
        assert "<img" in play(shown).data


def test_what_was_looked_at_ends_with_the_text():
    model = line_model()
    model.model.decoder.fc.bias.data[END_INDEX] = 1e3

    class One:
        def __len__(self):
            return 1

        def __getitems__(self, indices):
            return torch.rand(1, 1, 28, 168), labels_of("abc")

    glances = model.glances(One())
    assert glances.characters == [END]
    assert glances.weights.shape == (1, 1, 42)
    assert decode(model.read(model(torch.rand(1, 1, 28, 168)))[0][0].tolist()) == ""


def test_a_page_model_knows_the_new_line():
    model = ParagraphLitModel(ResNetTransformer(PAGE, **TINY), PAGE)
    labels = torch.from_numpy(encode("ab\nc", 12, PAGE_MAPPING))[None]
    _, wanted = model.with_teacher(labels)
    assert decode(wanted[0].tolist(), mapping=PAGE_MAPPING) == "ab\nc"
    assert model.text_loss(model.model.encode(torch.rand(1, 1, 96, 64)), labels).isfinite()
