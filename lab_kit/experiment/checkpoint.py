"""Read checkpoints as plain data, and check that they fit the model."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lab_kit.errors import UserError
from lab_kit.version import IN_CHECKPOINTS

FORMAT = 1  # of what a checkpoint says of itself: raise it when older programs would misread it


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint; nothing in it is executed, and it takes no more memory than its file's size.

    `hyper_parameters` holds what it is a checkpoint of: `format`, `model_class`, `data_class`, `mapping`, `settings`,
    `source`. `state_dict` holds the weights.

    Raises:
        UserError: there is no such file, or it is not a checkpoint of this project.
    """
    path = Path(path)
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it is not a plain-data checkpoint, and loading it could run code."
        ) from error
    except Exception as error:  # whatever a stranger's file makes the reader stumble over
        raise UserError(f"{path} is not a readable checkpoint: {' '.join(str(error).split())[:200]}") from error
    about = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(about, dict) or not isinstance(about.get("model_class"), str):
        raise UserError(f"{path} is not a checkpoint of this project: it does not say which model it is of.")
    if about.get("format", FORMAT) != FORMAT:
        raise UserError(
            f"{path} is a checkpoint of format {about['format']}; this program reads format {FORMAT}. "
            f"Use the version of the course that wrote it: {content.get(IN_CHECKPOINTS, 'it does not say which')}."
        )
    weights = content.get("state_dict")
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError(f"{path} is not a checkpoint of this project: it holds no weights.")
    return content


def _check_archive(path: Path) -> None:
    """Raise UserError unless the file is a zip archive as `torch.save` writes it, undamaged."""
    if path.is_dir():
        raise UserError(f"{path} is a folder. A run's checkpoints are in it as checkpoints/best.ckpt and last.ckpt.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            # torch.save never compresses; a file that unfolds into more than it holds is a trap.
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
            if not stored or sum(member.file_size for member in members) > path.stat().st_size:
                raise UserError(f"{path} is refused: it claims to hold more than its size. torch.save writes no such.")
            if damaged := archive.testzip():
                raise UserError(f"{path} is not a readable checkpoint: the checksum of {damaged} is wrong.")
    except FileNotFoundError:
        raise UserError(f"There is no checkpoint {path}.") from None
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path} is refused: it is not a readable checkpoint, which is a zip archive as torch.save writes it."
        ) from error
    except (OSError, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not a readable checkpoint: {error}") from error


def load_weights(model: nn.Module, path: str | Path, model_class: str, mapping: tuple[str, ...]) -> None:
    """Put the weights of a checkpoint into a LightningModule.

    Args:
        model: the LightningModule.
        path: the checkpoint.
        model_class: name of the network's class inside `model`.
        mapping: the classes of the data.

    Raises:
        UserError: as `read_checkpoint` and `check_weights`.
    """
    content = read_checkpoint(path)
    check_weights(content, path, model, model_class, mapping)
    model.load_state_dict(content["state_dict"])


def check_weights(
    content: dict[str, Any], path: str | Path, model: nn.Module, model_class: str, mapping: tuple[str, ...]
) -> None:
    """Make sure that the content of checkpoint `path` fits; the other arguments are those of `load_weights`.

    Raises:
        UserError: it is of another network or of other classes; the message says what differs.
    """
    about = content["hyper_parameters"]
    if about["model_class"] != model_class:
        raise UserError(f"{path} is a checkpoint of {about['model_class']}, not of {model_class}.")
    if different := _difference(about.get("mapping"), mapping):
        raise UserError(f"{path} was trained on other classes ({about.get('data_class')}): {different}.")
    theirs = {name: _described(value) for name, value in content["state_dict"].items()}
    ours = {name: _described(value) for name, value in model.state_dict().items()}
    different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if different:
        name = different[0]
        raise UserError(
            f"{path} is a {model_class} of other sizes: {name} is {theirs.get(name, 'missing')} there and "
            f"{ours.get(name, 'missing')} here. Give the flags of its run's config.yaml."
        )


def _difference(theirs: object, ours: tuple[str, ...]) -> str | None:
    if not isinstance(theirs, list):
        return "it does not say which"
    if len(theirs) != len(ours):
        return f"{len(theirs)} of them, where {len(ours)} are expected"
    pairs = enumerate(zip(theirs, ours, strict=True))
    return next(
        (f"class {k} is {there!r} there and {here!r} here" for k, (there, here) in pairs if there != here), None
    )


def _described(value: Tensor) -> str:
    """Return the shape, and, of what is not plain floating-point numbers, the kind."""
    plain = value.layout == torch.strided and value.is_floating_point() and not value.is_meta
    return (
        f"{tuple(value.shape)}" if plain else f"{tuple(value.shape)} {value.dtype} {value.layout} {value.device.type}"
    )
