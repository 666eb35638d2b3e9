"""Load a trained model from the folder of its run, with the data that it was trained on."""

from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl

from lab_kit.errors import UserError
from lab_kit.experiment import cli
from lab_kit.experiment.checkpoint import load_weights
from lab_kit.experiment.resume import BEST, CONFIG, settings_of_network
from lab_kit.paths import readable
from text_recognizer.data import BaseDataModule
from training.run_experiment import PACKAGES, Run


@dataclass(frozen=True)
class LoadedRun:
    """A trained model.

    Args:
        model: with the weights of the run's best epoch, ready to answer.
        data: the data of the run, loaded.
        config: the run's classes and flags.
        folder: the run's folder.
    """

    model: pl.LightningModule
    data: BaseDataModule
    config: cli.Config
    folder: Path


def load(run: str | Path) -> LoadedRun:
    """Load what a run has written.

    Args:
        run: its folder.

    Raises:
        UserError: it is not the folder of a run that has finished an epoch, or its data is missing.
    """
    folder = Path(run)
    for name in (CONFIG, BEST):
        if not (folder / name).is_file():
            raise UserError(f"{readable(folder)} is not the folder of a run: it has no {name}.")
    config = cli.parse(["--config", str(folder / CONFIG)], Run, PACKAGES)
    data = config.data_class(**config.kwargs_for(config.data_class))
    data.prepare_data()
    data.setup()
    network = config.model_class(data.config(), **settings_of_network(config, resumed=True))
    model = config.lit_class(network, data.config())
    load_weights(model, folder / BEST, config.model_class.__name__, data.config().mapping)
    return LoadedRun(model.eval(), data, config, folder)
