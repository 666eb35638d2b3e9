"""Archives from strangers: whatever is wrong with them, one clear line says so, soon, and in little memory."""

import gzip
import io
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from conftest import idx_bytes, write_metadata
from nltk.tokenize import treebank  # noqa: F401  here: importing it takes longer than any test may

from lab_kit.datasets.zip_member import open_zip, read_member
from lab_kit.errors import UserError
from text_recognizer.data import EMNIST, MNIST, SentenceGenerator

LABELS = np.arange(6, dtype=np.uint8)
IMAGES = np.zeros((6, 28, 28), np.uint8)


def packed(array):
    return gzip.compress(idx_bytes(array))


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


def zeros(megabytes, start=b""):
    """Return deflated zeros, a thousandth in size: a bomb."""
    stream = zlib.compressobj(9, wbits=-15)
    block = bytes(1 << 20)
    return stream.compress(start) + b"".join(stream.compress(block) for _ in range(megabytes)) + stream.flush()


def forged_zip(name, deflated, size, crc=0, flags=0, method=8):
    """Return an archive of one member whose headers say whatever is wanted."""
    fields = (20, flags, method, 0, 0, crc, len(deflated), size, len(name), 0)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", *fields) + name.encode() + deflated
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, *fields, 0, 0, 0, 0, 0) + name.encode()
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + end


@pytest.fixture(autouse=True)
def in_bounded_time_and_memory():
    tracemalloc.start()
    start = time.process_time()
    yield
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 3  # tracing makes it several times slower
    assert peak < 100e6


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
        pytest.param(zip_bytes({}), "it has no gzip/emnist-byclass-train-labels", id="no members"),
        pytest.param(without(TEST_IMAGES), "it has no gzip/emnist-byclass-test-images", id="a member missing"),
        pytest.param(
            zip_bytes({f"../../{name}": content for name, content in emnist_members().items()}),
            "it has no gzip/emnist-byclass-train-labels",
            id="names that lead elsewhere",
        ),
        pytest.param(flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -38, 1), "is encrypted", id="encrypted"),
        pytest.param(
            flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -36, 99),
            "compressed by method 99, not deflate",
            id="unknown method",
        ),
        pytest.param(zip_bytes(emnist_members(), zipfile.ZIP_LZMA), "method 14, not deflate", id="lzma"),
        pytest.param(zip_bytes(emnist_members(), zipfile.ZIP_BZIP2), "method 12, not deflate", id="bzip2"),
        pytest.param(flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -29, 7), "Bad CRC-32", id="wrong checksum"),
        pytest.param(flipped(GOOD_ZIP, TRAIN_LABELS.encode(), -4, 255), "is not the EMNIST", id="misplaced member"),
        pytest.param(changed(TRAIN_LABELS, b"no gzip"), "train-labels.* is damaged: .*header", id="no gzip"),
        pytest.param(changed(TRAIN_LABELS, b""), "train-labels.* breaks off", id="empty member"),
        pytest.param(changed(TRAIN_LABELS, packed(LABELS)[:-4]), "breaks off", id="gzip cut short"),
        pytest.param(changed(TRAIN_LABELS, packed(IMAGES)), "not the expected IDX", id="images for labels"),
        pytest.param(changed(TEST_IMAGES, packed(LABELS)), "not the expected IDX", id="labels for images"),
        pytest.param(changed(TRAIN_LABELS, packed(LABELS[:5])), "announces 6 x 28 x 28", id="a label too few"),
        pytest.param(changed(TRAIN_LABELS, packed(np.append(LABELS, 1))), "does not fit", id="a label too many"),
        pytest.param(changed(TEST_LABELS, packed(LABELS + 57)), "a label 62, but only 62 classes", id="label 62"),
        pytest.param(changed(TRAIN_LABELS, packed(LABELS + 250)), "a label 255", id="label 255"),
        pytest.param(
            zip_bytes(emnist_members() | {TRAIN_LABELS: packed(LABELS[:0]), TRAIN_IMAGES: packed(IMAGES[:0])}),
            "does not fit together",
            id="no pictures",
        ),
        pytest.param(changed(TEST_IMAGES, packed(IMAGES[:, :, :27])), "announces 6 x 28 x 27", id="narrow pictures"),
        pytest.param(
            changed(TRAIN_LABELS, gzip.compress(bytes([0, 0, 8, 1]) + b"\xff" * 4)),
            "announces 4,294,967,295 bytes, not at most 697,932",
            id="terabytes announced",
        ),
    ],
)
def test_a_malformed_emnist_archive_is_one_clear_line(data_root, content, message):
    put(data_root, "emnist", "gzip.zip", content)
    with pytest.raises(UserError, match=message) as error:
        EMNIST().prepare_data()
    assert "\n" not in str(error.value)
    assert not list((data_root / "processed").rglob("*.h5"))


def gzip_of(deflated, header=b"\x1f\x8b\x08\x00" + bytes(6)):
    return header + deflated + bytes(8)


HEADER = idx_bytes(LABELS)[:8]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(changed(TRAIN_LABELS, gzip_of(zeros(200))), "starts with 00 00 00 00", id="zeros in gzip"),
        pytest.param(
            changed(TRAIN_LABELS, gzip_of(zeros(200, HEADER))), "more bytes where its header announces 6", id="labels"
        ),
        pytest.param(
            forged_zip(TRAIN_LABELS, zeros(200), 200 << 20), "is said to be 209,715,200 bytes", id="zeros in zip"
        ),
        pytest.param(forged_zip(TRAIN_LABELS, zeros(200), 500_000), "incorrect header|Bad CRC", id="a size that lies"),
        pytest.param(
            forged_zip(TRAIN_LABELS, zlib.compress(gzip_of(zeros(100, HEADER)), 9)[2:-4], 100_000),
            "is damaged|Bad CRC",
            id="zip in zip",
        ),
    ],
)
def test_a_bomb_in_emnists_place_is_one_clear_line(data_root, content, message):
    put(data_root, "emnist", "gzip.zip", content)
    with pytest.raises(UserError, match=message):
        EMNIST().prepare_data()


@pytest.mark.parametrize(
    ("name", "header"), [(TRAIN_LABELS, idx_bytes(LABELS)[:8]), (TEST_IMAGES, idx_bytes(IMAGES)[:16])]
)
def test_a_bomb_of_ten_gigabytes_goes_off_nowhere(data_root, name, header):
    # A block of deflated zeros, repeated: ten gigabytes from ten megabytes, without packing ten gigabytes.
    stream = zlib.compressobj(9, wbits=-15)
    start = stream.compress(header) + stream.flush(zlib.Z_FULL_FLUSH)
    stream = zlib.compressobj(9, wbits=-15)
    block = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    bomb = start + block * 10_240
    assert 5e6 < len(bomb) < 15e6
    put(data_root, "emnist", "gzip.zip", changed(name, gzip_of(bomb)))
    with pytest.raises(UserError, match=r"is said to be|more bytes"):
        EMNIST().prepare_data()


MNIST_FILES = {f"{part}-{kind}-ubyte.gz": kind for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("train-images-idx3-ubyte.gz", gzip_of(zeros(300)), "starts with 00 00 00 00", id="bomb of images"),
        pytest.param("train-labels-idx1-ubyte.gz", gzip_of(zeros(300, HEADER)), "more bytes", id="bomb of labels"),
        pytest.param("train-labels-idx1-ubyte.gz", packed(LABELS), "announces 5,010 x 28", id="too few labels"),
        pytest.param("train-labels-idx1-ubyte.gz", packed(np.full(5010, 10)), "a label 10, but only 10", id="label 10"),
        pytest.param("train-labels-idx1-ubyte.gz", packed(np.zeros(60_001)), "not at most 60,000", id="too many"),
        pytest.param(
            "t10k-labels-idx1-ubyte.gz", packed(np.zeros(10_001)), "not at most 10,000", id="too many to test"
        ),
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
        pytest.param(
            zip_bytes({f"brown/c{kind}{number:02}": SAMPLE for kind in "abcdef" for number in range(100)}),
            "600 samples where it has 500",
            id="too many samples",
        ),
        pytest.param(
            forged_zip("brown/ca01", zeros(200), 200 << 20), "said to be 209,715,200 bytes, where 100,000", id="bomb"
        ),
        pytest.param(forged_zip("brown/ca01", zeros(200), 90_000), "Bad CRC-32", id="bomb of a size that lies"),
        pytest.param(forged_zip("brown/ca01", SAMPLE, len(SAMPLE), method=0, flags=1), "encrypted", id="encrypted"),
        pytest.param(forged_zip("brown/ca01", SAMPLE, len(SAMPLE), method=0), "Bad CRC-32", id="wrong checksum"),
        pytest.param(
            forged_zip("brown/ca01", SAMPLE, len(SAMPLE)), "is not the Brown corpus: Error -3", id="no deflate"
        ),
        pytest.param(zip_bytes({"brown/ca01": SAMPLE}, zipfile.ZIP_LZMA), "method 14, not deflate", id="lzma"),
    ],
)
def test_a_malformed_brown_archive_is_one_clear_line(data_root, content, message):
    put(data_root, "brown", "brown.zip", content)
    with pytest.raises(UserError, match=f"brown.zip is not the Brown corpus: .*{message}|{message}"):
        SentenceGenerator(20).load()


def test_forged_archives_are_read_where_they_do_not_lie(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(forged_zip("a", zlib.compress(SAMPLE)[2:-4], len(SAMPLE), crc=zlib.crc32(SAMPLE)))
    with open_zip(path, "a test") as archive:
        assert read_member(archive, "a", 100) == SAMPLE
