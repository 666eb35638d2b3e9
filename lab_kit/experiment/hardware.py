"""Choose device, precision, memory format and number of threads."""

import ctypes
import logging
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from lab_kit.errors import UserError
from lab_kit.experiment import distributed
from lab_kit.limits import usable_cores

log = logging.getLogger(__name__)

# Of glibc's mallopt: its names for two settings, and their values in bytes
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT, LARGEST_KEPT = 1 << 30, 32 << 20  # the second is the most that glibc takes

MATRIX_UNITS = (7, 0)  # the compute capability from which on NVIDIA's GPUs have some: Volta, Turing


def trainer_devices(gpus: int | None, accelerator: str, devices: str | int | list[int]) -> dict[str, object]:
    """Return the Trainer's `accelerator` and `devices` for `--gpus N`, which Lightning 2 no longer has.

    Without a CUDA device the run goes on with what there is, after a warning; someone who would rather stop passes
    `--accelerator gpu`, which comes back unchanged here.
    """
    if gpus is None:
        return {"accelerator": accelerator, "devices": devices}
    if gpus == 0:
        return {"accelerator": "cpu", "devices": 1}
    if torch.cuda.is_available():
        return {"accelerator": "gpu", "devices": gpus}
    log.warning(
        "--gpus %d was asked for, but no CUDA GPU is visible. Training on what there is: slower, not worse.", gpus
    )
    return {"accelerator": "auto", "devices": 1}


def fast_precision(accelerator: str) -> str:
    """Return the fastest precision that trains as well as float32 here.

    bfloat16 where the hardware multiplies it: a CPU with AMX (measured at 2 to 2.5 times float32's speed for
    convolutions) or with AVX-512's bfloat16 (1.3 to 2 times; nothing gained or lost for a small MLP), a GPU that has
    it. On other CPUs it is emulated, and slower. Older GPUs with matrix units, such as Colab's T4, multiply float16,
    whose gradients are scaled so that small ones do not become zero (Micikevicius and others, arXiv:1710.03740).
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16-mixed"
        return "16-mixed" if torch.cuda.get_device_capability() >= MATRIX_UNITS else "32-true"
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.backends.mps.is_available())
    return "bf16-mixed" if on_cpu and _multiplies_bfloat16() else "32-true"


def _multiplies_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16, and oneDNN has not been told to leave that alone."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    newer = any(name in allowed for name in ("ALL", "DEFAULT", "AMX", "AVX10"))
    return (newer and capabilities.get("amx_bf16", False)) or (
        (newer or "BF16" in allowed or "FP16" in allowed) and capabilities.get("avx512_bf16", False)
    )


def prepare(network: nn.Module, settings: Any, tuned: bool, compiled: bool) -> None:
    """Make a network ready to be trained fast on this machine.

    Args:
        network: what will be trained.
        settings: has the Trainer's `accelerator` and `devices`.
        tuned: choose memory format and threads for this machine.
        compiled: compile the network with torch.compile.

    Raises:
        UserError: it cannot be compiled here.
    """
    torch.set_flush_denormal(True)  # numbers too small to matter would slow recurrent networks tenfold
    if tuned:
        keep_freed_memory()
        tune(network, distributed.processes_on_this_machine(settings.accelerator, settings.devices))
    if compiled:
        check_compiler()
        network.compile()


def tune(network: nn.Module, processes: int = 1) -> None:
    """Choose the memory format and the number of threads that are fastest here.

    Convolutions on CPUs, and on GPUs in half precision, are fastest with the channels of a pixel side by side
    (`channels_last`). PyTorch starts a thread for each core that it sees; in a container it sees those of the whole
    machine, and threads without a core of their own slow the others down.

    Args:
        network: what will be trained.
        processes: how many train together on this machine.
    """
    network.to(memory_format=torch.channels_last)
    torch.set_num_threads(max(1, min(torch.get_num_threads(), usable_cores()) // processes))


def keep_freed_memory() -> None:
    """Let Linux's C library keep the memory of tensors that are gone, for the next ones.

    Usually it gives large pieces back to the system at once, and gets new ones, page by page, for the next layer. In a
    step of LineCNN that was a fifth of the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def check_compiler() -> None:
    """Raise UserError where `torch.compile` could not work: on a CPU it needs a C++ compiler."""
    compilers = (os.environ.get("CXX", "g++"), "g++", "clang++", "cl")
    if not torch.cuda.is_available() and not any(map(shutil.which, compilers)):
        raise UserError("--compile needs a C++ compiler, and there is none here. Install g++, or leave --compile out.")


def describe(trainer: pl.Trainer, tuned: bool) -> str:
    """Return where and how the trainer calculates, such as `CPU (2 threads), bf16-mixed, channels_last`."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        place = f"{trainer.world_size} x {torch.cuda.get_device_name(device)}"
    else:
        times = f"{trainer.world_size} x " if trainer.world_size > 1 else ""
        place = f"{times}{device.type.upper()} ({torch.get_num_threads()} threads)"
    return f"{place}, {trainer.precision}{', channels_last' if tuned else ''}"


def processor_name() -> str:
    """Return what the processor calls itself, for the side of a figure."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
