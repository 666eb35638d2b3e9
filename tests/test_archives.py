"""Archives that are not what they should be, though their hash is right: one clear line says so."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from conftest import idx_bytes, write_metadata

from lab_kit.errors import UserError
from text_recognizer.data import EMNIST, MNIST, SentenceGenerator

LABELS = np.arange(6, dtype=np.uint8)
IMAGES = np.zeros((6, 28, 28), np.uint8)


def packed(array):
    return gzip.compress(idx_bytes(array), mtime=0)  # the same bytes each time: some cases change one


def emnist_members():
    """Return a good archive's members."""
    names = [(part, kind) for part in ("train", "test") for kind in ("images-idx3", "labels-idx1")]
    arrays = {"images-idx3": packed(IMAGES), "labels-idx1": packed(LABELS)}
    return {f"gzip/emnist-byclass-{part}-{kind}-ubyte.gz": arrays[kind] for part, kind in names}


TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = emnist_members()


def zip_bytes(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def put(root, dataset, name, content):
    """Put an archive into the data root, with metadata that vouches for it."""
    path = root / "downloaded" / dataset / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    write_metadata(root, dataset, [path])


def test_a_good_archive_is_read(data_root):
    put(data_root, "emnist", "gzip.zip", zip_bytes(emnist_members()))
    data = EMNIST(balance=False)
    data.prepare_data()
    data.setup()
    assert data.splits["test"].labels.tolist() == (LABELS + 4).tolist()


def changed(name, content):
    return zip_bytes(emnist_members() | {name: content})


def without(name):
    return zip_bytes({other: content for other, content in emnist_members().items() if other != name})


GOOD_ZIP = zip_bytes(emnist_members())


def flipped(content, needle, offset, value):
    """Change a byte `offset` behind the last occurrence of `needle`."""
    place = content.rindex(needle) + offset
    return content[:place] + bytes([value]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"P", "not a zip file", id="one byte"),
        pytest.param(b"<!DOCTYPE html>" * 9, "not a zip file", id="web page"),
        pytest.param(GOOD_ZIP[: len(GOOD_ZIP) // 2], "not a zip file", id="cut in half"),
        pytest.param(GOOD_ZIP[10:], "is not the EMNIST archive", id="without its start"),
        pytest.param(zip_bytes({}), "no item named .gzip/emnist-byclass-train-labels", id="no members"),
        pytest.param(without(TEST_IMAGES), "no item named .gzip/emnist-byclass-test-images", id="a member missing"),
        pytest.param(
            zip_bytes({f"../../{name}": content for name, content in emnist_members().items()}),
            "no item named .gzip/emnist-byclass-train-labels",
            id="names that lead elsewhere",
        ),
        pytest.param(flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -38, 1), "encrypted", id="encrypted"),
        pytest.param(flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -36, 99), "not supported", id="unknown method"),
        pytest.param(flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -29, 7), "Bad CRC-32", id="wrong checksum"),
        pytest.param(flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -4, 255), "is not the EMNIST", id="misplaced member"),
        pytest.param(changed(TRAIN_LABELS, b"no gzip"), "train-labels.* starts with", id="no gzip"),
        pytest.param(changed(TRAIN_LABELS, packed(LABELS)[:-4]), "ended before", id="gzip cut short"),
        pytest.param(changed(TRAIN_LABELS, packed(IMAGES)), "not the expected IDX", id="images for labels"),
        pytest.param(changed(TEST_IMAGES, packed(LABELS)), "not the expected IDX", id="labels for images"),
        pytest.param(changed(TRAIN_LABELS, packed(LABELS[:5])), "does not fit", id="a label too few"),
        pytest.param(changed(TRAIN_LABELS, packed(np.append(LABELS, 1))), "does not fit", id="a label too many"),
        pytest.param(changed(TEST_LABELS, packed(LABELS + 57)), "a label 62, but only 62 classes", id="label 62"),
        pytest.param(
            zip_bytes(emnist_members() | {TRAIN_LABELS: packed(LABELS[:0]), TRAIN_IMAGES: packed(IMAGES[:0])}),
            "does not fit together",
            id="no pictures",
        ),
        pytest.param(changed(TEST_IMAGES, packed(IMAGES[:, :, :27])), r"items are \(28, 27\)", id="narrow pictures"),
    ],
)
def test_a_malformed_emnist_archive_is_one_clear_line(data_root, content, message):
    put(data_root, "emnist", "gzip.zip", content)
    with pytest.raises(UserError, match=message) as error:
        EMNIST().prepare_data()
    assert "\n" not in str(error.value)
    assert not list((data_root / "processed").rglob("*.h5"))


MNIST_FILES = {f"{part}-{kind}-ubyte.gz": kind for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("train-labels-idx1-ubyte.gz", packed(LABELS), "does not fit", id="too few labels"),
        pytest.param("train-labels-idx1-ubyte.gz", packed(np.full(5010, 10)), "a label 10, but only 10", id="label 10"),
        pytest.param("train-images-idx3-ubyte.gz", b"<html>", "not the expected IDX", id="web page"),
    ],
)
def test_a_malformed_mnist_file_is_one_clear_line(data_root, name, content, message):
    folder = data_root / "downloaded" / "mnist"
    folder.mkdir(parents=True)
    arrays = {"images-idx3": packed(np.zeros((5010, 28, 28))), "labels-idx1": packed(np.zeros(5010))}
    for file, kind in MNIST_FILES.items():
        (folder / file).write_bytes(content if file == name else arrays[kind])
    write_metadata(data_root, "mnist", [folder / file for file in MNIST_FILES])
    data = MNIST()
    data.prepare_data()
    with pytest.raises(UserError, match=message):
        data.setup()


def test_an_mnist_without_pictures_to_train_on_is_one_clear_line(data_root):
    folder = data_root / "downloaded" / "mnist"
    folder.mkdir(parents=True)
    for file, kind in MNIST_FILES.items():
        (folder / file).write_bytes(packed(IMAGES if kind == "images-idx3" else LABELS))
    write_metadata(data_root, "mnist", [folder / file for file in MNIST_FILES])
    data = MNIST()
    data.prepare_data()
    with pytest.raises(UserError, match="mnist has only 6 pictures: 5,000 are to validate"):
        data.setup()


SAMPLE = b"\tThe/at jury/nn said/vbd\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"<html>" * 20, "not a zip file", id="web page"),
        pytest.param(zip_bytes({"brown/README": SAMPLE}), "it has no words", id="no samples"),
        pytest.param(zip_bytes({"brown/ca01": b""}), "it has no words", id="empty sample"),
        pytest.param(zip_bytes({"brown/ca01": b"\xe9/nn"}), "utf-8", id="not utf-8"),
        pytest.param(zip_bytes({"../brown/ca01": SAMPLE}), "it has no words", id="a name that leads elsewhere"),
        pytest.param(zip_bytes({"brown/ca01": SAMPLE})[:-30], "not a zip file", id="cut short"),
    ],
)
def test_a_malformed_brown_archive_is_one_clear_line(data_root, content, message):
    put(data_root, "brown", "brown.zip", content)
    with pytest.raises(UserError, match=f"brown.zip is not the Brown corpus: .*{message}|{message}"):
        SentenceGenerator(20).load()
