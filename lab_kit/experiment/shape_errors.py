"""Say in one line which layer of a network cannot take what it is given."""

import re
import traceback
from pathlib import Path

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from lab_kit.errors import sentence
from lab_kit.paths import readable

ABOUT_SHAPES = re.compile(r"\b(sizes?|shapes?|channels|elements|dimensions?|[0-9]D)\b")
LIBRARIES = ("torch", "torchvision", "pytorch_lightning", "lightning_fabric", "lab_kit")


def explain(error: BaseException) -> str | None:
    """Return a sentence about layers of a network that do not fit together; None for an error of another kind.

    The frames of the traceback know it all: the innermost module is the layer, and those around it are the network.
    """
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [names["self"] for names in frames if isinstance(names.get("self"), nn.Module)]
    if type(error) not in (RuntimeError, ValueError) or not modules or not ABOUT_SHAPES.search(str(error)):
        return None
    layer = modules[-1]
    if isinstance(layer, pl.LightningModule):  # the network itself has answered
        return None
    # PyTorch calls what a module was called with `args`.
    inputs = [names["args"] for names in frames if names.get("self") is layer and names.get("args")]
    given = inputs[-1][0] if inputs and isinstance(inputs[-1][0], Tensor) else None
    name, shape = _name(layer, modules), "" if given is None else f"({', '.join(map(str, given.shape))})"
    taken, dimension, what = _takes(layer)
    if taken and given is not None and -given.dim() <= dimension < given.dim() and given.shape[dimension] != taken:
        line = f"{name} takes {taken} {what}, and is given {given.shape[dimension]}: its input has the shape {shape}."
        giver = _giver(layer, modules, given.shape[dimension])
        return f"{line} {_name(giver, modules)} gives {given.shape[dimension]}. Layers count from 0." if giver else line
    shaped = f" of shape {shape}" if shape else ""
    if _of_a_library(layer):
        return f"{name} cannot take an input{shaped}: {sentence(str(error))}"
    return f"Inside {name}, given an input{shaped}, shapes do not fit: {sentence(str(error))}"


def place(error: BaseException) -> str:
    """Return file and line of the innermost call in code that is no library's."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__", "").split(".")[0] not in LIBRARIES:
            return f"{readable(Path(frame.f_code.co_filename))}, line {line}"
    return ""


def _takes(layer: nn.Module) -> tuple[int, int, str]:
    """Return how much a layer takes, along which dimension, and of what; zero where it does not say."""
    match layer:
        case nn.Linear():
            return layer.in_features, -1, "numbers"
        case nn.RNNBase():
            return layer.input_size, -1, "numbers in each step"
        case _ConvNd():
            return layer.in_channels, -1 - len(layer.kernel_size), "channels"
        case _NormBase():
            return layer.num_features, 1, "channels"
    return 0, 0, ""


def _giver(layer: nn.Module, modules: list[nn.Module], count: int) -> nn.Module | None:
    """Return the layer whose output of `count` numbers or channels the layer is given: of those before it, in order."""
    sequence = next((module for module in reversed(modules) if module is not layer), None)
    before = list(sequence) if isinstance(sequence, nn.Sequential) else []
    before = before[: before.index(layer)] if layer in before else []
    gives = [(module, getattr(module, "out_features", getattr(module, "out_channels", None))) for module in before]
    last = next(((module, size) for module, size in reversed(gives) if size is not None), (None, None))
    return last[0] if last[1] == count else None


def _name(layer: nn.Module, modules: list[nn.Module]) -> str:
    """Return what a layer is called in the outermost network that is no library's, and its class."""
    own = [module for module in modules if not isinstance(module, pl.LightningModule)]
    network = next((module for module in own if not _of_a_library(module)), own[0])
    name = next((name for name, module in network.named_modules() if module is layer), "a layer")
    return f"{name} of {type(network).__name__} ({type(layer).__name__})" if name else type(layer).__name__


def _of_a_library(module: nn.Module) -> bool:
    return type(module).__module__.split(".")[0] in LIBRARIES
