import pytest
import torch
from torch.nn import functional

from lab_kit.errors import UserError
from text_recognizer.data import DataConfig
from text_recognizer.models import CNN, MLP, FastCNN, ResNet
from text_recognizer.models.resnet import ResidualBlock


@pytest.fixture
def config():
    return DataConfig(input_dims=(1, 28, 28), output_dims=(1,), mapping=tuple("abcdefg"))


@pytest.mark.parametrize("cls", [MLP, CNN, FastCNN, ResNet])
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


def test_fast_cnn_equals_its_layers_written_out(config):
    model = FastCNN(config, conv_dim=4).eval()
    images = torch.rand(4, 1, 28, 28)
    w = model.state_dict()

    def norm(x, name):
        mean, variance = (w[f"{name}.running_{moment}"][:, None, None] for moment in ("mean", "var"))
        return (x - mean) / (variance + 1e-5).sqrt() * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][
            :, None, None
        ]

    x = norm(functional.conv2d(images, w["conv1.weight"], stride=2, padding=2), "norm1").relu()
    for number in (2, 3):
        x = functional.max_pool2d(functional.conv2d(x, w[f"conv{number}.weight"], padding=1), 2)
        x = norm(x, f"norm{number}").relu()
    torch.testing.assert_close(model(images), x.flatten(1) @ w["fc.weight"].T + w["fc.bias"])


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        *((MLP, "fc1"), (MLP, "fc2"), (CNN, "conv_dim"), (CNN, "fc_dim"), (FastCNN, "conv_dim")),
        *((ResNet, "conv_dim"), (ResNet, "num_blocks")),
    ],
)
def test_a_layer_without_neurons_is_refused(config, cls, name):
    with pytest.raises(UserError, match=name):
        cls(config, **{name: 0})


def test_residual_block_whose_residual_is_zero_passes_its_input_on():
    block = ResidualBlock(4, 4).eval()
    torch.nn.init.zeros_(block.residual[-1].weight)
    x = torch.rand(2, 4, 7, 7)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("stride", [1, 2])
def test_residual_block_equals_its_layers_written_out(stride):
    block = ResidualBlock(3, 5, stride).eval()
    for weight in block.parameters():
        torch.nn.init.uniform_(weight, -1, 1)
    x = torch.rand(2, 3, 7, 7)
    w = block.state_dict()

    def norm(y, name):
        return functional.batch_norm(
            y, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"]
        )

    y = norm(functional.conv2d(x, w["residual.0.weight"], stride=stride, padding=1), "residual.1").relu()
    y = norm(functional.conv2d(y, w["residual.3.weight"], padding=1), "residual.4")
    y = y + norm(functional.conv2d(x, w["shortcut.0.weight"], stride=stride), "shortcut.1")
    torch.testing.assert_close(block(x), y.relu())


def test_num_blocks_and_conv_dim_shape_the_resnet(config):
    def convolutions(model):
        return sum(isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3) for module in model.modules())

    assert convolutions(ResNet(config, num_blocks=1)) == 1 + 3 * 2
    assert convolutions(ResNet(config, num_blocks=3)) == 1 + 3 * 3 * 2
    assert ResNet(config, conv_dim=8).fc.in_features == 32
