"""What is chosen for the machine: threads by affinity and quota, precision by what the processor can do."""

import os
import subprocess
import sys

import pytest
import torch

from lab_kit import limits
from lab_kit.errors import UserError
from lab_kit.experiment import hardware
from lab_kit.experiment.cli import errors_explained
from lab_kit.paths import project_root


@pytest.fixture
def quota(tmp_path, monkeypatch):
    """Return a function that limits this container's CPU, as control groups do."""
    monkeypatch.setattr(limits, "CONTAINER", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    return (tmp_path / "cpu.max").write_text


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", 16), ("200000 100000", 2), ("250000 100000", 3), ("50000 100000", 1), ("9900000 100000", 16)],
)
def test_counts_the_cores_that_the_container_may_use(quota, limit, cores):
    quota(limit)
    assert limits.usable_cores() == cores


def test_counts_the_cores_of_the_process_where_there_is_no_quota(quota):
    assert limits.usable_cores() == 16


def test_threads_share_the_cores_among_processes(quota, monkeypatch):
    chosen = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    quota("400000 100000")
    for processes in (1, 2, 16):
        hardware.tune(torch.nn.Linear(1, 1), processes)
    assert chosen == [4, 2, 1]


def test_tuned_convolutions_keep_the_channels_of_a_pixel_together():
    network = torch.nn.Conv2d(3, 8, 3)
    hardware.tune(network)
    assert network.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("capabilities", "allowed", "precision"),
    [
        ({"amx_bf16": True}, None, "bf16-mixed"),
        ({"amx_bf16": True}, "ALL", "bf16-mixed"),
        ({"amx_bf16": True}, "AVX512_CORE_VNNI", "32-true"),
        ({"amx_bf16": True}, "AVX512_CORE_BF16", "32-true"),
        ({"amx_bf16": False}, None, "32-true"),
        ({"avx512_bf16": True}, None, "bf16-mixed"),
        ({"avx512_bf16": True}, "avx512_core_bf16", "bf16-mixed"),
        ({"avx512_bf16": True, "amx_bf16": True}, "AVX512_CORE_FP16", "bf16-mixed"),
        ({"avx512_bf16": True}, "AVX512_CORE_VNNI", "32-true"),
        ({"avx512_bf16": False, "avx512_vnni": True}, None, "32-true"),
        ({}, None, "32-true"),
    ],
)
def test_bfloat16_only_where_the_cpu_is_fast_at_it(capabilities, allowed, precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if allowed:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", allowed)
    assert hardware.fast_precision("cpu") == precision


@pytest.mark.parametrize(
    ("bfloat16", "capability", "precision"),
    [
        (True, (9, 0), "bf16-mixed"),
        (False, (7, 5), "16-mixed"),
        (False, (7, 0), "16-mixed"),
        (False, (6, 1), "32-true"),
    ],
)
def test_gpus_calculate_in_what_they_multiply_fast(monkeypatch, bfloat16, capability, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    for accelerator in ("auto", "gpu", "cuda"):
        assert hardware.fast_precision(accelerator) == precision


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            "The operator 'aten::_ctc_loss' is not currently implemented for the MPS device. If you want this op ...",
            "This Mac's GPU (MPS) cannot do this",
        ),
        (
            "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.",
            "This Mac's GPU",
        ),
        ("CUDA error: no kernel image is available for execution on the device\nCUDA ...", "GPU"),
    ],
)
def test_what_a_device_cannot_do_is_one_line(message, says):
    def lacking():
        raise NotImplementedError(message)

    with pytest.raises(UserError) as caught, errors_explained():
        lacking()
    assert says in str(caught.value)
    assert "--accelerator cpu" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_macs_gpu_lacks_its_processor_does():
    """PyTorch reads the variable when it is imported, so the programs set it before."""
    code = "import os, sys, training; print(os.environ['PYTORCH_ENABLE_MPS_FALLBACK'], 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=project_root(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 False"
