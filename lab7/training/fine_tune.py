"""Fine-tune a trained model on visitors' corrections without forgetting what it knew.

    python -m training.fine_tune training/logs/EMNIST-ResNet/version_0 corrections

Twenty corrections alone would be learned by heart in seconds, and the rest forgotten as fast. So they are mixed with
pictures that the run has learned from (rehearsal: Robins, 1995), the steps are small, and the averages of batch norm
stay as they are: in the mixture the same corrections come again and again, so its averages would be wrong for other
pictures.

The result is a run like any other: `python -m text_recognizer.export` ships it.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, Dataset

from lab_kit import program
from lab_kit.checks import check_at_least
from lab_kit.command_line import command_line
from lab_kit.datasets.batch_index_sampler import identity_collate
from lab_kit.errors import UserError
from lab_kit.experiment import cli, console, run_folder
from lab_kit.experiment.interrupts import Interrupted, graceful_exit
from lab_kit.experiment.record import RunRecord, run_facts
from lab_kit.experiment.trainer import make_trainer
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from training import corrections, load_run
from training.corrections import Corrections, Mixture
from training.run_experiment import LOG_DIR, PACKAGES, Run, make_model

log = logging.getLogger("training")

TESTED = 10_000  # pictures of the run's validation and test sets: more would take longer than the training
BATCH = 256
MONITOR = "mixed_error"
MUCH = 0.01  # of the validation pictures: if more than this share is forgotten, there is a warning

# Flags of the run that are different in fine-tuning.
PLAIN = {
    "one_cycle_max_lr": "null",  # training may stop before the rate has come down again
    "frozen_epochs": "0",
    "lr_slice": "null",
    "pretrained": "null",  # the run's weights replace those that its body began with
    "augment": "true",
    "resume": "null",
    "stop_early": "null",
    **dict.fromkeys(("test_only", "find_lr", "compile", "fast_dev_run"), "false"),
    "overfit_batches": "0",
    **dict.fromkeys(("limit_train_batches", "limit_val_batches", "limit_test_batches", "gpus"), "null"),
    **dict.fromkeys(("devices", "num_nodes"), "1"),
    "strategy": "auto",
    "max_steps": "-1",
}


@dataclass(frozen=True)
class Figures:
    """How many pictures a model reads right, and of how many.

    Args:
        learned, held_out: corrections that it learns from, and others; (right, all).
        validation: pictures of the run's validation set.
    """

    learned: tuple[int, int]
    held_out: tuple[int, int]
    validation: tuple[int, int]


def fine_tune(
    run: Path,
    folder: Path,
    epochs: int = 5,
    share: float = 0.1,
    lr: float = 1e-4,
    sample: int = 5000,
    held_out: float = 0.2,
    log_dir: Path | None = None,
) -> None:
    """Train a run's model further on corrections mixed with the run's own pictures; leave the folder of a new run.

    Args:
        run: the folder of a run on characters or on your own pictures, the one whose model was shipped.
        folder: the corrections, as `python -m app.corrections_export` writes them.
        epochs: at most; it ends as soon as all corrections that it learns from are read right.
        share: of the corrections in what is learned from, between 0 and 1.
        lr: learning rate.
        sample: pictures of the run's training set in an epoch, other ones each time.
        held_out: the share of the corrections that is not learned from but tested on; 0 learns from all.
        log_dir: where the new run's folder goes; training/logs if not given.
    """
    if not 0 < share < 1:
        raise UserError(f"share must be between 0 and 1, not {share}.")
    if not 0 <= held_out < 1:
        raise UserError(f"held_out must be at least 0 and below 1, not {held_out}.")
    check_at_least(1, sample=sample)

    def work(arguments: Sequence[str]) -> None:
        console.set_up()
        new, before, after = tune(run, folder, epochs, share, lr, sample, held_out, log_dir)
        _print(before, after)
        log.info("Ship it: %s", command_line("python", "-m", "text_recognizer.export", new))

    graceful_exit(work)([])


def tune(
    run: Path,
    folder: Path,
    epochs: int,
    share: float,
    lr: float,
    sample: int,
    held_out: float,
    log_dir: Path | None,
) -> tuple[Path, Figures, Figures]:
    """Return the new run's folder, and what the model reads before and after; the arguments are `fine_tune`'s.

    Raises:
        UserError: it is no run on characters or pictures, or the corrections are not for it.
    """
    config = _config(run, epochs, lr, log_dir)
    if config.data_class.task == "line":
        raise UserError(
            f"{readable(run)} reads lines, and fine-tuning is for characters and pictures. Corrected lines are in "
            "_lines/labels.csv; to train the run itself further, use --load_checkpoint with its checkpoints/best.ckpt."
        )
    data = config.data_class(**config.kwargs_for(config.data_class))
    found = corrections.read(folder, data.config(), held_out)
    settings = Run(**config.kwargs_for(Run))
    pl.seed_everything(config.settings.seed, workers=True, verbose=False)
    model = make_model(config, settings, data.config())
    data.prepare_data()
    data.setup()
    new = found.like(data.splits["train"], ~found.held_out)
    data.source_used = f"{data.source_used}, and {len(new)} corrections by visitors"
    data.splits["train"] = Mixture(data.splits["train"], new, sample, share, config.settings.seed)
    for split in ("val", "test"):
        data.splits[split] = corrections.at_most(data.splits[split], TESTED)
    before = measure(model, found, data.splits["val"])
    log.info("%d corrections: %d to learn from, %d to test with", len(found.labels), len(new), before.held_out[1])
    with _without_resuming(), run_folder.opened(settings, LOG_DIR) as opened:
        opened.write_config(config.yaml)
        record = RunRecord()
        learned = LearnedCorrections(new, share)
        trainer = make_trainer(config, settings, opened, [FrozenStatistics(), learned, *record.callbacks])
        trainer.checkpoint_callback.monitor = MONITOR
        trainer.fit(model, datamodule=data)
        metrics = record.load_best_weights(trainer, model)
        after = measure(model, found, data.splits["val"])
        facts = run_facts(trainer, model, data, settings.tune) | {
            "fine_tuned_from": str(Path(run).resolve()),
            "before": vars(before),
            "after": vars(after),
        }
        metrics |= trainer.test(model, datamodule=data, verbose=False)[0]
        opened.write_report(metrics | facts, record.predictions, data, title=f"{settings.model_class}, fine-tuned")
    return opened.path, before, after


def _config(run: Path, epochs: int, lr: float, log_dir: Path | None) -> cli.Config:
    """Return the flags of the run, but for those that fine-tuning decides."""
    config, best = run / load_run.CONFIG, run / load_run.BEST
    for path in (config, best):
        if not path.is_file():
            raise UserError(f"{readable(run)} is not the folder of a run: it has no {path.relative_to(run)}.")
    own = {"max_epochs": str(epochs), "lr": str(lr), "load_checkpoint": str(best)}
    own |= {"log_dir": "null" if log_dir is None else str(log_dir)}
    known = vars(cli.parse(["--config", str(config)], Run, PACKAGES).settings)
    flags = [f"--{name}={value}" for name, value in (PLAIN | own).items() if name in known]
    return cli.parse(["--config", str(config), *flags], Run, PACKAGES)


def measure(model: pl.LightningModule, found: Corrections, validation: Dataset) -> Figures:
    """Let a model read the corrections and the validation pictures."""
    parts = {
        "learned": found.like(validation, ~found.held_out),
        "held_out": found.like(validation, found.held_out),
        "validation": validation,
    }
    return Figures(**{name: (int(right(model, data).sum()), len(data)) for name, data in parts.items()})


def right(model: pl.LightningModule, data: Dataset) -> torch.Tensor:
    """Return which pictures a model reads right: (N,) bool."""
    training = model.training
    model.eval()
    batches = [range(start, min(start + BATCH, len(data))) for start in range(0, len(data), BATCH)]
    found = [torch.zeros(0, dtype=torch.bool)]
    with torch.inference_mode():
        for images, labels in DataLoader(data, batch_sampler=batches, collate_fn=identity_collate):
            found.append(model(images.to(model.device)).argmax(dim=1).cpu() == labels)
    model.train(training)
    return torch.cat(found)


class FrozenStatistics(pl.Callback):
    """Let batch norm use the averages that it has, and leave them as they are."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        for layer in pl_module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.eval()


class LearnedCorrections(pl.Callback):
    """After each epoch, see which of the corrections are read right; stop when all of them are.

    The best epoch is the one with the lowest `mixed_error`: the share of mistakes on pictures of which `share` are like
    the corrections, and the others like the validation set. So the best epoch has learned the corrections and forgotten
    little.

    Args:
        new: the corrections that are learned from.
        share: as in the mixture.
    """

    def __init__(self, new: Dataset, share: float) -> None:
        self.new, self.share = new, share

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        learned = float(right(pl_module, self.new).float().mean())
        mixed = self.share * (1 - learned) + (1 - self.share) * (1 - float(pl_module.val_acc.compute()))
        pl_module.log("corrections_acc", learned, prog_bar=True)
        pl_module.log(MONITOR, mixed)
        if trainer.progress_bar_callback is None:
            log.info("%.0f%% of the corrections are read right", 100 * learned)
        trainer.should_stop = learned == 1


@contextmanager
def _without_resuming() -> Iterator[None]:
    """After Ctrl-C, do not advise to resume the run: that would go on without the corrections."""
    try:
        yield
    except Interrupted as stopped:
        stopped.advice = "Start it again with the same command: the run that it began with is as it was."
        raise


def _print(before: Figures, after: Figures) -> None:
    table = Table("read right", "before", "after", title="What fine-tuning did", title_justify="left")
    names = {
        "learned": "corrections learned from",
        "held_out": "corrections held out",
        "validation": "validation pictures",
    }
    for name, words in names.items():
        if (count := getattr(before, name)[1]) > 0:
            table.add_row(f"{words} ({count:,})", *(_formatted(*getattr(each, name)) for each in (before, after)))
    PlainConsole().print(table)
    lost = (before.validation[0] - after.validation[0]) / before.validation[1]
    if lost > MUCH:
        log.warning(
            "It reads %.1f%% fewer of the validation pictures: try a lower --lr, or a lower --share.", 100 * lost
        )
    if (missed := after.learned[1] - after.learned[0]) > 0:
        log.info(
            "%d corrections are still read wrong: try more --epochs, or look whether they are labelled right.", missed
        )


def _formatted(count: int, of: int) -> str:
    return f"{count} of {of}" if of < 1000 else f"{count / of:.1%}"


if __name__ == "__main__":
    program.run(fine_tune)
