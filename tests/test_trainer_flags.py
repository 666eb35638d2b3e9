"""The Trainer's flags: whatever Lightning would stumble over ends with one line, before the training."""

import shlex
from pathlib import Path

import pytest
from matplotlib.figure import Figure

TINY = ("--fc1", "8", "--fc2", "8", "--max_epochs", "1", "--accelerator", "cpu")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--limit_test_batches 0", "--limit_test_batches cannot be 0"),
        ("--limit_test_batches 0.0", "--limit_test_batches cannot be 0"),
        ("--limit_test_batches 0.001", "--limit_test_batches 0.001 leaves nothing of 3 test batches"),
        ("--limit_test_batches -1", "limit_test_batches"),
        ("--limit_train_batches 0", "--limit_train_batches cannot be 0"),
        ("--limit_train_batches 0.001", "a whole number of batches, or a share of at least 0.12"),
        ("--limit_val_batches 0.001", "--limit_val_batches 0.001 leaves nothing of 40 val batches"),
        ("--limit_val_batches 1.5", "limit_val_batches"),
        ("--limit_predict_batches 1", "--limit_predict_batches has no effect"),
        ("--overfit_batches 0.001", "--overfit_batches 0.001 leaves nothing of 8 train batches"),
        ("--val_check_interval 0", "--val_check_interval cannot be 0"),
        ("--val_check_interval 9", "--val_check_interval 9 is more than the 8 batches of an epoch"),
        ("--val_check_interval 3 --limit_train_batches 2", "--val_check_interval 3 is more than the 2 batches"),
        ("--val_check_interval 3 --limit_train_batches 0.25", "--val_check_interval 3 is more than the 2 batches"),
        ("--check_val_every_n_epoch 0", "check_val_every_n_epoch must be at least 1, not 0"),
        ("--check_val_every_n_epoch null --val_check_interval 0.5", "check_val_every_n_epoch=None"),
        ("--accumulate_grad_batches 0", "accumulate_grad_batches must be at least 1, not 0"),
        ("--accumulate_grad_batches -1", "accumulate_grad_batches must be at least 1, not -1"),
        ("--gradient_clip_val -1", "gradient_clip_val must be at least 0, not -1"),
        ("--log_every_n_steps -1", "log_every_n_steps must be at least 0, not -1"),
        ("--num_sanity_val_steps -2", "num_sanity_val_steps must be at least -1, not -2"),
        ("--gradient_clip_algorithm norm", "--gradient_clip_algorithm has no effect without --gradient_clip_val"),
        ("--limit_val_batches 0 --val_check_interval 2", "--val_check_interval has no effect with"),
        ("--min_epochs 3", "--min_epochs 3 is more than --max_epochs 1"),
        ("--max_steps 0 --one_cycle_max_lr 0.1", "--max_steps cannot be 0"),
        ("--max_steps -2", "max_steps"),
        ("--max_time 999999999999:00:00:00", "too large"),
        ("--accumulate_grad_batches 99999999999999999999", "--accumulate_grad_batches 99999999999999999999 is too"),
        ("--fc1 99999999999999999999", "--fc1 99999999999999999999 is too large"),
        ("--fc1 99999999999999", "There is not enough memory"),
        ("--max_time soon", "DD:HH:MM:SS"),
        ("""--max_time '{"weaks": 1}'""", "weaks"),
        ("--fast_dev_run true --find_lr", "--find_lr and --fast_dev_run exclude each other"),
        ("--test_only --load_checkpoint x --find_lr", "--find_lr and --test_only exclude each other"),
        ("--test_only --load_checkpoint x --limit_val_batches 0", "--test_only validates too"),
        ("--test_only --load_checkpoint x --limit_val_batches 0.001", "--limit_val_batches 0.001 leaves nothing"),
        ("--test_only --load_checkpoint x --limit_test_batches 0", "--limit_test_batches cannot be 0"),
        ("--find_lr --limit_train_batches 0.001", "--limit_train_batches 0.001 leaves nothing"),
        ("--strategy ddp_spawn", "--strategy must be one of auto, ddp"),
        ("--strategy ddp_fork --devices 2", "--strategy must be one of auto, ddp"),
        ("--strategy ddp_notebook", "--strategy must be one of auto, ddp"),
        ("--strategy fsdp", "--strategy must be one of auto, ddp"),
        ("--strategy DDPStrategy", "--strategy must be one of auto, ddp"),
        ("--profiler xla", "--profiler must be one of simple, advanced, pytorch, not 'xla'"),
        ("--profiler SimpleProfiler", "--profiler of Lightning's Trainer cannot be a flag"),
        ("--precision transformer-engine", "transformer_engine"),
        ("--num_nodes 2 --strategy ddp", "--num_nodes 2 needs a launcher"),
        ("--num_nodes 0", "num_nodes"),
        ("--devices 1000000", "--devices must be at most"),
        ("--num_workers 1000000", "--num_workers must be at most"),
        ("--gpus 1 --devices 2", "--gpus and --devices exclude each other"),
        ("--seed -1", "--seed must be a whole number from 0 to 4294967295, not -1"),
        ("--seed 4294967296", "--seed must be a whole number from 0 to 4294967295"),
    ],
)
def test_what_lightning_would_stumble_over_ends_with_one_line_before_the_training(
    run, small_mnist, tmp_path, monkeypatch, flags, message
):
    # Whether the weights can be loaded is no matter here.
    monkeypatch.setattr("training.run_experiment.load_weights", lambda *arguments: None)
    code, text = run(*TINY, "--batch_size", "125", *shlex.split(flags))
    assert code == 2, text
    assert "Traceback" not in text
    assert message in text.strip().splitlines()[-1]
    assert text.strip().splitlines()[-1].startswith("error: ")
    assert "epoch 1/" not in text
    assert not list(tmp_path.glob("logs/*/version_*/checkpoints"))


@pytest.mark.parametrize(
    "flags",
    [
        "--limit_test_batches 1000000000000",
        "--limit_val_batches 0 --stop_early 1",
        "--stop_early 1 --max_steps 2",
        "--stop_early 1 --check_val_every_n_epoch 2",
        "--stop_early 1 --val_check_interval 00:01:00:00",
        """--val_check_interval '{"minutes": 1}'""",
        "--check_val_every_n_epoch null --val_check_interval 1000",
        "--overfit_batches 0.5",
        "--gradient_clip_val 0",
        "--num_sanity_val_steps -1",
        "--strategy single_device",
        "--accumulate_grad_batches 1000",
    ],
)
def test_odd_flags_that_work(run, small_mnist, tmp_path, monkeypatch, flags):
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **how: Path(path).write_bytes(b"picture"))
    code, text = run(*TINY, "--batch_size", "500", "--limit_train_batches", "3", *shlex.split(flags))
    assert code == 0, text
    assert text.count("epoch 1/1") == 1
    assert list(tmp_path.glob("logs/*/version_0/metrics.json"))


def test_max_epochs_reaches_the_trainer(run, small_mnist):
    code, text = run(*TINY[:4], "--max_epochs", "3", "--limit_train_batches", "1", "--limit_val_batches", "0")
    assert code == 0
    assert text.count("\nepoch ") == 3
    assert "epoch 3/3" in text


def test_a_profile_is_in_the_runs_folder(run, small_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **how: Path(path).write_bytes(b"picture"))
    code, text = run(*TINY, "--profiler", "simple")
    assert code == 0, text
    [report] = tmp_path.glob("logs/*/version_0/fit-profile.txt")
    assert "run_training_batch" in report.read_text()


def test_an_untrained_network_is_called_so(run, small_mnist, monkeypatch):
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **how: Path(path).write_bytes(b"picture"))
    code, text = run(*TINY, "--max_time", "00:00:00:00")
    assert code == 0, text
    assert "Not a single step of training was made" in " ".join(text.split())
