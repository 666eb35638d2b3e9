"""The programs that can run a shipped network: ONNX Runtime in 32 or 8 bits, and PyTorch."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from lab_kit.errors import UserError
from lab_kit.paths import readable
from text_recognizer.shipping.model_card import INT8, ONNX, WEIGHTS, ModelCard, check_file

Backend = Literal["onnx", "int8", "torch"]
Network = Callable[[np.ndarray], np.ndarray]  # (N, C, H, W) uint8 -> logits; from several threads at once, too
FILES: dict[str, str] = {"onnx": ONNX, "int8": INT8, "torch": WEIGHTS}


def open_network(folder: Path, card: ModelCard, backend: Backend, threads: int) -> Network:
    """Return the network in a shipped folder.

    Args:
        folder: of the shipped model.
        card: its card.
        backend: what runs it.
        threads: how many share the work for one batch.

    Raises:
        UserError: its file is missing, damaged or from another export; or the model runs with PyTorch only.
    """
    if backend != "torch" and ONNX not in card.files:
        raise UserError(f"{card.model_class} writes step by step, and runs with PyTorch only: choose --backend torch.")
    path = check_file(folder, FILES[backend], card)
    return _torch(path, card, threads) if backend == "torch" else _onnx(path, threads)


def _onnx(path: Path, threads: int) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    for kind in (np.float32, np.float64):
        np.finfo(kind)  # NumPy before 2.4 looks once, and would warn if these numbers were zero by then
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # Threads that wait in a busy loop take the processor from threads that have work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common base
        raise UserError(f"ONNX Runtime cannot read {readable(path)}: {' '.join(str(error).split())[:200]}") from error
    name = session.get_inputs()[0].name
    return lambda pictures: session.run(None, {name: pictures})[0]


def _torch(path: Path, card: ModelCard, threads: int) -> Network:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from text_recognizer.shipping import shipped_network

    try:
        model = shipped_network.load(card, load_file(path))
    except (SafetensorError, OSError) as error:
        raise UserError(f"{readable(path)} cannot be read: {error}") from error
    torch.set_num_threads(threads)

    def run(pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(pictures)).numpy()

    return run
