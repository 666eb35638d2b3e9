"""Train a model on a dataset, test it, and write everything worth knowing about the run into a folder.

    python training/run_experiment.py --data_class MNIST --model_class MLP --gpus 1

`--help` lists the flags of the chosen data and model. It runs from any working directory.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that `import training` finds this lab's code
import training  # this import stops with one clear line if something is not installed

import pytorch_lightning as pl

import text_recognizer.data
import text_recognizer.lit_models
import text_recognizer.models
from lab_kit.checks import check_at_least
from lab_kit.errors import UserError
from lab_kit.experiment import cli, console, distributed, hardware, resume, run_folder
from lab_kit.experiment.checkpoint import load_weights
from lab_kit.experiment.interrupts import graceful_exit
from lab_kit.experiment.record import RunRecord, run_facts
from lab_kit.experiment.registry import Packages
from lab_kit.experiment.step_profile import profile_steps
from lab_kit.experiment.tracking import record_results
from lab_kit.experiment.trainer import make_trainer
from text_recognizer.data import DataConfig

PACKAGES = Packages(text_recognizer.data, text_recognizer.models, text_recognizer.lit_models)
LOG_DIR = Path(training.__file__).parent / "logs"

log = logging.getLogger("training")


@dataclass
class Run:
    """The run: what to train on what, and how far to go.

    Args:
        data_class: the dataset.
        model_class: the network.
        gpus: how many GPUs to train on; without a GPU, training goes on with the CPU after a warning.
        max_epochs: how often to go through the training set.
        stop_early: stop when the validation loss has not improved for this many epochs.
        load_checkpoint: start from the weights in this file.
        test_only: only test the weights given with --load_checkpoint.
        resume: go on with an interrupted run: its folder, or a checkpoint in it.
        find_lr: try larger and larger learning rates, suggest one, and end.
        profile: train some steps, say where their time goes, and end.
        tune: choose precision, memory format and threads for this machine; false for float32 as PyTorch does it.
        compile: compile the model with torch.compile before training: minutes at first, then perhaps faster.
        log_dir: where the folders of runs go; training/logs if not given.
        logger: what records the run beside its folder: tensorboard, mlflow or wandb.
    """

    data_class: str = "MNIST"
    model_class: str = "MLP"
    gpus: int | None = None
    max_epochs: int = 5
    stop_early: int | None = None
    load_checkpoint: str | None = None
    test_only: bool = False
    resume: str | None = None
    find_lr: bool = False
    profile: bool = False
    logger: str = "tensorboard"
    tune: bool = True
    compile: bool = False
    log_dir: str | None = None

    def __post_init__(self) -> None:
        check_at_least(1, max_epochs=self.max_epochs, stop_early=self.stop_early)
        if self.test_only and not self.load_checkpoint:
            raise UserError("--test_only needs the weights to test: add --load_checkpoint FILE.")


@graceful_exit
def main(arguments: Sequence[str]) -> None:
    """Run one experiment, as the command line says."""
    console.set_up()
    config = cli.parse(resume.with_config_of_resumed_run(arguments), Run, PACKAGES)
    run = Run(**config.kwargs_for(Run))
    pl.seed_everything(config.settings.seed, workers=True, verbose=False)

    data = config.data_class(**config.kwargs_for(config.data_class))
    model = make_model(config, run, data.config())
    distributed.seed_per_rank(config.settings.seed)
    last_checkpoint = resume.checked_checkpoint(run.resume, model, config)  # None for a new run

    with run_folder.opened(run, LOG_DIR) as folder:  # which this run writes to
        record = RunRecord()
        trainer = make_trainer(config, run, folder, record.callbacks)
        data.prepare_data()  # once on every machine: download the files, or find them on disk
        data.setup()  # in every process: load and split them
        log.info("%s", data)
        if run.find_lr:
            from training.find_lr import suggest_lr

            suggest_lr(trainer, model, data, folder.path / "find_lr.png")
            return
        if run.profile:
            profile_steps(trainer, model, data, folder.path)
            return

        facts = run_facts(trainer, model, data, run.tune)
        if run.test_only:
            metrics = trainer.validate(model, datamodule=data, verbose=False)[0]
        else:
            folder.write_config(config.yaml)
            log.info(
                "Training %s (%s parameters) on %s", run.model_class, f"{facts['parameters']:,}", facts["hardware"]
            )
            trainer.fit(model, datamodule=data, ckpt_path=last_checkpoint, weights_only=True)
            metrics = record.load_best_weights(trainer, model)
        metrics |= trainer.test(model, datamodule=data, verbose=False)[0]
        if trainer.is_global_zero:
            title = f"{run.model_class} on {run.data_class}"
            folder.write_report(metrics | facts, record.predictions, data, title)
            record_results(trainer, metrics | facts, folder.path)


def make_model(config: cli.Config, run: Run, data_config: DataConfig) -> pl.LightningModule:
    """Return the chosen network, with its loss and optimizer around it."""
    network = config.model_class(data_config, **resume.settings_of_network(config, resumed=bool(run.resume)))
    model = config.lit_class(network, data_config, **config.kwargs_for(config.lit_class))
    if run.load_checkpoint and not run.resume:
        load_weights(model, run.load_checkpoint, run.model_class, data_config.mapping)
    hardware.prepare(network, config.settings, run.tune, run.compile)
    return model


if __name__ == "__main__":
    cli.run_program(main)
