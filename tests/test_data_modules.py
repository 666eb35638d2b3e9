import gzip
import hashlib
import logging

import numpy as np
import pytest
import torch
from conftest import make_mnist

from lab_kit.errors import UserError
from lab_kit.handwriting import pen_set
from text_recognizer.data import EMNIST, MNIST, FashionMNIST
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING
from text_recognizer.data.emnist import balanced


def ready(data):
    data.prepare_data()
    data.setup()
    return data


def test_mnist_gives_the_files_pictures_and_labels(small_mnist):
    data = ready(MNIST())
    test = data.splits["test"]
    assert np.array_equal(test.images.numpy(), small_mnist["t10k-images-idx3-ubyte.gz"])
    assert np.array_equal(test.labels.numpy(), small_mnist["t10k-labels-idx1-ubyte.gz"])
    assert (len(data.splits["train"]), len(data.splits["val"]), len(test)) == (1000, 5000, 300)


def test_splits_share_no_picture_and_depend_on_the_seed_alone(small_mnist):
    splits = ready(MNIST(seed=1)).splits
    train, val = splits["train"].indices.tolist(), splits["val"].indices.tolist()
    assert sorted(train + val) == list(range(6000))
    torch.manual_seed(99)
    assert ready(MNIST(seed=1)).splits["val"].indices.tolist() == val
    assert ready(MNIST(seed=2)).splits["val"].indices.tolist() != val


def test_emnist_is_upright_and_offset_behind_the_special_tokens(small_emnist):
    test = ready(EMNIST()).splits["test"]
    assert np.array_equal(test.images.numpy(), small_emnist["test_images"])
    assert [MAPPING[label] for label in test.labels] == [ALPHANUMERIC[label] for label in small_emnist["test_labels"]]


def test_emnist_is_balanced_in_training_and_left_as_published_in_testing(small_emnist):
    data = ready(EMNIST())
    chosen = torch.cat([data.splits["train"].indices, data.splits["val"].indices])
    counts = torch.bincount(data.splits["train"].labels[chosen].long(), minlength=83)
    assert counts[4:14].tolist() == [14] * 10  # the average count: (10 * 40 + 52 * 10) / 62
    assert counts[14:66].tolist() == [10] * 52
    assert len(data.splits["test"]) == len(small_emnist["test_labels"])
    everything = ready(EMNIST(balance=False))
    assert len(everything.splits["train"]) + len(everything.splits["val"]) == len(small_emnist["train_labels"])


def test_balancing_equals_a_naive_count_and_draws_nothing_twice():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, 20, (3000,), generator=generator) ** 2 // 10
    indices = balanced(labels, torch.Generator().manual_seed(1))
    assert len(set(indices.tolist())) == len(indices)
    values, counts = np.unique(labels, return_counts=True)
    cap = int(counts.mean())
    kept = dict(zip(*np.unique(labels[indices], return_counts=True), strict=True))
    assert kept == {value: min(count, cap) for value, count in zip(values, counts, strict=True)}


def test_emnist_is_processed_once(small_emnist, data_root, monkeypatch):
    ready(EMNIST())
    archive = data_root / "downloaded" / "emnist" / "gzip.zip"
    archive.unlink()  # what is processed is enough
    assert "small emnist" in ready(EMNIST()).source_used


@pytest.mark.parametrize("cls", [MNIST, EMNIST])
def test_without_network_pen_strokes_stand_in_and_say_so(cls, small_pen_set, caplog):
    with caplog.at_level(logging.WARNING):
        data = ready(cls())
    assert "pen strokes" in data.source_used
    assert "THIS IS NOT" in caplog.text
    assert "downloaded" in caplog.text
    assert len(data.splits["train"]) == small_pen_set["train"]
    labels = data.splits["train"].labels
    names = {data.config().mapping[label] for label in labels}
    assert names == set(ALPHANUMERIC if cls is EMNIST else "0123456789")


def test_pen_strokes_on_demand_ignore_the_archive(small_emnist, small_pen_set):
    assert "pen strokes" in ready(EMNIST(source="pen")).source_used


def test_download_on_demand_does_not_fall_back():
    with pytest.raises(UserError, match=r"To use the real EMNIST, put gzip.zip into .*downloaded"):
        ready(EMNIST(source="download"))


def test_fashion_mnist_has_no_stand_in_and_says_what_to_put_where():
    with pytest.raises(UserError, match=r"put train-images-idx3-ubyte.gz, .* into .*fashion_mnist"):
        ready(FashionMNIST())
    with pytest.raises(UserError, match="no pen-stroke stand-in"):
        FashionMNIST(source="pen")


def unpacked_like_safari(path):
    return path.with_suffix("")


def unpacked_like_kaggle(path):
    return path.with_name(path.stem.replace("-idx", ".idx"))


def unpacked_into_folders(path):
    return path.with_suffix("") / path.stem


@pytest.mark.parametrize("place", [unpacked_like_safari, unpacked_like_kaggle, unpacked_into_folders])
def test_files_that_a_browser_has_unpacked_are_read(small_mnist, data_root, place, caplog):
    metadata = data_root / "raw" / "mnist" / "metadata.toml"
    for path in (data_root / "downloaded" / "mnist").glob("*.gz"):
        content = gzip.decompress(path.read_bytes())
        digest = hashlib.sha256(content).hexdigest()
        unpacked = f'unpacked = {{ size = {len(content)}, sha256 = "{digest}" }}'
        metadata.write_text(metadata.read_text().replace(f'"{path.name}"', f'"{path.name}"\n{unpacked}'))
        place(path).parent.mkdir(exist_ok=True)
        place(path).write_bytes(content)
        path.unlink()
    data = ready(MNIST())
    assert "small mnist" in data.source_used
    assert "THIS IS NOT" not in caplog.text
    assert np.array_equal(data.splits["test"].images.numpy(), small_mnist["t10k-images-idx3-ubyte.gz"])
    changed = place(data_root / "downloaded" / "mnist" / "t10k-labels-idx1-ubyte.gz")
    changed.write_bytes(changed.read_bytes()[:-1] + b"\x09")
    with pytest.raises(UserError, match=r"labels.* is damaged: its sha256 is not the published one\. Replace it"):
        MNIST().prepare_data()
    changed.unlink()
    with pytest.raises(UserError, match=r"put t10k-labels-idx1-ubyte\.gz into"):
        MNIST(source="download").prepare_data()


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (MNIST, "t10k-labels-idx1-ubyte (1).gz"), (MNIST, "archive"), (EMNIST, "gzip"),
        (FashionMNIST, "train-images-idx3-ubyte"),
    ],
)  # fmt: skip
def test_what_lies_beside_the_place_of_the_files_is_named(cls, name, data_root):
    folder = data_root / "downloaded" / cls.dataset
    (folder / name).mkdir(parents=True)
    for ours in ("gzip.zip.lock", ".DS_Store"):
        (folder / ours).touch()
    source = "auto" if cls is FashionMNIST else "download"
    with pytest.raises(UserError) as error:
        cls(source=source).prepare_data()
    assert f"named and packed as published (what is there: {name})" in str(error.value)


def test_fashion_mnist_reads_its_files(data_root):
    make_mnist(data_root, "fashion_mnist")
    data = ready(FashionMNIST())
    assert data.config().mapping[9] == "Ankle boot"
    assert "small fashion_mnist" in data.source_used


def test_the_writers_of_the_pen_sets_are_disjoint():
    writers = [set(people) for people in pen_set.WRITERS.values()]
    assert not set.intersection(*writers)
    assert sum(map(len, writers)) == len(set.union(*writers))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"batch_size": 0}, "batch_size"), ({"num_workers": -1}, "num_workers"), ({"seed": -1}, "seed"),
     ({"source": "downlaod"}, "Did you mean 'download'")],
)  # fmt: skip
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        MNIST(**settings)


def test_description_works_before_and_after_setup(small_emnist):
    data = EMNIST()
    before = str(data)
    assert "83" in before
    assert "not known yet" in before
    ready(data)
    after = str(data)
    images, labels = data.splits["train"].__getitems__(range(128))
    assert "(128, 1, 28, 28) float32, min 0.00" in after
    assert f"mean {images.mean():.2f}, std {images.std():.2f}, max 1.00" in after
    assert f"max {labels.max():.2f}" in after
    assert repr(data) == after


def test_describing_moves_no_random_state(small_mnist):
    data = ready(MNIST())
    torch.manual_seed(3)
    before = torch.get_rng_state()
    str(data)
    assert torch.equal(torch.get_rng_state(), before)


def test_constructing_touches_no_disk(data_root):
    for cls in (MNIST, FashionMNIST, EMNIST):
        cls()
    assert not list(data_root.iterdir())


def test_loaders_shuffle_training_batches_only(small_mnist):
    data = ready(MNIST(batch_size=50))
    val = torch.cat([y for _, y in data.val_dataloader()])
    assert torch.equal(val, data.splits["val"].__getitems__(range(5000))[1])
    train = torch.cat([y for _, y in data.train_dataloader()])
    in_order = data.splits["train"].__getitems__(range(1000))[1]
    assert not torch.equal(train, in_order)
    assert torch.equal(train.sort().values, in_order.sort().values)
