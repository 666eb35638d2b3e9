"""Runs are recorded by MLflow and Weights & Biases: flags, figures, pictures, weights, and where data comes from."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab_kit.experiment import tracking
from tests.programs import chromium, require

RUN = ("--model_class", "MLP", "--fc1", "16", "--fc2", "16", "--limit_train_batches", "5", "--max_epochs", "2")


@pytest.fixture
def mlflow(monkeypatch):
    require("MLflow (make research)", importlib.util.find_spec("mlflow") and "mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    import mlflow

    return mlflow


@pytest.fixture
def wandb(monkeypatch, tmp_path):
    require("Weights & Biases (make research)", importlib.util.find_spec("wandb") and "wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    import wandb

    return wandb


def recorded(mlflow, address):
    client = mlflow.MlflowClient(address)
    (experiment,) = [one for one in client.search_experiments() if one.name == "MNIST-MLP"]
    return client, client.search_runs([experiment.experiment_id])


def check_recorded(client, run, folder: Path) -> None:
    figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert run.info.status == "FINISHED"
    assert run.data.params["fc1"] == "16"
    assert run.data.params["data_class"] == "MNIST"
    for name in ("val_acc", "test_acc", "val_loss", "seconds"):
        assert run.data.metrics[f"final/{name}"] == pytest.approx(figures[name])
    assert run.data.tags["source"] == figures["source"]
    assert {"predictions.png", "confusion.png", "config.yaml", "metrics.json", "checkpoints"} <= {
        file.path for file in client.list_artifacts(run.info.run_id)
    }
    (best,) = client.list_artifacts(run.info.run_id, "checkpoints")
    assert best.file_size == (folder / "checkpoints" / "best.ckpt").stat().st_size


def test_mlflow_needs_no_server_and_a_resumed_run_goes_on_under_its_number(run, small_mnist, tmp_path, mlflow):
    code, said = run(*RUN, "--logger", "mlflow")
    assert code == 0, said
    (folder,) = (tmp_path / "logs" / "MNIST-MLP").iterdir()
    address = f"sqlite:///{tmp_path / 'logs' / 'mlflow.db'}"
    client, (first,) = recorded(mlflow, address)
    check_recorded(client, first, folder)
    assert len(client.get_metric_history(first.info.run_id, "val_acc")) == 2
    code, said = run("--resume", str(folder), "--max_epochs", "3")
    assert code == 0, said
    client, (only,) = recorded(mlflow, address)
    assert only.info.run_id == first.info.run_id
    assert [one.step for one in client.get_metric_history(only.info.run_id, "val_acc")] == [4, 9, 14]
    check_recorded(client, only, folder)


@pytest.fixture
def server(mlflow, tmp_path):
    """A real MLflow server; yields its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        str(tmp_path / "art"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait(30)


def test_a_database_that_does_not_answer_is_one_line_at_once(run, small_mnist, mlflow, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://student:secret@127.0.0.1:9/runs")
    start = time.monotonic()
    code, said = run(*RUN, "--logger", "mlflow")
    assert code == 2
    assert "MLflow cannot record this run (MLFLOW_TRACKING_URI is postgresql://127.0.0.1:9/runs): " in said
    assert "secret" not in said
    assert time.monotonic() - start < 60  # of its own accord, it would try for an hour


def test_a_real_server_shows_the_run_and_its_absence_ends_no_training(
    run, small_mnist, tmp_path, mlflow, server, monkeypatch
):
    address, process = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    code, said = run(*RUN, "--logger", "mlflow")
    assert code == 0, said
    (folder,) = (tmp_path / "logs" / "MNIST-MLP").iterdir()
    client, (only,) = recorded(mlflow, address)
    check_recorded(client, only, folder)
    figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}/#/experiments/{only.info.experiment_id}/runs/{only.info.run_id}")
        page.get_by_text("final/test_acc").first.wait_for(timeout=60_000)
        if where := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=str(Path(where) / "mlflow.png"))
        assert f"{figures['test_acc']:.3f}"[:4] in page.content()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    started = tracking.Recording.on_fit_start

    def then_kill(self, trainer, module):
        started(self, trainer, module)
        os.killpg(process.pid, 9)
        process.wait(30)

    with monkeypatch.context() as patched:
        patched.setattr(tracking.Recording, "on_fit_start", then_kill)
        code, said = run(*RUN, "--logger", "mlflow")
    assert code == 0, said  # nothing is lost but the record
    assert said.count("MLflow does not answer") == 1
    assert (folder.with_name("version_1") / "metrics.json").is_file()
    code, said = run(*RUN, "--logger", "mlflow")
    assert code == 2
    assert len([line for line in said.splitlines() if line.startswith("error: MLflow cannot record this run")]) == 1


def test_weights_and_biases_records_offline(run, small_mnist, tmp_path, wandb):
    code, said = run(*RUN, "--logger", "wandb")
    assert code == 0, said
    (folder,) = (tmp_path / "logs" / "MNIST-MLP").iterdir()
    number = json.loads((folder / tracking.NOTE).read_text(encoding="utf-8"))["run"]
    (offline,) = (tmp_path / "logs" / "wandb").glob("offline-run-*")
    assert offline.name.endswith(number)
    words = (b"final/test_acc", b"fc1", b"small mnist", b"predictions")
    for _ in range(300):  # a process of its own writes the file
        content = next(offline.glob("*.wandb")).read_bytes()
        if all(word in content for word in words):
            break
        time.sleep(0.1)
    assert [word for word in words if word not in content] == []
    code, said = run("--resume", str(folder), "--max_epochs", "3")
    assert code == 0, said
    assert {path.name[-len(number) :] for path in (tmp_path / "logs" / "wandb").glob("offline-run-*")} == {number}


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_what_is_not_installed_is_said(run, small_mnist, monkeypatch, name):
    def missing(*arguments, **settings):
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(tracking, f"_{name}", missing)
    code, said = run(*RUN, "--logger", name)
    assert code == 2
    assert said.strip().splitlines()[-1] == (
        f"error: --logger {name} needs a package that is not installed: pip install {name}"
    )


def test_a_misspelt_logger_is_said(run, small_mnist):
    code, said = run(*RUN, "--logger", "mlfow")
    assert code == 2
    assert "Did you mean 'mlflow'?" in said
