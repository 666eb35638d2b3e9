import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lab_kit.paths import project_root
from training.run_experiment import main

TINY = ("--max_epochs", "2", "--fc1", "32", "--fc2", "16")


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def same(left: dict, right: dict) -> bool:
    accuracies_and_losses = {name for name in left if name.endswith(("_acc", "_loss"))}
    return len(accuracies_and_losses) == 6 and all(left[name] == right[name] for name in accuracies_and_losses)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs" / "MNIST-MLP" / "version_0"


def test_a_run_leaves_its_folder(run, small_mnist, folder):
    code, text = run(*TINY)
    assert code == 0
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    expected = {"config.yaml", "metrics.json", "metrics.csv", "predictions.png", "confusion.png", "curves.png"}
    assert expected | {"checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= left
    assert any("tfevents" in name for name in left)
    assert not any("unfinished" in name for name in left)
    figures = metrics(folder)
    assert figures["source"] == "small mnist (made by the tests)"
    assert figures["parameters"] == 784 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10
    assert {"seconds", "samples_per_second", "versions", "commit", "hardware"} <= figures.keys()
    assert figures["test_acc"] > 0.5
    about = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["hyper_parameters"]
    assert (about["model_class"], about["source"]) == ("MLP", figures["source"])
    assert "small mnist" in text
    assert "predictions.png" in text


def test_config_of_a_run_repeats_it(run, small_mnist, folder):
    run(*TINY, "--lr", "0.003")
    code, _ = run("--config", str(folder / "config.yaml"))
    assert code == 0
    assert same(metrics(folder), metrics(folder.with_name("version_1")))


def test_workers_change_nothing_but_speed(run, small_mnist, folder):
    run(*TINY, "--num_workers", "0")
    run(*TINY, "--num_workers", "2")
    assert same(metrics(folder), metrics(folder.with_name("version_1")))


def test_seed_changes_the_run(run, small_mnist, folder):
    run(*TINY)
    run(*TINY, "--seed", "7")
    assert not same(metrics(folder), metrics(folder.with_name("version_1")))


def test_checkpoint_holds_the_metrics_of_its_own_epoch(run, small_mnist, folder):
    run(*TINY, "--lr", "0.0003")
    states = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    kept = next(state["metrics"] for name, state in states.items() if name.startswith("BestMetrics"))
    assert {name: metrics(folder)[name] for name in kept} == kept


def test_the_last_checkpoint_is_of_the_last_epoch_also_where_that_was_not_the_best(run, small_mnist, folder):
    run(*TINY, "--optimizer", "SGD", "--lr", "1e-30")  # nothing changes, so the first epoch stays the best
    epochs = [
        torch.load(folder / "checkpoints" / name, weights_only=True)["epoch"] for name in ("best.ckpt", "last.ckpt")
    ]
    assert epochs == [0, 1]


def test_overfitting_two_batches_validates_on_the_very_batches_it_trains_on(run, small_mnist, folder):
    code, _ = run("--overfit_batches", "2", "--max_epochs", "25", "--batch_size", "32")
    figures = metrics(folder)
    assert code == 0
    assert figures["train_acc"] >= 0.99
    assert figures["val_acc"] == 1.0


def test_checkpoint_can_be_tested_and_trained_further(run, small_mnist, folder):
    run(*TINY)
    best = str(folder / "checkpoints" / "best.ckpt")
    code, _ = run(*TINY, "--load_checkpoint", best, "--test_only")
    assert code == 0
    tested = metrics(folder.with_name("version_1"))
    assert tested["test_acc"] == metrics(folder)["test_acc"]
    run(*TINY, "--load_checkpoint", best, "--max_epochs", "1")
    assert metrics(folder.with_name("version_2"))["train_loss"] < metrics(folder)["train_loss"]


def test_stopping_early(run, small_mnist, folder):
    code, text = run("--fc1", "8", "--fc2", "8", "--max_epochs", "9", "--stop_early", "1", "--lr", "1")
    assert code == 0
    assert text.count("\nepoch ") + text.startswith("epoch") < 9


def test_compiling_without_a_compiler_is_one_clear_line(run, small_mnist, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, text = run("--compile")
    assert code == 2
    assert text.startswith("error: --compile needs a C++ compiler")


def test_fast_dev_run_goes_through_everything(run, small_mnist):
    code, _ = run("--fast_dev_run", "1")
    assert code == 0


def test_tune_false_calculates_as_pytorch_does_unasked(run, small_mnist, folder):
    code, text = run(*TINY, "--tune", "false")
    assert code == 0
    assert metrics(folder)["hardware"].endswith("32-true")
    assert "channels_last" not in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpus_without_a_gpu_warns_and_trains(run, small_mnist, folder):
    code, text = run(*TINY, "--gpus", "1")
    assert code == 0
    assert "no CUDA GPU is visible" in text
    assert metrics(folder)["hardware"].startswith("CPU")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_accelerator_gpu_without_a_gpu_is_a_hard_failure(run, small_mnist):
    code, text = run(*TINY, "--accelerator", "gpu")
    assert code == 2
    assert "error:" in text


def test_the_source_is_said_wherever_it_is_not_the_real_one(run, small_pen_set, folder):
    code, text = run(*TINY)
    assert code == 0
    assert text.index("THIS IS NOT MNIST") < text.index("epoch 1")
    assert "pen strokes" in text[text.index("MLP on MNIST") :]
    assert "pen strokes" in metrics(folder)["source"]


def test_help_shows_the_flags_of_the_chosen_classes(run):
    code, text = run("--help", "--data_class", "MNIST", "--model_class", "MLP")
    assert code == 0
    assert "--fc1" in text
    assert "neurons of the first hidden layer" in text
    assert "--conv_dim" not in text
    _, text = run("--help", "--data_class", "EMNIST", "--model_class", "CNN")
    assert "--conv_dim" in text
    assert "--balance" in text
    assert "--fc1" not in text


BAD = {
    "unknown data class": (["--data_class", "EMINST"], "Did you mean 'EMNIST'"),
    "unknown model class": (["--model_class", "CCN"], "Did you mean 'CNN'"),
    "misspelt flag": (["--max_epoch", "3"], "Did you mean '--max_epochs'"),
    "flag of another model": (["--conv_dim", "3"], "--conv_dim is a flag of CNN"),
    "word without flag": (["fast"], "'fast' does not belong"),
    "missing value": (["--max_epochs"], "--max_epochs needs a value"),
    "missing class name": (["--data_class"], "--data_class needs a value"),
    "empty batches": (["--batch_size", "0"], "batch_size must be at least 1"),
    "a word for a number": (["--batch_size", "many"], "--batch_size must be a whole number, not 'many'"),
    "a fraction for a whole number": (["--max_epochs", "1.5"], "--max_epochs must be a whole number"),
    "no epochs": (["--max_epochs", "0"], "max_epochs must be at least 1"),
    "negative batches to overfit": (["--overfit_batches", "-1"], "overfit_batches"),
    "unknown precision": (["--precision", "8"], "--precision must be"),
    "unknown source": (["--source", "web"], "--source must be one of auto, download, pen"),
    "unknown optimizer": (["--optimizer", "Adan"], "Did you mean 'Adam'"),
    "unknown loss": (["--loss", "crossentropy"], "Did you mean 'cross_entropy'"),
    "negative learning rate": (["--lr", "-1"], "lr must be greater than 0"),
    "missing checkpoint": (["--load_checkpoint", "none.ckpt"], "no checkpoint"),
    "nothing to resume": (["--resume", "none"], "nothing to resume"),
    "testing nothing": (["--test_only"], "add --load_checkpoint"),
    "missing config": (["--config", "none.yaml"], "Cannot read --config none.yaml"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(run, small_mnist, name, tmp_path):
    arguments, message = BAD[name]
    code, text = run(*arguments)
    assert code == 2
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    assert message in text
    assert not list(tmp_path.glob("logs/*/version_*"))


def test_checkpoint_of_another_model_is_one_clear_line(run, small_mnist, folder):
    run(*TINY)
    code, text = run("--model_class", "CNN", "--load_checkpoint", str(folder / "checkpoints" / "best.ckpt"))
    assert code == 2
    assert "is a checkpoint of MLP, not of CNN" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("content", ["[1, 2", "just words", "no_such_flag: 3", "max_epochs: many"])
def test_bad_config_is_one_clear_line(run, small_mnist, tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    code, text = run("--config", str(path))
    assert code == 2
    assert text.startswith("error: ")
    assert text.count("\n") == 1


@pytest.mark.parametrize("damage", ["half", "html"])
def test_bad_archive_is_one_clear_line_and_stays(run, small_emnist, data_root, damage):
    archive = data_root / "downloaded" / "emnist" / "gzip.zip"
    content = archive.read_bytes()
    bad = content[: len(content) // 2] if damage == "half" else b"<!DOCTYPE html><title>Moved</title>"
    archive.write_bytes(bad)
    code, text = run("--data_class", "EMNIST", "--model_class", "CNN")
    assert code == 2
    assert text.count("\n") == 1
    assert ("cut short" if damage == "half" else "a web page") in text
    assert archive.read_bytes() == bad


def test_unwritable_data_folder_is_one_clear_line(run, small_pen_set, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path / "file" / "data"))
    code, text = run("--source", "pen")
    assert code == 2
    assert text.count("\n") == 1
    assert "Set TEXT_RECOGNIZER_DATA" in text


def test_unwritable_log_folder_is_one_clear_line(run, small_mnist, tmp_path):
    (tmp_path / "file").touch()
    code, text = run("--log_dir", str(tmp_path / "file" / "logs"))
    assert code == 2
    assert "Choose another --log_dir" in text


def test_program_runs_from_any_working_directory_without_pythonpath(small_mnist, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = project_root() / "training" / "run_experiment.py"
    command = [sys.executable, program, *TINY, "--log_dir", tmp_path / "logs", "--num_sanity_val_steps", "0"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MLP on MNIST" in done.stdout
    assert "Warning" not in done.stderr
    assert (tmp_path / "logs" / "MNIST-MLP" / "version_0" / "metrics.json").is_file()


def test_importing_the_program_changes_nothing():
    assert main.__module__ == "training.run_experiment"
    assert str(project_root() / "training") not in sys.path
