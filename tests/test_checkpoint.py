import os
import pickle
import zipfile

import pytest
import torch

from lab_kit.errors import UserError
from lab_kit.experiment.checkpoint import load_weights, read_checkpoint
from text_recognizer.data import DataConfig
from text_recognizer.models import MLP

MAPPING = tuple("0123456789")
CONFIG = DataConfig((1, 28, 28), (1,), MAPPING)


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a checkpoint of an MLP, with some entries replaced."""

    def save(**other):
        about = {"model_class": "MLP", "data_class": "MNIST", "mapping": list(MAPPING)}
        content = {"state_dict": MLP(CONFIG, fc1=8, fc2=4).state_dict(), "hyper_parameters": about | other}
        torch.save(content, tmp_path / "model.ckpt")
        return tmp_path / "model.ckpt"

    return save


def test_weights_come_back(saved):
    model = MLP(CONFIG, fc1=8, fc2=4)
    path = saved()
    load_weights(model, path, "MLP", MAPPING)
    expected = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("other", "sizes", "message"),
    [
        ({"model_class": "CNN"}, {}, "checkpoint of CNN, not of MLP"),
        ({"mapping": list("abc")}, {}, "other classes .*: 3 of them, where 10 are expected"),
        ({"mapping": list("0123456798")}, {}, "class 8 is '9' there and '8' here"),
        ({"mapping": 7}, {}, "it does not say which"),
        ({"format": 2}, {}, "of format 2; this program reads format 1"),
        ({}, {"fc1": 9}, "other sizes"),
    ],
)
def test_what_differs_is_said(saved, other, sizes, message):
    with pytest.raises(UserError, match=message):
        load_weights(MLP(CONFIG, **({"fc1": 8, "fc2": 4} | sizes)), saved(**other), "MLP", MAPPING)


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    torch.save({"state_dict": _Malicious(tmp_path / "harm")}, tmp_path / "new.ckpt")
    (tmp_path / "old.ckpt").write_bytes(pickle.dumps(_Malicious(tmp_path / "harm")))
    for name in ("new.ckpt", "old.ckpt"):
        with pytest.raises(UserError, match="refused"):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"<html>", b"\x80\x02}q\x00.", bytes(1000)])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.ckpt"):
        read_checkpoint(path)


def test_half_a_checkpoint_is_refused(saved):
    path = saved()
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="not a readable checkpoint"):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no checkpoint .*none\.ckpt"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        read_checkpoint(tmp_path)


def test_a_huge_file_of_nothing_is_refused_at_once(tmp_path):
    with (tmp_path / "model.ckpt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "model.ckpt")


def test_a_zip_archive_of_other_things_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.ckpt", "w") as archive:
        archive.writestr("letter.txt", "Dear reader")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "model.ckpt")


def test_a_checkpoint_that_unfolds_is_refused(saved, tmp_path):
    with zipfile.ZipFile(saved()) as archive, zipfile.ZipFile(tmp_path / "bomb.ckpt", "w") as bomb:
        for member in archive.infolist():
            bomb.writestr(member.filename, archive.read(member), zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="claims to hold more than its size"):
        read_checkpoint(tmp_path / "bomb.ckpt")


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        torch.zeros(3),
        {"state_dict": {}},
        {"state_dict": {}, "hyper_parameters": {"model_class": 3}},
        {"state_dict": {"x": 1}, "hyper_parameters": {"model_class": "MLP"}},
        {"hyper_parameters": {"model_class": "MLP"}},
    ],
)
def test_a_checkpoint_of_another_program_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of this project"):
        read_checkpoint(tmp_path / "model.ckpt")


@pytest.mark.parametrize("change", [torch.Tensor.int, torch.Tensor.to_sparse, lambda weight: weight.to("meta")])
def test_weights_of_another_kind_are_refused(saved, change):
    path = saved()
    content = torch.load(path, weights_only=True)
    content["state_dict"] = {name: change(weight) for name, weight in content["state_dict"].items()}
    torch.save(content, path)
    with pytest.raises(UserError, match="other sizes"):
        load_weights(MLP(CONFIG, fc1=8, fc2=4), path, "MLP", MAPPING)


def test_no_flipped_byte_gets_into_the_weights(saved):
    path = saved()
    content, before = path.read_bytes(), read_checkpoint(path)
    for at in range(0, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            after = read_checkpoint(path)  # where the byte means nothing, such as a date
        except UserError:
            continue
        assert all(torch.equal(weight, before["state_dict"][name]) for name, weight in after["state_dict"].items())
