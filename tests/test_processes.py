"""Several processes that train together: each sample once, metrics of the whole set, one run folder."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed as torch_distributed

from lab_kit.datasets.batch_index_sampler import BatchIndexSampler
from lab_kit.errors import UserError
from lab_kit.experiment import distributed
from lab_kit.paths import project_root

PROGRAM = project_root() / "training" / "run_experiment.py"
TINY = ("--max_epochs", "1", "--fc1", "32", "--fc2", "16", "--accelerator", "cpu")
TOGETHER = ("--strategy", "ddp", "--batch_size", "64")  # in each of two: 128 together, which is the default of one


@given(
    length=st.integers(1, 300),
    batch_size=st.integers(1, 40),
    together=st.integers(1, 5),
    shuffle=st.booleans(),
    endless=st.booleans(),
)
def test_every_sample_is_in_one_batch_of_one_process(length, batch_size, together, shuffle, endless):
    if length < together:
        with pytest.raises(UserError, match="cannot share"):
            BatchIndexSampler(length, batch_size, shuffle, 0, endless, rank=0, processes=together)
        return
    samplers = [
        BatchIndexSampler(length, batch_size, shuffle, 0, endless, rank=rank, processes=together)
        for rank in range(together)
    ]
    batches = [list(sampler) for sampler in samplers]
    assert {len(of_one) for of_one in batches} == {len(samplers[0])}
    assert all(len(batch) for of_one in batches for batch in of_one)
    assert sorted(np.concatenate([batch for of_one in batches for batch in of_one])) == list(range(length))
    taking_turns = np.concatenate([batch for turn in zip(*batches, strict=True) for batch in turn])
    assert shuffle or list(taking_turns) == list(range(length))
    if length >= together * batch_size:
        assert max(len(batch) for of_one in batches for batch in of_one) <= max(batch_size, 2)


def test_what_the_processes_read_comes_back_in_order(monkeypatch):
    assert distributed.gather_in_order([1, 2]) == [1, 2]
    theirs = [["a", "c"], ["b", "d"]]
    monkeypatch.setattr(torch_distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch_distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(
        torch_distributed, "all_gather_object", lambda into, mine: into.__setitem__(slice(None), theirs)
    )
    assert distributed.gather_in_order(["a", "c"]) == ["a", "b", "c", "d"]


def start(*arguments: str, launcher: tuple[str, ...] = (), **environment: str) -> subprocess.Popen:
    command = [sys.executable, *launcher, str(PROGRAM), *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment
    )


def metrics(log_dir: Path, version: int = 0) -> dict:
    return json.loads((log_dir / "MNIST-MLP" / f"version_{version}" / "metrics.json").read_text())


def test_two_processes_train_and_test_as_one_does(small_mnist, tmp_path, run):
    """The network that two trained is tested by both together and by one alone: the figures must be the same."""
    two = start(*TINY, *TOGETHER, "--devices", "2", "--log_dir", str(tmp_path))
    text, _ = two.communicate(timeout=300)
    assert two.returncode == 0, text
    assert text.count("Training MLP") == 1  # one process speaks for all
    assert "2 x CPU (1 threads)" in text
    assert "Traceback" not in text
    assert [path.name for path in (tmp_path / "MNIST-MLP").iterdir()] == ["version_0"]
    best = tmp_path / "MNIST-MLP" / "version_0" / "checkpoints" / "best.ckpt"
    code, text = run(*TINY, "--test_only", "--load_checkpoint", str(best), "--log_dir", str(tmp_path))
    assert code == 0, text
    together, alone = metrics(tmp_path), metrics(tmp_path, 1)
    for name in ("val_loss", "val_acc", "test_loss", "test_acc"):
        assert together[name] == pytest.approx(alone[name], rel=1e-5)
    assert together["test_acc"] > 0.2


@pytest.mark.slow
def test_two_machines_train_together_under_torchrun(small_mnist, tmp_path):
    """Each node is a launcher of its own with a folder of its own; they meet on the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = []
    for node in range(2):
        meet = ("--nnodes=2", f"--node_rank={node}", "--nproc_per_node=1", "--master_addr=127.0.0.1")
        launcher = ("-m", "torch.distributed.run", *meet, f"--master_port={port}")
        where = ("--num_nodes", "2", "--devices", "1", "--log_dir", str(tmp_path / f"node{node}"))
        nodes.append(start(*TINY, *TOGETHER, *where, launcher=launcher, OMP_NUM_THREADS="1"))
    texts = [node.communicate(timeout=300)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(texts)
    assert metrics(tmp_path / "node0")["test_acc"] > 0.2
    assert "Training MLP" in texts[0]
    assert "Training MLP" not in texts[1]
    assert not (tmp_path / "node1").exists()


@pytest.mark.slow
def test_when_one_machine_is_killed_the_other_says_so_and_the_run_goes_on_from_its_last_epoch(small_mnist, tmp_path):
    log_dir = tmp_path / "logs"
    flags = (*TINY[2:], *TOGETHER, "--num_nodes", "2", "--devices", "1", "--log_dir", str(log_dir))
    nodes = start_two(*flags, "--max_epochs", "300")
    last = log_dir / "MNIST-MLP" / "version_0" / "checkpoints" / "last.ckpt"
    for _ in range(1200):
        if last.is_file():
            break
        time.sleep(0.1)
    whole = psutil.Process(nodes[1].pid)
    for process in [*whole.children(recursive=True), whole]:
        process.kill()
    nodes[1].wait(60)
    text, _ = nodes[0].communicate(timeout=120)
    assert nodes[0].returncode != 0
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: Another process of this run has ended")
    assert f"--resume {last.parent.parent}" in line
    before = len((last.parent.parent / "metrics.csv").read_text(encoding="utf-8").splitlines()) - 1
    again = start_two("--resume", str(last.parent.parent), "--max_epochs", str(before + 2))
    texts = [node.communicate(timeout=300)[0] for node in again]
    assert [node.returncode for node in again] == [0, 0], "\n".join(texts)
    rows = (last.parent.parent / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [str(epoch) for epoch in range(before + 2)]


def start_two(*flags: str) -> list[subprocess.Popen]:
    """Start a run on two nodes: launchers of their own, which meet on the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = []
    for node in range(2):
        meet = ("--nnodes=2", f"--node_rank={node}", "--nproc_per_node=1", "--master_addr=127.0.0.1")
        launcher = ("-m", "torch.distributed.run", *meet, f"--master_port={port}")
        nodes.append(start(*flags, launcher=launcher, OMP_NUM_THREADS="1"))
    return nodes
