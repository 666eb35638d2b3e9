"""Read the folder of a run for export, without the training code."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from torch import Tensor

import text_recognizer.data
import text_recognizer.models
from lab_kit.errors import UserError, nearest
from lab_kit.experiment.checkpoint import read_checkpoint
from lab_kit.paths import readable
from text_recognizer.data import BaseDataModule
from text_recognizer.data_config import DataConfig

BEST = Path("checkpoints", "best.ckpt")


@dataclass(frozen=True)
class ShippableRun:
    """What a run has written.

    Args:
        folder: the run's.
        data: its data module, not yet loaded.
        config: shapes and classes as the run had them.
        model_class, model_settings, data_settings: what was trained on what.
        loss: its name.
        weights: of the network, by name, on the CPU, in 32 bits.
        source: what the data was.
        kept_by_data: what the data module has put into the checkpoint.
    """

    folder: Path
    data: BaseDataModule
    config: DataConfig
    model_class: str
    model_settings: dict[str, Any]
    data_settings: dict[str, Any]
    loss: str
    weights: dict[str, Tensor]
    source: str
    kept_by_data: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "ShippableRun":
        """Read a run's folder.

        Raises:
            UserError: it is none, or has not finished an epoch, or is of classes that this project does not have.
        """
        if not (folder / BEST).is_file():
            raise UserError(
                f"{readable(folder)} is not the folder of a run that has finished an epoch: it has no "
                f"{BEST.as_posix()}. Runs are in training/logs/<data>-<model>/version_N."
            )
        content = read_checkpoint(folder / BEST)
        about = content["hyper_parameters"]
        settings = yaml.safe_load(about["settings"])
        data_class = _class(text_recognizer.data, about["data_class"])
        model_class = _class(text_recognizer.models, about["model_class"])
        data_settings, model_settings = _accepted(data_class, settings), _accepted(model_class, settings)
        if "pretrained" in model_settings:
            model_settings["pretrained"] = None  # the run's own weights are all that it needs
        data, kept = data_class(**data_settings), content.get(data_class.__name__) or {}
        return cls(
            folder=folder,
            data=data,
            config=_config(data, kept, tuple(about["mapping"])),
            model_class=model_class.__name__,
            model_settings=model_settings,
            data_settings=data_settings,
            loss=settings.get("loss", ""),
            weights={
                name.removeprefix("model."): value.float().contiguous() if value.is_floating_point() else value
                for name, value in content["state_dict"].items()
                if name.startswith("model.")
            },
            source=about["source"],
            kept_by_data=kept,
        )


def _class(package: ModuleType, name: str) -> type:
    if name not in package.__all__:
        raise UserError(
            f"The run is of {name}, which {package.__name__} does not have.{nearest(name, package.__all__)}"
        )
    return getattr(package, name)


def _accepted(function: Callable, settings: dict[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in inspect.signature(function).parameters if name in settings}


def _config(data: BaseDataModule, kept: dict[str, Any], classes: tuple[str, ...]) -> DataConfig:
    """Return shapes and classes as the run had them: those of a data set of one's own may have changed since."""
    if (preprocessing := kept.get("preprocessing")) is None:
        return replace(data.config(), mapping=classes)
    size = preprocessing["image_size"]
    return DataConfig((preprocessing["channels"], size, size), (1,), classes)
