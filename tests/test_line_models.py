import pytest
import torch

from lab_kit.errors import UserError
from text_recognizer.data import DataConfig
from text_recognizer.models import CNN, LineCNN, LineCNNLSTM, LineCNNSimple

LENGTH = 10
CONFIG = DataConfig((1, 28, 28 * LENGTH), (LENGTH, 1), tuple("abcdefg"))
MODELS = [LineCNNSimple, LineCNN, LineCNNLSTM]
CONVOLUTIONAL = [LineCNN, LineCNNLSTM]


@pytest.fixture
def images():
    return torch.rand(3, 1, 28, 28 * LENGTH, generator=torch.Generator().manual_seed(0))


def windows_of(images, width, stride):
    """Cut the windows out, one after the other."""
    starts = range(0, images.shape[3] - width + 1, stride)
    return [images[..., start : start + width] for start in starts]


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize(("width", "stride"), [(28, 28), (28, 8), (19, 4), (40, 20), (31, 12), (280, 28), (20, 36)])
def test_there_is_an_answer_for_each_window(cls, width, stride, images):
    model = cls(CONFIG, window_width=width, window_stride=stride)
    expected = len(windows_of(images, width, stride))
    assert model(images).shape == (3, 7, expected)
    assert model.num_windows == expected


@pytest.mark.parametrize("cls", MODELS)
def test_limited_output_is_the_left_part(cls, images):
    torch.manual_seed(0)
    whole = cls(CONFIG, window_stride=20).eval()
    limited = cls(CONFIG, window_stride=20, limit_output_length=True).eval()
    limited.load_state_dict(whole.state_dict())
    assert limited(images).shape == (3, 7, LENGTH)
    if cls is not LineCNNLSTM:  # which reads from the right, too
        torch.testing.assert_close(limited(images), whole(images)[..., :LENGTH])


def test_simple_line_cnn_is_the_character_cnn_on_each_window(images):
    model = LineCNNSimple(CONFIG, conv_dim=8, fc_dim=16, window_width=28, window_stride=20).eval()
    assert isinstance(model.cnn, CNN)
    expected = [model.cnn(window) for window in windows_of(images, 28, 20)]
    torch.testing.assert_close(model(images), torch.stack(expected, dim=2))


@pytest.mark.parametrize(("width", "stride"), [(28, 28), (28, 20), (28, 8), (31, 12), (19, 4)])
def test_line_cnn_says_of_a_window_in_a_line_what_it_says_of_it_alone(width, stride, images):
    model = LineCNN(CONFIG, window_width=width, window_stride=stride).train()
    model(torch.rand(3, 1, 28, 28 * LENGTH))  # so that batch norm has seen something
    model.eval()
    alone = LineCNN(DataConfig((1, 28, width), (1, 1), CONFIG.mapping), window_width=width, window_stride=stride)
    alone.load_state_dict(model.state_dict())
    alone.eval()
    expected = [alone(window) for window in windows_of(images, width, stride)]
    torch.testing.assert_close(model(images), torch.cat(expected, dim=2), rtol=1e-4, atol=1e-5)


def test_lstm_sees_the_whole_line_and_the_line_cnn_a_window(images):
    changed = images.clone()
    changed[..., -14] += 5
    for cls, expected in ((LineCNN, 1), (LineCNNLSTM, LENGTH)):
        model = cls(CONFIG).eval()
        different = (model(images) != model(changed)).any(dim=1)
        assert different.sum(dim=1).tolist() == [expected] * 3


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize("name", ["conv_dim", "fc_dim", "window_width", "window_stride"])
def test_a_size_of_zero_is_refused(cls, name):
    with pytest.raises(UserError, match=name):
        cls(CONFIG, **{name: 0})


@pytest.mark.parametrize("name", ["lstm_dim", "lstm_layers"])
def test_an_lstm_of_nothing_is_refused(name):
    with pytest.raises(UserError, match=name):
        LineCNNLSTM(CONFIG, **{name: 0})


@pytest.mark.parametrize("cls", MODELS)
def test_characters_are_no_lines(cls):
    with pytest.raises(UserError, match="EMNISTLines"):
        cls(DataConfig((1, 28, 28), (1,), CONFIG.mapping))


@pytest.mark.parametrize("cls", MODELS)
def test_a_window_wider_than_the_line_is_refused(cls):
    with pytest.raises(UserError, match="window_width must be at most 280"):
        cls(CONFIG, window_width=281)


@pytest.mark.parametrize("cls", CONVOLUTIONAL)
def test_sizes_that_shared_convolutions_cannot_have_are_refused(cls):
    with pytest.raises(UserError, match="multiple of 4"):
        cls(CONFIG, window_stride=27)
    with pytest.raises(UserError, match="at least 19"):
        cls(CONFIG, window_width=18)
    with pytest.raises(UserError, match="lstm_dropout"):
        LineCNNLSTM(CONFIG, lstm_dropout=1.5)
