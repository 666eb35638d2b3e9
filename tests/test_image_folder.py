from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lab_kit.datasets.picture_files import find_pictures
from lab_kit.errors import UserError
from text_recognizer.data.image_folder import ImageFolder
from text_recognizer.preprocessing import Preprocessing, ink_on_black


def ready(*args, **kwargs):
    data = ImageFolder(*args, **kwargs)
    data.prepare_data()
    data.setup()
    return data


def save(path: Path, pixels: np.ndarray, **how) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Two classes of 20 and 10 pictures, coloured noise."""
    random = np.random.default_rng(0)
    for name, count in (("leaf", 20), ("bird", 10)):
        for k in range(count):
            save(tmp_path / "set" / name / f"{name[0]}{k:02}.png", random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    return tmp_path / "set"


def test_splits_are_stratified_and_share_no_picture(pictures):
    data = ready(pictures, image_size=16)
    assert data.config().mapping == ("bird", "leaf")
    train, val = data.splits["train"], data.splits["val"]
    assert torch.bincount(val.labels[val.indices]).tolist() == [2, 4]
    assert sorted(train.indices.tolist() + val.indices.tolist()) == list(range(30))
    assert data.splits["test"].indices.tolist() == val.indices.tolist()
    assert "flatters" in str(data)


def test_pictures_are_those_of_the_files(pictures):
    data = ready(pictures, image_size=16)
    for index, (folder, picture) in enumerate(data.pictures()):
        pixels = np.array(Image.open(folder / picture.file))
        assert np.array_equal(data.splits["train"].images[index].permute(1, 2, 0).numpy(), pixels)
        assert data.config().mapping[data.splits["train"].labels[index]] == picture.label


def test_the_split_has_a_seed_of_its_own_and_outlives_a_clean_up(pictures):
    def validating(**kwargs):
        return {
            picture.file for _, picture in ready(pictures, image_size=16, **kwargs).pictures() if picture.split == "val"
        }

    before = validating(seed=1)
    assert validating(seed=2) == before
    assert validating(split_seed=1) != before
    removed = next(picture for picture in find_pictures(pictures, {}) if picture.file not in before)
    (pictures / removed.file).unlink()
    moved = next(file for file in before if file.startswith("leaf"))
    (pictures / moved).rename(pictures / "bird" / Path(moved).name)
    after = validating()
    assert len(before - after) <= 2  # one was given to another class; a share of 20% may round to one fewer
    assert f"bird/{Path(moved).name}" in after


def test_train_valid_and_test_folders_are_taken_as_they_are(pictures, tmp_path):
    data = ready(pictures, image_size=16)
    for _, picture in data.pictures():
        folder = "valid" if picture.split == "val" else "train"
        target = tmp_path / "split" / folder / picture.file
        target.parent.mkdir(parents=True, exist_ok=True)
        (pictures / picture.file).rename(target)
    assert [len(part) for part in ready(tmp_path / "split", image_size=16).splits.values()] == [24, 6, 6]
    save(tmp_path / "tests" / "leaf" / "x.png", np.zeros((16, 16, 3), np.uint8))
    apart = ready(tmp_path / "split", tmp_path / "tests", image_size=16)
    assert [len(part) for part in apart.splits.values()] == [24, 6, 1]


def test_normalisation_with_the_datas_own_statistics(pictures):
    data = ready(pictures, image_size=16)
    train = data.splits["train"]
    images, _ = train.__getitems__(range(len(train)))
    assert images.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert (images.std(dim=(0, 2, 3), unbiased=False) - 1).abs().max() < 1e-4
    # The validation pictures are normalised as the training pictures are, not by their own mean.
    mean = train.images[train.indices].double().mean(dim=(0, 2, 3)) / 255
    assert torch.allclose(torch.tensor(data.preprocessing.mean, dtype=torch.float64), mean)


def test_characters_are_light_ink_on_black_whatever_the_paper(tmp_path):
    random = np.random.default_rng(0)
    for name, paper, ink in (("dark", 40, 230), ("light", 235, 60)):
        for k in range(4):
            pixels = np.full((60, 90, 3), paper, np.uint8) + random.integers(0, 3, (60, 90, 3), dtype=np.uint8)
            pixels[28:33, 30:60] = ink  # a stroke
            pixels[:, :30] -= 30  # a shadow
            save(tmp_path / name / f"{name}{k}.png", pixels)
    data = ready(tmp_path, image_size=28, statistics="characters")
    assert data.config().input_dims == (1, 28, 28)
    images, _ = data.splits["train"].__getitems__(range(6))
    assert images.amin() == 0
    assert images.amax() == 1
    assert (images[:, 0, [0, 8, 20, 27]] < 0.1).all()  # paper
    assert (images[:, 0, 13:15, 12:16].amax(dim=1) > 0.9).all()  # ink


def test_a_picture_without_ink_stays_black():
    noise = torch.randint(198, 202, (1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert ink_on_black(noise).max() < 20


@pytest.mark.parametrize(("fit", "expected"), [("pad", [9, 9, 1, 2, 9, 9]), ("crop", [1, 1, 1, 2, 2, 2])])
def test_a_picture_becomes_a_square(fit, expected):
    wide = np.full((6, 18), 9, np.uint8)
    wide[:, 6:9], wide[:, 9:12] = 1, 2
    if fit == "pad":
        wide = wide.T.copy()
        wide[:] = 9
        wide[6:9], wide[9:12] = 1, 2
        pixels = Preprocessing(18, 1, fit, False, (0,), (1,)).read(Image.fromarray(wide))[0]
        assert pixels.shape == (18, 18)
        assert pixels[:, 9].tolist() == [9] * 6 + [1] * 3 + [2] * 3 + [9] * 6
        assert (pixels[:, :6] == 9).all()  # the border's shade, beside the picture
    else:
        pixels = Preprocessing(6, 1, fit, False, (0,), (1,)).read(Image.fromarray(wide))[0]
        assert pixels[0].tolist() == expected


def test_a_photo_is_turned_upright_and_transparency_is_paper():
    half = np.zeros((8, 8, 3), np.uint8)
    half[:4] = 255
    lying = Image.fromarray(half)
    exif = lying.getexif()
    exif[0x0112] = 6  # the camera was turned: the top is at the right
    how = Preprocessing(8, 1, "pad", False, (0,), (1,))
    lying.info["exif"] = exif.tobytes()
    upright = how.read(lying)[0]
    assert upright[:, 7].min() == 255
    assert upright[:, 0].max() == 0
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert how.read(clear).min() == 255


def test_any_number_of_channels_from_numpy_files(tmp_path):
    random = np.random.default_rng(0)
    for name in ("field", "water"):
        (tmp_path / name).mkdir()
        for k in range(5):
            np.save(tmp_path / name / f"{name}{k}.npy", random.integers(0, 256, (20, 20, 5), dtype=np.uint8))
    data = ready(tmp_path, image_size=20)
    assert data.config().input_dims == (5, 20, 20)
    first = data.pictures()[0][1].file
    assert np.array_equal(data.splits["train"].images[0].permute(1, 2, 0).numpy(), np.load(tmp_path / first))


def test_what_is_wrong_with_a_folder_is_said_in_one_line(pictures, tmp_path):
    def message(*args, **kwargs):
        with pytest.raises(UserError) as error:
            ready(*args, **kwargs)
        return str(error.value)

    assert "--folder" in message()
    assert "There is no folder" in message(tmp_path / "none")
    (tmp_path / "empty" / "fish").mkdir(parents=True)
    assert "no pictures" in message(tmp_path / "empty")
    save(tmp_path / "strange" / "fish" / "x.png", np.zeros((9, 9), np.uint8))
    assert "no training pictures" in message(pictures, tmp_path / "strange")
    assert "learned by heart" in message(pictures, pictures)
    assert "image_size" in message(pictures, image_size=3)
    assert "augment" in message(pictures, flip=True)
    (pictures / "train" / "leaf").mkdir(parents=True)
    assert "but also bird" in message(pictures)
    save(tmp_path / "one" / "only" / "x.png", np.zeros((9, 9), np.uint8))
    assert "one class only" in message(tmp_path / "one")


def test_printing_moves_no_random_state_and_shows_the_counts(pictures):
    data = ready(pictures, image_size=16)
    before = torch.get_rng_state()
    text = str(data)
    assert torch.equal(torch.get_rng_state(), before)
    assert "bird 8+2, leaf 16+4" in text
    assert "not known yet" in str(ImageFolder(pictures))


def test_training_has_no_small_last_batch_and_leaves_out_others_each_epoch(pictures):
    data = ready(pictures, image_size=16, batch_size=7)  # 24 pictures: three batches, and three pictures over
    loader = data.train_dataloader()
    seen = []
    for epoch in range(3):
        loader.batch_sampler.set_epoch(epoch)
        assert [len(labels) for _, labels in loader] == [7, 7, 7]
        seen.append({int(index) for batch in loader.batch_sampler for index in batch})
        assert len(seen[-1]) == 21
    assert set.union(*seen) == set(range(24))
    assert len(data.val_dataloader()) == 1
    assert [len(labels) for _, labels in ready(pictures, image_size=16, batch_size=50).train_dataloader()] == [24]
