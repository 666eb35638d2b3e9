import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from lab_kit.datasets import batch_index_sampler
from lab_kit.datasets.batch_index_sampler import BatchIndexSampler, identity_collate
from text_recognizer.data.dataset import ImageDataset


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (50, 28, 28), generator=generator, dtype=torch.uint8)
    return images, torch.randint(0, 10, (50,), generator=generator)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.1307, 0.3081)])
def test_batch_equals_torchvisions_conversion_one_by_one(pictures, mean, std):
    images, labels = pictures
    convert = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([mean], [std])])
    expected = torch.stack([convert(image.numpy()[:, :, None]) for image in images[10:20]])
    x, y = ImageDataset(images, labels, None, mean, std).__getitems__(range(10, 20))
    torch.testing.assert_close(x, expected)
    assert torch.equal(y, labels[10:20])


def test_one_item_equals_its_place_in_a_batch(pictures):
    data = ImageDataset(*pictures)
    x, y = data[7]
    batch_x, batch_y = data.__getitems__([3, 7])
    assert torch.equal(x, batch_x[1])
    assert y == batch_y[1]
    assert x.shape == (1, 28, 28)


def test_indices_choose_the_pictures_of_a_split(pictures):
    images, labels = pictures
    split = ImageDataset(images, labels, torch.tensor([40, 2]))
    assert len(split) == 2
    assert torch.equal(split.__getitems__([0, 1])[1], labels[[40, 2]])
    assert split.images is images


def test_loader_gives_the_same_batches_with_and_without_workers(pictures):
    data = ImageDataset(*pictures)
    epochs = []
    for workers in (0, 2):
        batches = BatchIndexSampler(len(data), 16, shuffle=True, seed=1)
        loader = DataLoader(data, batch_sampler=batches, collate_fn=identity_collate, num_workers=workers)
        epochs.append(list(loader))
    for (x0, y0), (x2, y2) in zip(*epochs, strict=True):
        assert torch.equal(x0, x2)
        assert torch.equal(y0, y2)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("length", [1, 16, 50])
def test_an_epoch_holds_every_index_once(length, shuffle):
    batches = BatchIndexSampler(length, 16, shuffle, seed=3)
    epoch = list(batches)
    assert len(epoch) == len(batches)
    assert sorted(np.concatenate(epoch)) == list(range(length))


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        batches = BatchIndexSampler(100, 10, shuffle=True, seed=seed)
        batches.set_epoch(epoch)
        return np.concatenate(list(batches)).tolist()

    torch.manual_seed(5)
    first = order(1, 0)
    torch.manual_seed(6)
    assert order(1, 0) == first
    assert order(1, 1) != first
    assert order(2, 0) != first


def test_a_long_order_is_shuffled_in_blocks_of_neighbours(monkeypatch):
    monkeypatch.setattr(batch_index_sampler, "SCATTERED", 10_000)
    sampler = BatchIndexSampler(1_000_500, 128, shuffle=True, seed=3)
    order = np.concatenate(list(sampler))
    assert np.array_equal(np.sort(order), np.arange(1_000_500))
    window = batch_index_sampler.MIXED * batch_index_sampler.BLOCK
    for start in range(0, len(order), window):
        blocks = np.unique(order[start : start + window] // batch_index_sampler.BLOCK)
        assert len(blocks) <= batch_index_sampler.MIXED + 1
    assert len(np.unique(order[:2_000] // batch_index_sampler.BLOCK)) > 200  # a few batches have something of each
    assert np.abs(np.corrcoef(order[:window], np.arange(window))[0, 1]) < 0.02
    sampler.set_epoch(1)
    assert not np.array_equal(np.concatenate(list(sampler)), order)
    assert np.array_equal(
        np.concatenate(list(BatchIndexSampler(1_000_500, 128, shuffle=True, seed=3))), order
    )  # the same again
