"""Checkpoints are data, not code: read them so, and say what does not fit."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from text_recognizer.errors import UserError


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint; nothing in it is executed.

    `hyper_parameters` holds what it is a checkpoint of: `model_class`, `data_class`, `mapping`, `settings`, `source`.

    Raises:
        UserError: there is no such file, or it is not a checkpoint of this project.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"There is no checkpoint {path}.") from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it is not a plain-data checkpoint, and loading it could run code."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a readable checkpoint: {' '.join(str(error).split())[:200]}") from error
    about = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(about, dict) or "model_class" not in about or not isinstance(content.get("state_dict"), dict):
        raise UserError(f"{path} is not a checkpoint of this project: it does not say which model it is of.")
    return content


def load_weights(model: nn.Module, path: str | Path, model_class: str, mapping: tuple[str, ...]) -> None:
    """Put the weights of a checkpoint into a LightningModule.

    Args:
        model: the LightningModule.
        path: the checkpoint.
        model_class: name of the network's class inside `model`.
        mapping: the classes of the data.

    Raises:
        UserError: as `read_checkpoint`, or the checkpoint is of another network or of other classes.
    """
    content = read_checkpoint(path)
    about = content["hyper_parameters"]
    if about["model_class"] != model_class:
        raise UserError(f"{path} is a checkpoint of {about['model_class']}, not of {model_class}.")
    if tuple(about.get("mapping", ())) != mapping:
        raise UserError(
            f"{path} was trained on other classes ({about.get('data_class')}): "
            f"{len(about.get('mapping', ()))} of them, where {len(mapping)} are expected."
        )
    theirs = {name: tuple(value.shape) for name, value in content["state_dict"].items()}
    ours = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if different:
        name = different[0]
        raise UserError(
            f"{path} is a {model_class} of other sizes: {name} is {theirs.get(name, 'missing')} there and "
            f"{ours.get(name, 'missing')} here. Give the flags of its run's config.yaml."
        )
    model.load_state_dict(content["state_dict"])
