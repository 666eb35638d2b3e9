"""Train a model on a dataset, test it, and leave a folder with everything worth knowing about the run.

    python training/run_experiment.py --data_class MNIST --model_class MLP --gpus 1

`--help` lists the flags of the chosen data and model. It runs from any working directory.
"""

import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if not __package__:
    # Run as a program: the code beside this file comes first, in a lab that lab's own. It needs no PYTHONPATH.
    sys.path[0] = str(HERE.parent)
    # Until `main` takes care of it, Ctrl-C ends the program without a traceback through half-imported libraries.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

import logging  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402

import pytorch_lightning as pl  # noqa: E402
import torch  # noqa: E402
from pytorch_lightning.utilities.exceptions import MisconfigurationException  # noqa: E402

from text_recognizer.data import BaseDataModule, DataConfig  # noqa: E402
from text_recognizer.errors import UserError  # noqa: E402
from text_recognizer.lit_models.checkpoint import load_weights  # noqa: E402
from training import cli, console, hardware, processes, resume, run_folder  # noqa: E402
from training.callbacks import (  # noqa: E402
    AboutCheckpoint,
    BestMetrics,
    EpochLines,
    FiniteLoss,
    MetricsFile,
    RandomState,
    Stopwatch,
    TestPredictions,
)
from training.checkpoint_io import AtomicCheckpointIO  # noqa: E402
from training.stopping import stoppable  # noqa: E402

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
        find_lr: try ever larger learning rates, suggest one, and end.
        tune: choose precision, memory format and threads for this machine; false for float32 as PyTorch does it.
        compile: compile the model with torch.compile before training: minutes at first, then perhaps faster.
        log_dir: where the folders of runs go; training/logs if not given.
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
    tune: bool = True
    compile: bool = False
    log_dir: str | None = None

    def __post_init__(self) -> None:
        if self.max_epochs < 1:
            raise UserError(f"max_epochs must be at least 1, not {self.max_epochs}.")
        if self.stop_early is not None and self.stop_early < 1:
            raise UserError(f"stop_early must be at least 1, not {self.stop_early}.")
        if self.test_only and not self.load_checkpoint:
            raise UserError("--test_only needs the weights to test: add --load_checkpoint FILE.")
        if self.resume and self.load_checkpoint:
            raise UserError("--resume and --load_checkpoint exclude each other: a resumed run has its own weights.")


@stoppable
def main(arguments: Sequence[str]) -> None:
    """Run one experiment, as the command line says."""
    console.set_up()
    choice = cli.parse(resume.with_config_of_resumed_run(arguments), Run)
    run = Run(**choice.arguments(Run))
    pl.seed_everything(choice.settings.seed, workers=True, verbose=False)
    torch.set_flush_denormal(True)  # numbers too small to matter would slow recurrent networks tenfold

    data = choice.data_class(**choice.arguments(choice.data_class))
    model = make_model(choice, run, data.config())
    processes.chance_of_its_own(choice.settings.seed)
    last_checkpoint = resume.last_checkpoint(run.resume) if run.resume else None
    if last_checkpoint:
        resume.check(last_checkpoint, model, choice)
    with run_folder.opened(run, HERE / "logs") as folder:
        best, watch, predictions = BestMetrics(), Stopwatch(), TestPredictions()
        trainer = make_trainer(choice, run, folder, [best, watch, predictions])
        data.prepare_data()
        data.setup()
        log.info("%s", data)
        if run.find_lr:
            suggest_lr(trainer, model, data, folder)
            return

        on = hardware.in_words(trainer, run.tune)
        facts = {"source": data.source_used, "hardware": on, "parameters": parameters(model)}
        if run.test_only:
            metrics = trainer.validate(model, datamodule=data, verbose=False)[0]
        else:
            folder.write_config(choice.yaml)
            log.info("Training %s (%s parameters) on %s", run.model_class, f"{facts['parameters']:,}", on)
            trainer.fit(model, datamodule=data, ckpt_path=last_checkpoint, weights_only=True)
            metrics = best.metrics
            facts |= {"seconds": watch.seconds, "samples_per_second": watch.samples_per_second * trainer.world_size}
            if best.checkpoint and trainer.is_global_zero:
                load_weights(model, best.checkpoint, run.model_class, data.config().mapping)
            processes.share_weights(trainer, model)
        metrics |= trainer.test(model, datamodule=data, verbose=False)[0]
        if trainer.is_global_zero:
            folder.report(metrics | facts, predictions, data, title=f"{run.model_class} on {run.data_class}")


def make_model(choice: cli.Choice, run: Run, config: DataConfig) -> pl.LightningModule:
    """Return the chosen network, with its loss and optimizer around it."""
    network = choice.model_class(config, **choice.arguments(choice.model_class))
    model = choice.lit_class(network, config, **choice.arguments(choice.lit_class))
    if run.load_checkpoint:
        load_weights(model, run.load_checkpoint, run.model_class, config.mapping)
    if run.tune:
        together = processes.on_this_machine(choice.settings.accelerator, choice.settings.devices)
        hardware.tune(network, together)
    if run.compile:
        hardware.check_compiler()
        network.compile()
    return model


def make_trainer(choice: cli.Choice, run: Run, folder: run_folder.RunFolder, watchers: list[pl.Callback]) -> pl.Trainer:
    """Return the Trainer that the flags describe, with `watchers` and what every run needs as callbacks."""
    settings = choice.arguments(pl.Trainer) | {"logger": folder.loggers(), "default_root_dir": folder.path}
    settings["plugins"] = [AtomicCheckpointIO()]
    settings["use_distributed_sampler"] = False  # the data module shares the samples out
    settings |= hardware.trainer_devices(run.gpus, settings["accelerator"], settings["devices"])
    if settings["precision"] is None:
        settings["precision"] = hardware.fast_precision(settings["accelerator"]) if run.tune else "32-true"
    in_terminal = console.is_terminal()
    settings["enable_progress_bar"] = in_terminal and settings["enable_progress_bar"] is not False
    settings["enable_model_summary"] = bool(settings["enable_model_summary"])
    monitor = "train_loss" if settings["limit_val_batches"] == 0 else "val_loss"
    settings["callbacks"] = [
        *watchers,
        AboutCheckpoint(choice.data_class, choice.model_class, choice.yaml),
        RandomState(),
        FiniteLoss(),
        MetricsFile(folder.path / "metrics.csv"),
        *folder.checkpoints(monitor),
        *([pl.callbacks.EarlyStopping(monitor, patience=run.stop_early)] if run.stop_early else []),
        *([] if in_terminal else [EpochLines()]),
    ]
    if settings["enable_progress_bar"]:
        settings["callbacks"].append(console.ProgressBar())
    try:
        return pl.Trainer(**settings)
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise UserError(f"The Trainer refuses these settings: {error}") from error


def suggest_lr(
    trainer: pl.Trainer, model: pl.LightningModule, data: BaseDataModule, folder: run_folder.RunFolder
) -> None:
    """Run the learning-rate finder, draw its curve, and say which flag to use."""
    from training.find_lr import find_lr, plot_learning_rates

    found = find_lr(trainer, model, data)
    plot_learning_rates(found, folder.path / "find_lr.png")
    log.info(
        "The loss falls fastest at a learning rate of %.1e: train with --lr %.1e in place of --find_lr.",
        found.suggestion,
        found.suggestion,
    )
    log.info("Curve: %s", folder.path / "find_lr.png")


def parameters(model: torch.nn.Module) -> int:
    """Return the number of weights that training changes."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


if __name__ == "__main__":
    cli.run_program(main)
