import pytest
import torch
from torch.nn import functional

from text_recognizer.data import DataConfig
from text_recognizer.errors import UserError
from text_recognizer.models import CNN, MLP


@pytest.fixture
def config():
    return DataConfig(input_dims=(1, 28, 28), output_dims=(1,), mapping=tuple("abcdefg"))


@pytest.mark.parametrize("cls", [MLP, CNN])
@pytest.mark.parametrize("input_dims", [(1, 28, 28), (3, 17, 40)])
def test_a_batch_of_pictures_becomes_a_batch_of_logits(cls, input_dims):
    config = DataConfig(input_dims, (1,), tuple("abcdefg"))
    assert cls(config)(torch.rand(5, *input_dims)).shape == (5, 7)


def test_mlp_has_the_weights_of_its_layers(config):
    expected = (784 * 30 + 30) + (30 * 20 + 20) + (20 * 7 + 7)
    assert sum(weight.numel() for weight in MLP(config, fc1=30, fc2=20).parameters()) == expected


def test_cnn_equals_its_layers_written_out(config):
    model = CNN(config, conv_dim=8, fc_dim=16).eval()
    images = torch.rand(4, 1, 28, 28)
    w = model.state_dict()
    x = functional.conv2d(images, w["conv1.conv.weight"], w["conv1.conv.bias"], padding=1).relu()
    x = functional.conv2d(x, w["conv2.conv.weight"], w["conv2.conv.bias"], padding=1).relu()
    x = functional.max_pool2d(x, 2).flatten(1)
    x = (x @ w["fc1.weight"].T + w["fc1.bias"]).relu() @ w["fc2.weight"].T + w["fc2.bias"]
    torch.testing.assert_close(model(images), x)


@pytest.mark.parametrize(("cls", "name"), [(MLP, "fc1"), (MLP, "fc2"), (CNN, "conv_dim"), (CNN, "fc_dim")])
def test_a_layer_without_neurons_is_refused(config, cls, name):
    with pytest.raises(UserError, match=name):
        cls(config, **{name: 0})
