"""Which device, and how fast to calculate on it."""

import logging
import os
import shutil

import pytorch_lightning as pl
import torch

from text_recognizer.errors import UserError

log = logging.getLogger(__name__)


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

    bfloat16 where the hardware multiplies matrices of it: a CPU with AMX (measured at 2 to 2.5 times float32's
    speed), a GPU that has it. On other CPUs it is emulated, and slower.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    has_amx = torch.cpu.get_capabilities().get("amx_bf16", False) if hasattr(torch.cpu, "get_capabilities") else False
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.backends.mps.is_available())
    return "bf16-mixed" if on_cpu and has_amx else "32-true"


def check_compiler() -> None:
    """Raise UserError where `torch.compile` could not work: on a CPU it needs a C++ compiler."""
    compilers = (os.environ.get("CXX", "g++"), "g++", "clang++", "cl")
    if not torch.cuda.is_available() and not any(map(shutil.which, compilers)):
        raise UserError("--compile needs a C++ compiler, and there is none here. Install g++, or leave --compile out.")


def in_words(trainer: pl.Trainer) -> str:
    """Return where and how the trainer calculates, such as `CPU (2 threads), bf16-mixed`."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        place = f"{trainer.num_devices} x {torch.cuda.get_device_name(device)}"
    else:
        place = f"{device.type.upper()} ({torch.get_num_threads()} threads)"
    return f"{place}, {trainer.precision}"
