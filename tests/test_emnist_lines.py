import hashlib

import numpy as np
import pytest
import torch

from lab_kit.errors import UserError
from text_recognizer.data import EMNISTLines
from text_recognizer.data.character_mapping import END, MAPPING, PADDING, START, decode

SMALL = {"max_length": 12, "num_train": 150, "num_val": 20, "num_test": 30, "batch_size": 50, "source": "pen"}


def made(**settings) -> EMNISTLines:
    data = EMNISTLines(**(SMALL | settings))
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture(autouse=True)
def _small(small_pen_set):
    pass


def test_shapes_labels_and_ink_agree():
    data = made(min_overlap=0.25, max_overlap=0.25)
    assert data.config().input_dims == (1, 28, 336)
    assert data.config().output_dims == (12, 1)
    assert {split: len(lines) for split, lines in data.splits.items()} == {"train": 150, "val": 20, "test": 30}
    images, labels = data.splits["train"].__getitems__(range(150))
    assert images.shape == (150, 1, 28, 336)
    assert images.dtype == torch.float32
    assert labels.shape == (150, 12)
    assert labels.dtype == torch.int64
    assert 0 <= images.min() < images.max() <= 1
    for image, label in zip(images, labels, strict=True):
        text = decode(label.tolist())
        assert 1 <= len(text) <= 12
        assert label[len(text) :].eq(MAPPING.index(PADDING)).all()
        assert image[:, :, (len(text) - 1) * 21 + 28 :].max() == 0
        for place, character in enumerate(text):
            assert (character == " ") or image[:, :, place * 21 : place * 21 + 28].max() > 0


def test_overlap_is_drawn_for_each_line_within_its_limits():
    images, labels = made(min_overlap=0.1, max_overlap=0.4, num_train=400).splits["train"].__getitems__(range(400))
    texts = [decode(label.tolist()) for label in labels]
    ends = [image[0].any(dim=0).nonzero().max().item() for image in images]
    steps = np.array([(end - 14) / (len(text) - 1) for end, text in zip(ends, texts, strict=True) if len(text) > 6])
    assert steps.min() > 28 * 0.6 - 3
    assert steps.max() < 28 * 0.9 + 3
    assert steps.std() > 1


def test_start_and_end_tokens_take_places_of_their_own():
    _, labels = made(with_start_end_tokens=True).splits["train"].__getitems__(range(150))
    for label in labels.tolist():
        names = [MAPPING[index] for index in label]
        end = names.index(END)
        assert names[0] == START
        assert 1 <= end - 1 <= 10
        assert names[end + 1 :] == [PADDING] * (11 - end)
        assert not {START, END, PADDING} & set(names[1:end])


def test_same_seed_makes_the_same_file_and_another_seed_another(data_root, tmp_path, monkeypatch):
    def digest(root, seed):
        monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(root))
        root.mkdir(exist_ok=True)
        made(seed=seed)
        (file,) = (root / "processed" / "emnist_lines").glob("*.h5")
        return hashlib.sha256(file.read_bytes()).hexdigest()

    first, second, other = digest(tmp_path / "a", 1), digest(tmp_path / "b", 1), digest(tmp_path / "c", 2)
    assert first == second != other


def test_splits_share_no_picture():
    data = made()
    glyphs = data.glyphs(False, ["train", "val", "test"])
    seen = [{picture.tobytes() for picture in part.pictures[1:]} for part in glyphs.values()]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_real_pictures_are_split_before_lines_are_written(small_emnist):
    data = EMNISTLines(**(SMALL | {"source": "auto"}))
    data.prepare_data()
    data.setup()
    assert "small emnist" in data.source_used
    splits = data.emnist._load(real=True)
    indices = {name: set(splits[name].indices.tolist()) for name in ("train", "val")}
    assert not indices["train"] & indices["val"]
    assert splits["train"].images.data_ptr() != splits["test"].images.data_ptr()


def test_lines_are_written_once(monkeypatch):
    first = made()
    monkeypatch.setattr(EMNISTLines, "_write", lambda *_: pytest.fail("written again"))
    again = made()
    assert torch.equal(first.splits["test"].images, again.splits["test"].images)


@pytest.mark.parametrize(
    "change",
    [{"max_overlap": 0.2}, {"num_val": 21}, {"keep_marks": True}, {"with_start_end_tokens": True}, {"seed": 3}],
)
def test_other_settings_make_another_file(change, data_root):
    made()
    made(**change)
    assert len(list((data_root / "processed" / "emnist_lines").glob("*.h5"))) == 2


def test_fresh_lines_are_new_in_every_epoch_and_the_same_whichever_process_writes_them():
    def epochs(workers):
        loader = made(fresh=True, num_workers=workers).train_dataloader()
        batches = []
        for epoch in range(2):
            loader.batch_sampler.set_epoch(epoch)
            batches.append(torch.cat([images for images, _ in loader]))
        return batches

    first, second = epochs(0)
    assert first.shape == (150, 1, 28, 336)
    # Two lines may be the same short word in the same few pictures; an epoch that repeats another would be all equal.
    once, again = ({image.numpy().tobytes() for image in images} for images in (first, second))
    assert len(once) > 140
    assert len(once & again) < 5
    with_workers = epochs(2)
    assert torch.equal(first, with_workers[0])
    assert torch.equal(second, with_workers[1])


def test_fresh_leaves_validation_and_test_as_they_are():
    once, fresh = made(), made(fresh=True)
    for split in ("val", "test"):
        assert torch.equal(once.splits[split].images, fresh.splits[split].images)


def test_printing_says_what_the_lines_are_and_changes_nothing():
    data = EMNISTLines(**SMALL)
    assert "not known yet" in str(data)
    data = made(fresh=True)
    assert str(data) == str(data)
    assert "sentences: Python's documentation" in str(data)
    assert "(50, 1, 28, 336) float32" in str(data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"max_length": 0}, "max_length must be at least 1"), ({"num_val": 0}, "num_val must be at least 1"),
     ({"max_length": 2, "with_start_end_tokens": True}, "max_length must be at least 3"),
     ({"min_overlap": 0.5}, "Overlaps must be"), ({"max_overlap": 1.0}, "Overlaps must be"),
     ({"min_overlap": -0.1}, "Overlaps must be")],
)  # fmt: skip
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        EMNISTLines(**settings)
