import gzip
import io
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from conftest import idx_bytes
from hypothesis import given
from hypothesis import strategies as st

from lab_kit.datasets.idx import check_labelled_images, read_idx
from lab_kit.errors import UserError


def read(content: bytes, size=(3, 4), at_most=10):
    return read_idx(io.BytesIO(content), "file.gz", size, at_most)


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
        pytest.param(b"", "breaks off", id="empty file"),
        pytest.param(b"<!DOCTYPE html>", "incorrect header check", id="web page"),
        pytest.param(gzip.compress(b"<!DOCTYPE html>"), "starts with 3c 21 44 4f, not 00 00 08 03", id="wrong magic"),
        pytest.param(gzip.compress(GOOD[:3]), "not the expected IDX file", id="half a magic"),
        pytest.param(gzip.compress(GOOD[:9]), "header announces", id="half a header"),
        pytest.param(gzip.compress(b"\0\0\x0d\x03" + GOOD[4:]), "starts with 00 00 0d 03", id="numbers of 4 bytes"),
        pytest.param(gzip.compress(b"\0\0\x08\x02" + GOOD[4:]), "starts with 00 00 08 02", id="too few dimensions"),
        pytest.param(gzip.compress(b"\0\0\x08\xff" + GOOD[4:]), "starts with 00 00 08 ff", id="255 dimensions"),
        pytest.param(gzip.compress(header(3, 3, 4) + GOOD[16:]), "only 24 bytes .* announces 36", id="count too high"),
        pytest.param(gzip.compress(header(1, 3, 4) + GOOD[16:]), "more bytes .* announces 12", id="count too low"),
        pytest.param(gzip.compress(header(2, 4, 3) + GOOD[16:]), "announces 2 x 4 x 3", id="other pictures"),
        pytest.param(gzip.compress(header(11, 3, 4) + bytes(132)), "not at most 10 x 3 x 4", id="too many items"),
        pytest.param(gzip.compress(header(2**31, 28, 28)), "2,147,483,648 x 28 x 28", id="terabytes announced"),
        pytest.param(gzip.compress(GOOD[:-1]), "only 23", id="a byte too few"),
        pytest.param(gzip.compress(GOOD + b"x"), "more bytes", id="a byte too many"),
        pytest.param(GOOD[:-1], "only 23", id="unpacked, a byte too few"),
        pytest.param(GOOD + b"x", "more bytes", id="unpacked, a byte too many"),
        pytest.param(GOOD[:3], "not the expected IDX file", id="unpacked, half a magic"),
        pytest.param(header(2**31, 28, 28), "2,147,483,648 x 28 x 28", id="unpacked, terabytes announced"),
        pytest.param(PACKED[:-9], "breaks off", id="gzip cut short"),
        pytest.param(PACKED[:-1], "breaks off", id="gzip without its end"),
        pytest.param(PACKED[:20] + b"\xff\xff" + PACKED[22:], "damaged", id="gzip damaged"),
        pytest.param(PACKED[:-8] + bytes(4) + PACKED[-4:], "incorrect data check", id="wrong checksum"),
        pytest.param(PACKED + b"x", "more bytes", id="something after the gzip stream"),
        pytest.param(PACKED + PACKED, "more bytes", id="two gzip streams"),
    ],
)
def test_a_malformed_file_is_refused(content, message):
    with pytest.raises(UserError, match=message) as error:
        read(content)
    assert str(error.value).startswith("file.gz is ")


def zeros(megabytes: int) -> bytes:
    """A gzip stream, a thousandth in size, of a good header and then zeros."""
    stream = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    return stream.compress(GOOD[:16]) + b"".join(stream.compress(block) for _ in range(megabytes)) + stream.flush()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(header(2**32 - 1, 2**32 - 1, 2**32 - 1) + b"abc"), id="a header that lies"),
        pytest.param(zeros(300), id="zeros without end"),
        pytest.param(b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 30_000_000, id="an endless name"),
        pytest.param(PACKED + bytes(30_000_000), id="zeros after the end"),
        pytest.param(gzip.compress(b"") * 500_000, id="half a million empty streams"),
    ],
)
def test_a_bomb_costs_neither_time_nor_memory(content):
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(UserError, match=r"damaged|not the expected"):
        read(content)
    assert time.process_time() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("images", "labels"),
    [((2, 28, 28), [1]), ((2, 28, 27), [1, 2]), ((0, 28, 28), []), ((2, 28, 28), [1, 10])],
)
def test_images_and_labels_must_fit_together(images, labels):
    import torch

    with pytest.raises(UserError):
        check_labelled_images(torch.zeros(images), torch.tensor(labels), (28, 28), 10, "test")
