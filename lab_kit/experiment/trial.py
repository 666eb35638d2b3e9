"""Train a little, only to see what happens, and leave no trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.seed import isolate_rng
from tqdm import tqdm

from lab_kit.experiment.free_cores import FreeCores
from lab_kit.experiment.trainer_flags import EnoughBatches


def trial_fit(
    trainer: pl.Trainer,
    model: pl.LightningModule,
    data: pl.LightningDataModule,
    callbacks: Sequence[pl.Callback],
    steps: int,
) -> None:
    """Train for some steps, watched by these callbacks, and put everything back.

    The training set is gone through as often as that takes. Nothing is validated, logged or written to disk.
    Afterwards, even if it ends with an exception, model, trainer and random states are what they were.
    """
    loop = trainer.fit_loop
    watching = [EnoughBatches(), *(one for one in trainer.callbacks if isinstance(one, FreeCores)), *callbacks]
    weights, progress = deepcopy(model.state_dict()), deepcopy(loop.state_dict())
    with (
        isolate_rng(),
        _replaced(trainer, callbacks=[*watching, _Bar(steps)], loggers=[], limit_val_batches=0),
        _replaced(loop, max_epochs=trainer.current_epoch + steps),
        _replaced(loop.epoch_loop, max_steps=trainer.global_step + steps),
    ):
        try:
            trainer.fit(model, datamodule=data)
        finally:
            model.load_state_dict(weights)
            loop.load_state_dict(progress)
            loop.restarting = loop.epoch_loop.restarting = False  # loading says that a run goes on
            trainer.optimizers = []


class _Bar(pl.Callback):
    """How many steps are done: Lightning's own bar would count the batches of an epoch that is never finished."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.first = trainer.global_step
        self.bar = tqdm(total=self.steps, unit="step", disable=None)  # None: only in a terminal

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.bar.update(trainer.global_step - self.first - self.bar.n)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.bar.close()


@contextmanager
def _replaced(owner: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
