"""The folder of a run is renamed, moved or copied, and then resumed, tested, asked."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from lab_kit.experiment.checkpoint_io import AtomicCheckpointIO
from text_recognizer.lit_models import BaseLitModel
from training import load_run

SMALL = ("--fc1", "16", "--fc2", "8", "--lr", "0.003")
FIGURES = ("train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc")


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """They take half of so short a run's time."""
    monkeypatch.setattr("lab_kit.plots.character_plots.draw", lambda *_: None)


@pytest.fixture
def folder(run, small_mnist, tmp_path) -> Path:
    """Return the folder of a run of two epochs."""
    assert run(*SMALL, "--max_epochs", "2")[0] == 0
    return tmp_path / "logs" / "MNIST-MLP" / "version_0"


def figures(folder: Path) -> dict[str, float]:
    found = json.loads((folder / "metrics.json").read_text())
    return {name: found[name] for name in FIGURES}


def rename_the_log_folder(folder: Path) -> Path:
    folder.parents[1].rename(folder.parents[2] / "old logs")
    return folder.parents[2] / "old logs" / folder.parent.name / folder.name


def rename_the_run(folder: Path) -> Path:
    return folder.rename(folder.with_name("my best run"))


def copy(folder: Path) -> Path:
    """The first one goes on by itself, and is no longer what it was."""
    shutil.copytree(folder, folder.parents[2] / "copy")
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"of another run by now")
    return folder.parents[2] / "copy"


def move_checkpoints_to_another_disk(folder: Path) -> Path:
    (folder / "checkpoints").rename(folder.parents[2] / "disk")
    (folder / "checkpoints").symlink_to(folder.parents[2] / "disk")
    return folder


def name_a_link(folder: Path) -> Path:
    (folder.parents[2] / "link").symlink_to(folder)
    return folder.parents[2] / "link"


WAYS = (rename_the_log_folder, rename_the_run, copy, move_checkpoints_to_another_disk, name_a_link)


@pytest.mark.parametrize("move", WAYS)
def test_a_worse_epoch_leaves_the_best_checkpoint_and_its_figures_as_they_are(run, folder, monkeypatch, move, recwarn):
    before, best = figures(folder), (folder / "checkpoints" / "best.ckpt").read_bytes()
    moved = move(folder)
    original = BaseLitModel.training_step

    def forget(self, *batch):
        for weights in self.model.parameters():
            weights.data.mul_(0.0)
        return original(self, *batch)

    monkeypatch.setattr(BaseLitModel, "training_step", forget)
    code, text = run("--resume", str(moved), "--max_epochs", "3")
    assert code == 0
    now = figures(moved)
    assert now == before
    assert f"{before['val_loss']:.4f}" in text
    assert (moved / "checkpoints" / "best.ckpt").read_bytes() == best
    assert (moved / "metrics.csv").read_text().count("\n") == 4
    assert "dirpath" not in "".join(str(warning.message) for warning in recwarn)


@pytest.mark.parametrize("move", WAYS[:2])
def test_a_better_epoch_replaces_the_best_checkpoint_where_it_is_now(run, folder, move):
    before = figures(folder)
    moved = move(folder)
    assert run("--resume", str(moved), "--max_epochs", "3")[0] == 0
    assert figures(moved)["val_loss"] < before["val_loss"]
    best = torch.load(moved / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 2
    assert not folder.exists()
    assert sorted(path.name for path in (moved / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_finished_run_is_resumed_tested_and_asked_where_it_is_now(run, folder, tmp_path):
    before = figures(folder)
    moved = rename_the_log_folder(folder)
    assert run("--resume", str(moved))[0] == 0
    assert figures(moved) == before
    assert load_run.load(moved).folder == moved
    best = str(moved / "checkpoints" / "best.ckpt")
    assert run(*SMALL, "--load_checkpoint", best, "--test_only")[0] == 0
    tested = json.loads((tmp_path / "logs" / "MNIST-MLP" / "version_0" / "metrics.json").read_text())
    assert tested["test_acc"] == before["test_acc"]


def test_a_run_that_began_with_other_weights_goes_on_without_them(run, folder):
    best = folder / "checkpoints" / "best.ckpt"
    assert run(*SMALL, "--load_checkpoint", str(best), "--max_epochs", "2")[0] == 0
    first = figures(folder.with_name("version_1"))
    moved = rename_the_log_folder(folder).with_name("version_1")
    assert run("--resume", str(moved))[0] == 0
    assert figures(moved) == first
    assert f"load_checkpoint: {best}" in (moved / "config.yaml").read_text()  # how it began
    code, text = run("--resume", str(moved), "--load_checkpoint", str(moved / "checkpoints" / "best.ckpt"))
    assert code == 2
    assert "exclude each other" in text


def test_without_its_best_weights_a_run_does_not_go_on(run, folder):
    (folder / "checkpoints" / "best.ckpt").unlink()
    code, text = run("--resume", str(folder), "--max_epochs", "3")
    assert code == 2
    assert "its best weights, checkpoints/best.ckpt, are missing" in text
    assert text.count("\n") == 1


def test_paths_of_another_machine_are_read_as_if_the_files_lay_beside(tmp_path):
    theirs = r"C:\Users\ada\logs\version_3\checkpoints"
    state = {
        "dirpath": theirs,
        "best_model_path": rf"{theirs}\best.ckpt",
        "kth_best_model_path": rf"{theirs}\best.ckpt",
        "last_model_path": "",
        "best_k_models": {rf"{theirs}\best.ckpt": torch.tensor(0.5)},
        "best_model_score": torch.tensor(0.5),
    }
    content, folder = {"callbacks": {"a": state, "b": {"rows": []}}}, tmp_path.resolve() / "checkpoints"
    AtomicCheckpointIO().save_checkpoint(content, folder / "last.ckpt")
    read = AtomicCheckpointIO().load_checkpoint(folder / "last.ckpt", weights_only=True)["callbacks"]
    best = str(folder / "best.ckpt")
    assert read["b"] == {"rows": []}
    assert read["a"] == state | {
        "dirpath": str(folder),
        "best_model_path": best,
        "kth_best_model_path": best,
        "best_k_models": {best: torch.tensor(0.5)},
    }
    AtomicCheckpointIO().save_checkpoint(content, tmp_path / "of the learning-rate finder.ckpt")
    kept = AtomicCheckpointIO().load_checkpoint(tmp_path / "of the learning-rate finder.ckpt", weights_only=True)
    assert kept["callbacks"]["a"] == state
