from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from lab_kit.errors import UserError
from lab_kit.experiment.losses import LOSSES, get_loss
from lab_kit.experiment.optimizers import optimizer_names
from text_recognizer.data import MNIST, DataConfig
from text_recognizer.lit_models import BaseLitModel

CONFIG = DataConfig((1, 28, 28), (1,), tuple("0123456789"))


@pytest.fixture
def logits_and_labels():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 10, generator=generator), torch.randint(0, 10, (16,), generator=generator)


def test_losses_equal_torchs_own(logits_and_labels):
    logits, labels = logits_and_labels
    expected = {
        "cross_entropy": functional.cross_entropy(logits, labels),
        "nll_loss": functional.cross_entropy(logits, labels),
        "multi_margin_loss": functional.multi_margin_loss(logits, labels),
    }
    for name, value in expected.items():
        torch.testing.assert_close(get_loss(name)(logits, labels), value)
    smoothed = functional.cross_entropy(logits, labels, label_smoothing=0.2)
    torch.testing.assert_close(get_loss("cross_entropy", 0.2)(logits, labels), smoothed)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_falls_when_the_right_logit_rises(name, logits_and_labels):
    logits, labels = logits_and_labels
    right = functional.one_hot(labels, 10).float()
    assert get_loss(name)(0.1 * logits + 0.5 * right, labels) < get_loss(name)(0.1 * logits - 0.5 * right, labels)


@pytest.mark.parametrize("name", ["mse_loss", "ctc_loss", "relu", "normalize", "one_hot", "Tensor", "no_such"])
def test_what_takes_no_logits_and_classes_is_refused(name):
    with pytest.raises(UserError, match="Choose from: cross_entropy, multi_margin_loss, nll_loss, or another"):
        get_loss(name)


@pytest.mark.parametrize("name", optimizer_names())
def test_every_optimizer_name_trains(name):
    model = BaseLitModel(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), CONFIG, optimizer=name, lr=1e-3)
    before = [weight.clone() for weight in model.parameters()]
    optimizer = model.configure_optimizers()
    model.loss(model(torch.rand(4, 1, 28, 28)), torch.arange(4)).backward()
    optimizer.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"optimizer": "Adamw"}, "Did you mean 'AdamW'"), ({"loss": "cross_entrpy"}, "Did you mean 'cross_entropy'"),
     ({"lr": 0}, "lr must be"), ({"one_cycle_max_lr": -1.0}, "one_cycle_max_lr must be"), ({"lr": float("nan")}, "lr"),
     ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1"),
     ({"label_smoothing": 0.1, "loss": "multi_margin_loss"}, "label_smoothing is for the loss 'cross_entropy' alone")],
)  # fmt: skip
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        BaseLitModel(nn.Flatten(), CONFIG, **settings)


@pytest.mark.parametrize("name", optimizer_names())
def test_one_cycle_is_for_every_optimizer(name):
    model = BaseLitModel(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), CONFIG, optimizer=name, one_cycle_max_lr=0.5)
    model._trainer = SimpleNamespace(estimated_stepping_batches=10, gradient_clip_val=None)
    chosen = model.configure_optimizers()
    rates = []
    for _ in range(9):
        rates.append(chosen["optimizer"].param_groups[0]["lr"])
        chosen["lr_scheduler"]["scheduler"].step()
    assert max(rates) > 0.4 > rates[0]


def test_one_cycle_is_stepped_with_every_batch_over_the_whole_run(small_mnist):
    class Rates(pl.Callback):
        seen: list[float] = []  # noqa: RUF012

        def on_train_batch_end(self, trainer, *_):
            self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    data = MNIST(batch_size=100)
    data.prepare_data()
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    model = BaseLitModel(network, CONFIG, one_cycle_max_lr=0.1)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(max_epochs=3, accelerator="cpu", callbacks=[Rates()], **quiet)
    trainer.fit(model, datamodule=data)

    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=30)
    expected = []
    for _ in range(30):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    seen = Rates.seen
    assert len(seen) == 30
    assert max(seen) == pytest.approx(0.1, rel=1e-2)
    assert seen[:-1] == pytest.approx(expected[1:]) or seen == pytest.approx(expected)


@pytest.fixture
def unequal_batches():
    """Return batches of 7, 7 and 2 samples: their means are not the mean."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(16, 1, 28, 28, generator=generator)
    labels = torch.randint(0, 10, (16,), generator=generator)
    batches = list(zip(images.split(7), labels.split(7), strict=True))
    return DataLoader(batches, batch_size=None), images, labels


def quiet_trainer(**settings):
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return pl.Trainer(accelerator="cpu", max_epochs=1, **dict.fromkeys(off, False), **settings)


@pytest.mark.filterwarnings("ignore")  # of Lightning's, about loaders
def test_metrics_of_an_epoch_are_over_all_samples(unequal_batches):
    batches, images, labels = unequal_batches
    model = BaseLitModel(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), CONFIG, optimizer="SGD", lr=1e-9)
    trainer = quiet_trainer()
    trainer.fit(model, batches, batches)
    with torch.no_grad():
        logits = model(images)
    for split in ("train", "val"):
        torch.testing.assert_close(
            trainer.callback_metrics[f"{split}_loss"], functional.cross_entropy(logits, labels), atol=1e-5, rtol=0
        )
        expected = (logits.argmax(dim=1) == labels).float().mean()
        torch.testing.assert_close(trainer.callback_metrics[f"{split}_acc"], expected)


@pytest.mark.filterwarnings("ignore")
def test_gradients_can_be_clipped_in_bfloat16(unequal_batches):
    batches, _, _ = unequal_batches
    model = BaseLitModel(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), CONFIG)
    quiet_trainer(gradient_clip_val=1.0, precision="bf16-mixed").fit(model, batches)
    assert all(weight.isfinite().all() for weight in model.parameters())
