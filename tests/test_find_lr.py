"""The learning-rate finder, on problems whose best rate is known."""

import logging
import signal

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lab_kit.experiment.loss_curve import smoothed
from lab_kit.plots import learning_rates
from text_recognizer.data import MNIST
from text_recognizer.lit_models import BaseLitModel
from text_recognizer.models import MLP
from training.find_lr import find_lr, suggest

RATES = np.geomspace(1e-6, 10, 100)
QUIET = {
    "accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
    "enable_model_summary": False,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet_lightning():
    logger = logging.getLogger("pytorch_lightning")
    before = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(before)


class Tensors(pl.LightningDataModule):
    def __init__(self, *tensors, batch_size):
        super().__init__()
        self.tensors, self.batch_size = tensors, batch_size

    def train_dataloader(self):
        return DataLoader(TensorDataset(*self.tensors), self.batch_size, shuffle=True)


class Bowl(pl.LightningModule):
    """Half the sum of curvature * weight**2: plain gradient descent diverges above 2 / the largest curvature."""

    def __init__(self, curvatures, noise):
        super().__init__()
        self.register_buffer("curvatures", torch.as_tensor(curvatures, dtype=torch.float64))
        self.weights = nn.Parameter(torch.ones(len(self.curvatures), dtype=torch.float64))
        self.noise = noise

    def training_step(self, batch, index):
        return (self.curvatures * self.weights**2).sum() / 2 * (1 + self.noise * torch.randn(()))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-9)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize(
    "curvatures", [[1.0], [30.0], [1000.0], np.geomspace(1, 10, 10), np.geomspace(1, 1000, 20)], ids=str
)
def test_in_a_bowl_the_suggestion_is_near_the_best_rate_and_below_divergence(curvatures, noise):
    torch.manual_seed(0)
    data = Tensors(torch.zeros(7, 1), batch_size=1)  # fewer batches than steps: they come again
    found = find_lr(pl.Trainer(**QUIET), Bowl(curvatures, noise), data)
    best = 2 / (min(curvatures) + max(curvatures))  # of all constant rates
    assert best / 10 <= found.suggestion < 2 / max(curvatures)
    assert len(found.rates) == len(found.losses) == len(found.batch_losses) > 50
    assert found.suggestion in found.rates


class Regression(pl.LightningModule):
    def __init__(self, optimizer="SGD", lr=1e-3):
        super().__init__()
        self.linear, self.optimizer, self.lr = nn.Linear(20, 1), optimizer, lr

    def training_step(self, batch, index):
        return nn.functional.mse_loss(self.linear(batch[0])[:, 0], batch[1])

    def configure_optimizers(self):
        return getattr(torch.optim, self.optimizer)(self.parameters(), lr=self.lr)


@pytest.fixture(scope="module")
def regression():
    """Noisy linear regression: the right weights leave a loss of 1."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 20, generator=generator)
    y = x @ torch.randn(20, generator=generator) * 3 + torch.randn(4000, generator=generator)
    return x, y


@pytest.mark.parametrize("batch_size", [16, 64])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop"])
def test_in_noisy_regression_it_is_within_a_factor_of_ten_of_the_best_of_a_grid(regression, optimizer, batch_size):
    def loss_after_training(lr):
        torch.manual_seed(1)
        model = Regression(optimizer, lr)
        step_maker = model.configure_optimizers()
        for _ in range(100):
            chosen = torch.randint(len(regression[0]), (batch_size,))
            step_maker.zero_grad()
            model.training_step([part[chosen] for part in regression], 0).backward()
            step_maker.step()
        with torch.no_grad():
            return model.training_step(regression, 0).item()

    losses = {lr: loss_after_training(lr) for lr in 10 ** np.arange(-3, 1.1, 0.5)}
    good = [lr for lr, loss in losses.items() if loss < 1.25 * np.nanmin([*losses.values()])]
    for seed in range(2):
        torch.manual_seed(seed)
        found = find_lr(pl.Trainer(**QUIET), Regression(optimizer), Tensors(*regression, batch_size=batch_size))
        assert min(good) / 10 <= found.suggestion <= max(good) * 10
        assert loss_after_training(found.suggestion) < 10  # of more than 100 at first


@pytest.mark.parametrize("batch_size", [16, 128])
def test_where_the_loss_falls_late_and_slowly_no_tiny_rate_is_suggested(small_mnist, batch_size):
    for seed in range(4):
        data = MNIST(batch_size=batch_size, seed=seed)
        torch.manual_seed(seed)
        model = BaseLitModel(MLP(data.config(), fc1=64, fc2=32), data.config(), optimizer="SGD")
        assert 0.01 < find_lr(pl.Trainer(**QUIET), model, data).suggestion < 1


NOISES = {
    "normal": lambda rng: 2.3 + 0.1 * rng.normal(size=100),
    "one picture a batch": lambda rng: rng.exponential(size=100),
    "squared": lambda rng: rng.normal(size=100) ** 2,
    "explodes": lambda rng: 2.3 + 0.1 * rng.normal(size=100) + np.exp(rng.normal(size=100)) * (np.arange(100) > 60),
}


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_from_noise_nothing_stands_out(noise):
    rng = np.random.default_rng(0)
    found = [suggest(RATES, noise(rng)).suggestion for _ in range(300)]
    assert found.count(None) >= 298


def falling(steps=RATES, at=1e-2):
    """A loss of 2.3 that falls to 0.3, fastest at the rate `at`."""
    return 2.3 - 2 / (1 + (at / steps) ** 1.5)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda losses, rng: losses,
        lambda losses, rng: losses + 0.2 * rng.normal(size=100),
        lambda losses, rng: losses + 3 * (np.arange(100) == 0),  # a spike at the first rate
        lambda losses, rng: losses + 1e12 * (np.arange(100) == 20),  # and in the middle
        lambda losses, rng: np.where(np.arange(100) > 80, 1e30, losses),
        lambda losses, rng: np.where(np.arange(100) > 75, 50 - 0.48 * np.arange(100), losses),  # explodes, and calms
        lambda losses, rng: losses - 10,  # a loss may be below zero
    ],
    ids=["clean", "noisy", "spike first", "spike later", "explodes", "explodes and calms down", "negative"],
)
def test_neither_spikes_nor_explosions_nor_edges_are_suggested(spoilt):
    for seed in range(5):
        found = suggest(RATES, spoilt(falling(), np.random.default_rng(seed)))
        assert 3e-3 < found.suggestion < 1e-1


def test_a_constant_loss_or_a_few_points_suggest_nothing():
    assert suggest(RATES, np.full(100, 2.3)).suggestion is None
    assert suggest(RATES, 2.3 - 1e-6 * np.arange(100)).suggestion is None  # a fall too small to be worth the name
    for few in range(1, 10):
        assert suggest(RATES[:few], falling()[:few]).suggestion is None


def test_smoothing_neither_delays_nor_bends_a_straight_line():
    line = np.linspace(3, 1, 100)
    np.testing.assert_allclose(smoothed(line)[15:-15], line[15:-15])
    np.testing.assert_allclose(smoothed(np.full(7, 2.0)), 2.0)


def lit_model(data, **settings):
    torch.manual_seed(0)
    return BaseLitModel(MLP(data.config(), fc1=16, fc2=16), data.config(), **settings)


@pytest.mark.parametrize(
    ("settings", "flags"),
    [({}, {}), ({"one_cycle_max_lr": 0.01}, {"gradient_clip_val": 0.5}), ({}, {"accumulate_grad_batches": 3}),
     ({"optimizer": "SGD"}, {"max_steps": 30, "limit_val_batches": 1})],
)  # fmt: skip
def test_it_leaves_no_trace(small_mnist, tmp_path, settings, flags):
    def trained(with_finder):
        data = MNIST(batch_size=50)
        model = lit_model(data, **settings)
        trainer = pl.Trainer(max_epochs=1, default_root_dir=tmp_path, **flags, **QUIET)
        if with_finder:
            weights = {name: value.clone() for name, value in model.state_dict().items()}
            state = torch.get_rng_state()
            find_lr(trainer, model, data)
            assert torch.equal(torch.get_rng_state(), state)
            assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
            assert not list(tmp_path.glob("*.ckpt")) + list(tmp_path.glob(".*"))
        trainer.fit(model, datamodule=data)
        return trainer.global_step, {name: float(value) for name, value in trainer.callback_metrics.items()}

    assert trained(with_finder=True) == trained(with_finder=False)


def test_several_batches_that_make_one_step_share_its_rate(small_mnist):
    data = MNIST(batch_size=20)
    found = find_lr(pl.Trainer(accumulate_grad_batches=4, **QUIET), lit_model(data), data)
    assert len(found.rates) == len(set(found.rates)) == 100


def test_one_cycle_does_not_change_the_rates_tried(small_mnist):
    data = MNIST(batch_size=20)
    found = find_lr(pl.Trainer(**QUIET), lit_model(data, one_cycle_max_lr=0.5), data, 1e-5, 1e-1, 50)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-5, 1e-1, 50))


# As a program


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs" / "MNIST-MLP" / "version_0"


@pytest.fixture
def figures(monkeypatch):
    """Collect the figures that are saved."""
    saved = []
    original = learning_rates.save
    monkeypatch.setattr(learning_rates, "save", lambda figure, path: saved.append(figure) or original(figure, path))
    return saved


@pytest.mark.parametrize(
    ("flags", "advised"),
    [((), "--lr"), (("--one_cycle_max_lr", "0.1"), "--one_cycle_max_lr"), (("--optimizer", "SGD"), "--lr")],
)
def test_it_advises_on_the_flag_that_counts_and_draws_all_of_its_curve(
    run, small_mnist, folder, figures, flags, advised
):
    code, text = run("--find_lr", "--fc1", "32", "--fc2", "16", "--batch_size", "50", *flags)
    assert code == 0
    assert f"train with {advised} " in text
    assert (folder / "find_lr.png").stat().st_size > 5000
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == ["find_lr.png"]
    [axes] = figures[0].axes
    bottom, top = axes.get_ylim()
    dots, curve, mark = axes.lines
    assert bottom < curve.get_ydata().min() < curve.get_ydata().max() < top
    assert bottom < mark.get_ydata() < top
    assert bottom < dots.get_ydata().min()


def test_it_says_where_nothing_stands_out(run, small_mnist, figures, monkeypatch):
    original = BaseLitModel.training_step
    monkeypatch.setattr(BaseLitModel, "training_step", lambda *a: 0 * original(*a) + 2.3 + 0.1 * torch.randn(()))
    code, text = run("--find_lr", "--fc1", "8", "--fc2", "8")
    assert code == 0
    assert "Nothing stands out: from 1e-06 to 1e+01" in text
    assert "train with" not in text
    assert "Nothing stands out" in figures[0].axes[0].get_title()


def test_in_float16_it_names_the_precision(run, small_mnist, folder):
    code, text = run("--find_lr", "--fc1", "8", "--fc2", "8", "--precision", "16-true", "--optimizer", "SGD")
    assert code in (0, 2)
    if code == 2:
        assert "float16 (--precision 16-true)" in text
    assert "Nothing stands out" not in text


def test_it_needs_batches(run, small_mnist, folder):
    code, text = run("--find_lr", "--limit_train_batches", "0")
    assert code == 2
    assert "--limit_train_batches cannot be 0" in text
    assert not folder.exists()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_stopped_it_leaves_nothing_behind(run, small_mnist, folder, monkeypatch, name, code):
    original = BaseLitModel.training_step

    def training_step(self, batch, index):
        if index == 5:
            signal.raise_signal(getattr(signal, name))
        return original(self, batch, index)

    monkeypatch.setattr(BaseLitModel, "training_step", training_step)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background ignores Ctrl-C
    try:
        assert run("--find_lr", "--fc1", "8", "--fc2", "8")[0] == code
    finally:
        signal.signal(signal.SIGINT, before)
    assert not folder.exists()
