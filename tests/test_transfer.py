import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from lab_kit.errors import UserError
from text_recognizer.data import DataConfig
from text_recognizer.lit_models import TransferLitModel
from text_recognizer.lit_models.transfer_learning import one_cycle, parse_slice
from text_recognizer.models import CNN, ResNet, TransferNet
from text_recognizer.models.transfer_net import for_channels
from training import load_run
from training.interpretation import score

CONFIG = DataConfig((1, 28, 28), (1,), ("bird", "fish", "leaf"))
SMALL = {"conv_dim": 4, "num_blocks": 1, "head_dim": 8}


@pytest.fixture
def known(tmp_path) -> tuple[Path, ResNet]:
    """Return a checkpoint of a ResNet on other classes, and the network."""
    network = ResNet(DataConfig((1, 28, 28), (1,), tuple("0123456789")), conv_dim=4, num_blocks=1)
    for name, buffer in network.named_buffers():  # as if it had learned something
        buffer.fill_(0.5 if name.endswith("var") else 0.01 if name.endswith("mean") else 7)
    weights = {f"model.{name}": value for name, value in network.state_dict().items()}
    about = {"model_class": "ResNet", "data_class": "MNIST", "mapping": list("0123456789")}
    torch.save({"state_dict": weights, "hyper_parameters": about}, tmp_path / "known.ckpt")
    return tmp_path / "known.ckpt", network


@pytest.fixture
def bars(tmp_path) -> Path:
    """Pictures that lie, stand, or do neither: 24 of each, dark on light paper."""
    random = np.random.default_rng(0)
    for name in ("across", "down", "spot"):
        (tmp_path / "bars" / name).mkdir(parents=True)
        for k in range(24):
            pixels = random.integers(200, 255, (28, 28), dtype=np.uint8)
            at = random.integers(4, 24)
            rows, columns = {"across": (at, slice(2, 26)), "down": (slice(2, 26), at), "spot": (at, at)}[name]
            pixels[rows, columns] = 20
            Image.fromarray(pixels).save(tmp_path / "bars" / name / f"{name}{k}.png")
    return tmp_path / "bars"


def test_the_body_gets_the_weights_and_the_head_does_not(known):
    path, network = known
    model = TransferNet(CONFIG, pretrained=str(path), **SMALL)
    assert all(torch.equal(value, model.stem.state_dict()[name]) for name, value in network.stem.state_dict().items())
    mine = model.stages.state_dict()
    assert all(torch.equal(value, mine[name]) for name, value in network.blocks.state_dict().items())
    assert model(torch.rand(2, 1, 32, 40)).shape == (2, 3)


def test_the_head_sees_the_average_and_the_maximum(known):
    model = TransferNet(CONFIG, pretrained=str(known[0]), **SMALL).eval()
    images = torch.rand(2, 1, 28, 28)
    features = model.stages(model.stem(images))
    pooled = torch.cat([nn.AdaptiveAvgPool2d(1)(features), nn.AdaptiveMaxPool2d(1)(features)], dim=1).flatten(1)
    assert torch.allclose(model.head[0](features), pooled)
    assert [type(layer).__name__ for layer in model.head][1:4] == ["BatchNorm", "Dropout", "Linear"]
    assert [layer.p for layer in model.head if isinstance(layer, nn.Dropout)] == [0.25, 0.5]


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3), (3, 5)])
def test_a_grey_picture_excites_the_first_layer_alike_in_any_number_of_channels(old, new):
    weight, grey = torch.randn(4, old, 3, 3), torch.rand(2, 1, 8, 8)
    before = nn.functional.conv2d(grey.expand(-1, old, -1, -1), weight)
    after = nn.functional.conv2d(grey.expand(-1, new, -1, -1), for_channels(weight, new))
    assert torch.allclose(before, after, atol=1e-5)


def test_a_torchvision_body_learns_too(tmp_path):
    import torchvision

    weights = torchvision.models.resnet18().state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    model = TransferNet(CONFIG, body="resnet18", pretrained=str(tmp_path / "weights.pth"), head_dim=8)
    assert torch.equal(model.stages.state_dict()["0.0.conv1.weight"], weights["layer1.0.conv1.weight"])
    assert torch.allclose(model.stem.state_dict()["0.weight"], weights["conv1.weight"].sum(dim=1, keepdim=True))
    assert model(torch.rand(2, 1, 64, 64)).shape == (2, 3)


def test_what_does_not_fit_is_refused_in_one_line(known, tmp_path, monkeypatch):
    def message(**kwargs):
        with pytest.raises(UserError) as error:
            TransferNet(CONFIG, **SMALL | kwargs)
        assert "\n" not in str(error.value)
        return str(error.value)

    path = str(known[0])
    assert "There is no checkpoint" in message(pretrained=str(tmp_path / "none"))
    assert "stem.0.weight is (4, 1, 3, 3) there and (8, 1, 3, 3) here" in message(pretrained=path, conv_dim=8).replace(
        "blocks.0.residual.0.weight is (4, 4, 3, 3) there and (8, 8, 3, 3)",
        "stem.0.weight is (4, 1, 3, 3) there and (8, 1, 3, 3)",
    )
    assert "resnet18, resnet34 or resnet50" in message(pretrained="imagenet")
    assert "not a file of weights" in message(pretrained=__file__, body="resnet18")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert "cannot be had" in message(pretrained="imagenet", body="resnet18")


def test_one_cycle_has_the_shape_of_torchs():
    weights = [nn.Parameter(torch.zeros(1))]
    optimizer = torch.optim.SGD(weights, lr=1)
    scheduler = OneCycleLR(optimizer, max_lr=1, total_steps=2001, pct_start=0.25, final_div_factor=400)
    for step in range(2000):
        assert one_cycle(step / 2000) == pytest.approx(optimizer.param_groups[0]["lr"], abs=2e-3)
        optimizer.step()
        scheduler.step()


def test_layer_groups_learn_at_rates_with_equal_factors():
    model = TransferLitModel(TransferNet(CONFIG, **SMALL), CONFIG, lr=0.01, frozen_epochs=2, lr_slice="1e-5,1e-3")
    rates = [model.rate(50, 20, 100, group, 3) for group in range(3)]
    assert rates == pytest.approx([1e-5, 1e-4, 1e-3])
    assert [model.rate(5, 20, 100, group, 3) for group in range(3)] == [0, 0, 0.01]
    weights = [id(weight) for layers in model.model.layer_groups() for layer in layers for weight in layer.parameters()]
    assert sorted(weights) == sorted(map(id, model.model.parameters()))


@pytest.mark.parametrize("text", ["3", "a,b", "1e-3,1e-4", "0,1", "1,2,3"])
def test_a_slice_is_two_rising_rates(text):
    with pytest.raises(UserError, match="3e-5,3e-4"):
        parse_slice(text)


def test_a_network_without_groups_cannot_be_frozen():
    with pytest.raises(UserError, match="CNN learns as a whole"):
        TransferLitModel(CNN(CONFIG, conv_dim=2, fc_dim=2), CONFIG, frozen_epochs=1)


FLAGS = ["--data_class", "ImageFolder", "--model_class", "TransferNet", "--statistics", "characters", "--image_size"]
FLAGS += ["28", "--conv_dim", "4", "--num_blocks", "1", "--head_dim", "8", "--batch_size", "8"]


def test_frozen_layers_stay_as_they_were_and_then_learn(run, known, bars, tmp_path):
    flags = [*FLAGS, "--folder", str(bars), "--pretrained", str(known[0]), "--frozen_epochs", "2", "--lr", "0.01"]
    assert run(*flags, "--max_epochs", "2")[0] == 0
    assert run(*flags, "--max_epochs", "3", "--lr_slice", "1e-3,1e-2", "--one_cycle_max_lr", "0.01")[0] == 0
    runs = tmp_path / "logs" / "ImageFolder-TransferNet"
    frozen, free = (
        torch.load(runs / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("version_0", "version_1")
    )
    for name, value in known[1].stem.state_dict().items():  # also what batch norm has counted
        assert torch.equal(frozen["state_dict"][f"model.stem.{name}"], value)
        assert name.endswith("num_batches_tracked") or not torch.equal(free["state_dict"][f"model.stem.{name}"], value)
    kept = free["ImageFolder"]
    assert kept["preprocessing"]["image_size"] == 28
    assert kept["preprocessing"]["ink_on_black"] is True
    assert free["hyper_parameters"]["mapping"] == ["across", "down", "spot"]


def test_a_run_leaves_pictures_and_can_be_asked_again(run, bars, tmp_path, monkeypatch):
    monkeypatch.chdir(bars.parent)
    code, text = run(*FLAGS, "--folder", "bars", "--max_epochs", "8", "--one_cycle_max_lr", "0.02")
    assert code == 0, text
    folder = tmp_path / "logs" / "ImageFolder-TransferNet" / "version_0"
    assert {"predictions.png", "confusion.png", "curves.png"} <= {path.name for path in folder.iterdir()}
    monkeypatch.chdir("/")  # the flags name the same folder from anywhere
    found = load_run.load(folder)
    scores = score(found.model, found.data, ["test"])
    accuracy = float((scores.predicted == scores.labels).float().mean())
    assert accuracy == pytest.approx(json.loads((folder / "metrics.json").read_text())["test_acc"], abs=1e-6)


def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted(run, bars, tmp_path):
    flags = [*FLAGS, "--folder", str(bars), "--frozen_epochs", "2", "--lr_slice", "1e-3,1e-2", "--lr", "0.01"]
    run(*flags, "--max_epochs", "4")
    run(*flags, "--max_epochs", "3")
    whole, cut = (tmp_path / "logs" / "ImageFolder-TransferNet" / f"version_{k}" for k in (0, 1))
    assert run("--resume", str(cut), "--max_epochs", "4")[0] == 0
    figures, expected = (json.loads((folder / "metrics.json").read_text()) for folder in (cut, whole))
    assert {name: figures[name] for name in figures if "_" in name and name.endswith(("loss", "acc"))} == {
        name: expected[name] for name in expected if "_" in name and name.endswith(("loss", "acc"))
    }
    (bars / "spot" / "spot0.png").unlink()
    code, text = run("--resume", str(cut), "--max_epochs", "6")
    assert code == 2
    assert "are not those that the interrupted run saw" in text


def test_a_run_is_resumed_where_its_pictures_are_now_and_without_the_weights_it_began_with(run, bars, known, tmp_path):
    assert run(*FLAGS, "--folder", str(bars), "--pretrained", str(known[0]), "--max_epochs", "1")[0] == 0
    folder = tmp_path / "logs" / "ImageFolder-TransferNet" / "version_0"
    bars.rename(tmp_path / "moved")
    known[0].unlink()
    code, text = run("--resume", str(folder), "--max_epochs", "2")
    assert code == 2
    assert text.count("\n") == 1
    assert str(bars) in text
    assert run("--resume", str(folder), "--max_epochs", "2", "--folder", str(tmp_path / "moved"))[0] == 0
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1
