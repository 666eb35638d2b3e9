import gzip
import io

import numpy as np
import pytest
from conftest import idx_bytes
from hypothesis import given
from hypothesis import strategies as st

from lab_kit.datasets.idx import check_labelled_images, read_idx
from lab_kit.errors import UserError


def read(content: bytes, size=(3, 4)):
    return read_idx(io.BytesIO(content), "file.gz", size)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_reads_what_a_naive_writer_wrote(shape, seed):
    array = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    for content in (gzip.compress(idx_bytes(array)), idx_bytes(array)):  # as published, and unpacked by a browser
        assert np.array_equal(read(content, tuple(shape[1:])).numpy(), array)


GOOD = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
PACKED = gzip.compress(GOOD)


def header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "starts with nothing", id="empty file"),
        pytest.param(b"<!DOCTYPE html>", "starts with 3c 21 44 4f, not 00 00 08 03", id="web page"),
        pytest.param(gzip.compress(b"<!DOCTYPE html>"), "starts with 3c 21 44 4f, not 00 00 08 03", id="wrong magic"),
        pytest.param(gzip.compress(GOOD[:3]), "starts with 00 00 08, not", id="half a magic"),
        pytest.param(gzip.compress(GOOD[:9]), "its items are", id="half a header"),
        pytest.param(gzip.compress(b"\0\0\x0d\x03" + GOOD[4:]), "starts with 00 00 0d 03", id="numbers of 4 bytes"),
        pytest.param(gzip.compress(b"\0\0\x08\x02" + GOOD[4:]), "starts with 00 00 08 02", id="too few dimensions"),
        pytest.param(gzip.compress(header(3, 3, 4) + GOOD[16:]), r"announces 36\.", id="count too high"),
        pytest.param(gzip.compress(header(1, 3, 4) + GOOD[16:]), r"announces 12\.", id="count too low"),
        pytest.param(gzip.compress(header(2, 4, 3) + GOOD[16:]), r"its items are \(4, 3\), not \(3, 4\)", id="other"),
        pytest.param(gzip.compress(header(2**31, 3, 4)), r"announces 25,769,803,776\.", id="gigabytes announced"),
        pytest.param(GOOD[:-1], r"announces 24\.", id="unpacked, a byte too few"),
        pytest.param(GOOD + b"x", r"announces 24\.", id="unpacked, a byte too many"),
        pytest.param(PACKED[:-9], "ended before", id="gzip cut short"),
        pytest.param(PACKED[:20] + b"\xff\xff" + PACKED[22:], "Error -3|CRC", id="gzip damaged"),
        pytest.param(PACKED[:-8] + bytes(4) + PACKED[-4:], "CRC check failed", id="wrong checksum"),
    ],
)
def test_a_malformed_file_is_refused(content, message):
    with pytest.raises(UserError, match=message) as error:
        read(content)
    assert str(error.value).startswith("file.gz is not the expected IDX file: ")


@pytest.mark.parametrize(
    ("images", "labels"),
    [((2, 28, 28), [1]), ((2, 28, 27), [1, 2]), ((0, 28, 28), []), ((2, 28, 28), [1, 10])],
)
def test_images_and_labels_must_fit_together(images, labels):
    import torch

    with pytest.raises(UserError):
        check_labelled_images(torch.zeros(images), torch.tensor(labels), (28, 28), 10, "test")
