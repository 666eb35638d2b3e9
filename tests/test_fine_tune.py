"""A run learns what visitors corrected, and is a run afterwards."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lab_kit import program
from lab_kit.feedback.class_folders import folder_from_label
from text_recognizer.data.character_mapping import MAPPING
from text_recognizer.data.dataset import ImageDataset
from text_recognizer.data_config import DataConfig
from training import corrections, fine_tune, load_run
from training.corrections import Mixture, at_most
from training.fine_tune import right

FLAGS = ("--data_class", "EMNIST", "--model_class", "FastCNN", "--conv_dim", "4", "--lr", "0.01", "--batch_size", "32")


@pytest.fixture
def folder(run, small_emnist, tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(
        "lab_kit.plots.character_plots.draw", lambda *arguments: None
    )  # it takes longer than all the rest
    monkeypatch.setattr("lab_kit.plots.curves.plot_curves", lambda *arguments: None)
    code, text = run(*FLAGS, "--max_epochs", "3")
    assert code == 0, text
    return tmp_path / "logs" / "EMNIST-FastCNN" / "version_0"


def diagonal(seed: int, falling: bool) -> np.ndarray:
    """Return a picture such as no class has."""
    picture = np.random.default_rng(seed).integers(0, 60, (28, 28), dtype=np.uint8)
    for k in range(2, 26):
        picture[k, k if falling else 27 - k] = picture[k, k - 1 if falling else 26 - k] = 255
    return picture


def write(folder: Path, label: str, pictures: list[np.ndarray]) -> None:
    path = folder / folder_from_label(label)
    path.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / f"{label.encode().hex()}-{number}.png")


@pytest.fixture
def corrected(tmp_path) -> Path:
    write(tmp_path / "corrected", "A", [diagonal(k, falling=True) for k in range(8)])
    write(tmp_path / "corrected", "a", [diagonal(k, falling=False) for k in range(8)])
    return tmp_path / "corrected"


def call(capsys, *arguments: object) -> tuple[int, str]:
    code = 0
    try:
        program.run(fine_tune.fine_tune, list(map(str, arguments)))
    except SystemExit as end:
        code = end.code
    written = capsys.readouterr()
    return code, " ".join((written.out + written.err).split())


def test_corrections_are_learned_the_rest_is_not_forgotten_and_the_new_run_is_a_run(
    folder, corrected, tmp_path, capsys
):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, text = call(
        capsys, folder, corrected, "--epochs", 12, "--lr", 0.003, "--share", 0.2, "--log_dir", tmp_path / "new"
    )
    assert code == 0, text
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert "16 corrections: 13 to learn from, 3 to test with" in text
    assert re.search(r"learned from \(13\) │ \d of 13 │ 13 of 13", text), text[-1500:]
    assert "corrections held out (3) │" in text
    new = tmp_path / "new" / "EMNIST-FastCNN" / "version_0"
    assert f"python -m text_recognizer.export {new}" in text
    old, found = load_run.load(folder), load_run.load(new)
    accuracy = {one.folder: right(one.model, one.data.splits["val"]).float().mean() for one in (old, found)}
    assert accuracy[new] > accuracy[folder] - 0.1
    figures = json.loads((new / "metrics.json").read_text())
    assert figures["val_acc"] == pytest.approx(float(accuracy[new]), abs=0.02)
    assert figures["source"].endswith("and 13 corrections by visitors")
    assert figures["before"]["learned"][0] < figures["after"]["learned"][0] == 13
    state, was = found.model.state_dict(), old.model.state_dict()
    statistics = [name for name in was if "running" in name or "num_batches" in name]
    assert statistics
    assert all(torch.equal(state[name], was[name]) for name in statistics)
    assert any(not torch.equal(state[name], was[name]) for name in was)
    code, text = call(capsys, new, corrected, "--epochs", 3, "--held_out", 0, "--log_dir", tmp_path / "new")
    assert code == 0, text  # once more, from there; it has nothing left to learn, and ends after one epoch
    assert "corrections learned from (16) │ 16 of 16 │ 16 of 16" in text
    assert len((new.with_name("version_1") / "metrics.csv").read_text().splitlines()) == 2


def test_what_cannot_be_learned_from_is_refused_in_one_line(folder, corrected, tmp_path, capsys):
    small = tmp_path / "small"
    write(small, "A", [np.zeros((20, 28), np.uint8)])
    broken = tmp_path / "broken"
    write(broken, "A", [np.zeros((28, 28), np.uint8)])
    next(broken.rglob("*.png")).write_bytes(b"no picture")
    unknown = tmp_path / "unknown"
    write(unknown, "ß", [np.zeros((28, 28), np.uint8)])
    (tmp_path / "empty").mkdir()
    refused = {
        (folder, small): "is not 28 x 28 pixels",
        (folder, broken): "1 text, not a picture",
        (folder, unknown): "is of the class 'ß', which is not one of the 83 classes of the run. A new class needs",
        (folder, tmp_path / "empty"): "has no pictures",
        (tmp_path / "empty", corrected): "is not the folder of a run",
        (folder, corrected, "--share", 1): "share must be between 0 and 1",
        (folder, corrected, "--held_out", 1): "held_out must be",
        (folder, corrected, "--sample", 0): "sample must be at least 1",
        (folder, corrected, "--epochs", 0): "max_epochs must be at least 1",
    }
    for arguments, words in refused.items():
        code, text = call(capsys, *arguments, "--log_dir", tmp_path / "new")
        assert code == 2, text
        assert words in text
        assert "Traceback" not in text
    assert not (tmp_path / "new").exists()
    lines = shutil.copytree(folder, tmp_path / "lines")
    text = (lines / "config.yaml").read_text().replace("EMNIST\n", "EMNISTLines\n").replace("FastCNN", "LineCNN")
    kept = [row for row in text.splitlines() if row.split(":")[0] in ("data_class", "model_class", "source")]
    (lines / "config.yaml").write_text("\n".join(kept) + "\nloss: ctc\n")
    assert "reads lines, and fine-tuning is for characters" in call(capsys, lines, corrected)[1]


def test_the_mixture_has_its_share_of_corrections_and_takes_other_originals_each_epoch():
    old = ImageDataset(torch.zeros(100, 4, 4, dtype=torch.uint8), torch.arange(100))
    new = ImageDataset(torch.full((3, 4, 4), 255, dtype=torch.uint8), torch.arange(1000, 1003))
    mixture = Mixture(old, new, originals=30, share=0.25, seed=0)
    assert len(mixture) == 40
    seen = []
    for epoch in range(3):
        images, labels = mixture.__getitems__(np.random.default_rng(epoch).permutation(40) + 40 * epoch)
        assert images.shape == (40, 1, 4, 4)
        assert torch.equal(images[:, 0, 0, 0] == 1, labels >= 1000)
        assert sorted(labels[labels >= 1000].bincount()[1000:].tolist()) == [3, 3, 4]
        seen += labels[labels < 1000].tolist()
    assert len(set(seen)) == len(seen) == 90
    image, label = mixture[39]
    assert (image.shape, int(label) >= 1000) == ((1, 4, 4), True)
    assert len(Mixture(old, new, originals=1000, share=0.5, seed=0)) == 200


def test_the_same_pictures_are_held_out_when_there_are_more(tmp_path):
    config = DataConfig((1, 28, 28), (1,), MAPPING)
    write(tmp_path / "set", "A", [diagonal(k, falling=True) for k in range(9)])
    few = corrections.read(tmp_path / "set", config, 0.2)
    assert not few.held_out.any()
    write(tmp_path / "set", "?", [diagonal(k, falling=False) for k in range(11)])
    found = corrections.read(tmp_path / "set", config, 0.2)
    assert (len(found.labels), int(found.held_out.sum())) == (20, 4)
    held_out = {found.images[k].numpy().tobytes() for k in found.held_out.nonzero().flatten()}
    write(tmp_path / "set", "z", [diagonal(100 + k, falling=False) for k in range(5)])
    more = corrections.read(tmp_path / "set", config, 0.5)
    assert held_out <= {more.images[k].numpy().tobytes() for k in more.held_out.nonzero().flatten()}
    assert {MAPPING[label] for label in more.labels} == {"A", "?", "z"}
    (tmp_path / "set" / folder_from_label("?")).rename(tmp_path / "set" / "q")  # a folder with the class's own name
    assert {MAPPING[label] for label in corrections.read(tmp_path / "set", config, 0.5).labels} == {"A", "q", "z"}


def test_a_part_of_a_dataset_is_spread_over_all_of_it():
    data = ImageDataset(torch.zeros(1000, 2, 2, dtype=torch.uint8), torch.arange(1000))
    part = at_most(data, 10)
    _, labels = part.__getitems__(range(len(part)))
    assert labels.tolist() == pytest.approx(list(range(0, 1000, 111)))
    assert at_most(data, 1000) is data
    assert len(data) == 1000
