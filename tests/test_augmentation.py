import math

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from text_recognizer.data import MNIST, augmentation
from text_recognizer.data.augmentation import random_affine

LIMITS = ("TURN", "SCALE", "SHEAR", "SHIFT")


@pytest.fixture
def only(monkeypatch):
    """Return a function that leaves one of the changes, all the way in one direction."""

    def keep(name, value, direction):
        for limit in LIMITS:
            monkeypatch.setattr(augmentation, limit, value if limit == name else 0.0)
        monkeypatch.setattr(torch, "rand", lambda *shape, device=None: torch.full(shape, (direction + 1) / 2))

    return keep


@pytest.fixture
def blob():
    """A soft shape, so that ways of interpolation hardly matter."""
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    return torch.exp(-((x - 12) ** 2 / 14 + (y - 15) ** 2 / 8))[None, None]


@pytest.mark.parametrize("direction", [1, -1])
def test_turning_equals_torchvisions(only, blob, direction):
    only("TURN", math.radians(10), direction)
    expected = tv.rotate(blob, 10.0 * direction, interpolation=tv.InterpolationMode.BILINEAR)
    torch.testing.assert_close(random_affine(blob), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("direction", [1, -1])
def test_shifting_moves_both_ways_by_whole_pixels(only, blob, direction):
    only("SHIFT", 3 / 28, direction)
    expected = blob.roll((-3 * direction, -3 * direction), dims=(2, 3))
    torch.testing.assert_close(random_affine(blob)[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4], atol=1e-4, rtol=0)


def test_scaling_equals_torchvisions(only, blob):
    only("SCALE", 0.25, 1)
    expected = tv.affine(blob, 0, [0, 0], 1 / 1.25, [0, 0], interpolation=tv.InterpolationMode.BILINEAR)
    torch.testing.assert_close(random_affine(blob), expected, atol=2e-3, rtol=0)


def test_nothing_changes_without_limits(only, blob):
    only("TURN", 0.0, 1)
    torch.testing.assert_close(random_affine(blob), blob, atol=1e-5, rtol=0)


def test_each_picture_changes_in_its_own_way_and_paper_stays_paper(blob):
    torch.manual_seed(0)
    changed = random_affine(blob.expand(64, 1, 28, 28) - 0.4)
    assert changed.shape == (64, 1, 28, 28)
    assert len({picture.numpy().tobytes() for picture in changed}) == 64
    assert changed.min() >= -0.4 - 1e-5  # no zeros, which are not paper once pictures are normalised
    assert (changed[:, 0, 0, 0] + 0.4).abs().max() < 0.01


def test_only_training_pictures_change(run, small_mnist, monkeypatch):
    seen = []

    def spy(images):
        seen.append(len(images))
        return images

    monkeypatch.setattr("text_recognizer.data.base_data_module.random_affine", spy)
    run("--max_epochs", "2", "--fc1", "8", "--augment", "--batch_size", "100")
    assert seen == [100] * 20
    run("--max_epochs", "2", "--fc1", "8", "--augment", "--overfit_batches", "2")
    run("--max_epochs", "1", "--fc1", "8")
    assert len(seen) == 20


def test_augmentation_is_off_by_default():
    assert not MNIST().augment
