"""A trained model, as its run's folder has it, with the data that it was trained on."""

from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl

from text_recognizer.data import BaseDataModule
from text_recognizer.errors import UserError
from text_recognizer.lit_models.checkpoint import load_weights
from text_recognizer.paths import readable
from training import cli
from training.resume import CONFIG
from training.run_experiment import Run

BEST = Path("checkpoints", "best.ckpt")


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Args:
        model: with the weights of the run's best epoch, ready to answer.
        data: the data of the run, loaded.
        choice: the run's classes and flags.
        folder: the run's folder.
    """

    model: pl.LightningModule
    data: BaseDataModule
    choice: cli.Choice
    folder: Path


def load(run: str | Path) -> Trained:
    """Return what a run has left.

    Args:
        run: its folder.

    Raises:
        UserError: it is not the folder of a run that has finished an epoch, or its data has gone.
    """
    folder = Path(run)
    for name in (CONFIG, BEST):
        if not (folder / name).is_file():
            raise UserError(f"{readable(folder)} is not the folder of a run: it has no {name}.")
    choice = cli.parse(["--config", str(folder / CONFIG)], Run)
    data = choice.data_class(**choice.arguments(choice.data_class))
    data.prepare_data()
    data.setup()
    # The run's checkpoint has all weights: those that its body began with may have gone meanwhile.
    settings = choice.arguments(choice.model_class) | ({"pretrained": None} if "pretrained" in choice.settings else {})
    model = choice.lit_class(choice.model_class(data.config(), **settings), data.config())
    load_weights(model, folder / BEST, choice.model_class.__name__, data.config().mapping)
    return Trained(model.eval(), data, choice, folder)
