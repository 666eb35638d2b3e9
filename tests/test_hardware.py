"""What is chosen for the machine: threads by affinity and quota, precision by what the processor can do."""

import os

import pytest
import torch

from lab_kit.experiment import hardware


@pytest.fixture
def quota(tmp_path, monkeypatch):
    """Return a function that limits this container's CPU, as control groups do."""
    monkeypatch.setattr(hardware, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    return (tmp_path / "cpu.max").write_text


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", 16), ("200000 100000", 2), ("250000 100000", 3), ("50000 100000", 1), ("9900000 100000", 16)],
)
def test_counts_the_cores_that_the_container_may_use(quota, limit, cores):
    quota(limit)
    assert hardware.usable_cores() == cores


def test_counts_the_cores_of_the_process_where_there_is_no_quota(quota):
    assert hardware.usable_cores() == 16


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
