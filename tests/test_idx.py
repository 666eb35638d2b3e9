import contextlib
import gzip
import io
import tracemalloc

import numpy as np
import pytest
from conftest import idx_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from text_recognizer.data.idx import check_labelled_images, read_idx
from text_recognizer.errors import UserError


def read(content: bytes):
    return read_idx(io.BytesIO(content), "file.gz")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_reads_what_a_naive_writer_wrote(shape, seed):
    array = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(read(gzip.compress(idx_bytes(array))).numpy(), array)


GOOD = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file|damaged"),
        (b"<!DOCTYPE html>", "damaged"),
        (gzip.compress(b"<!DOCTYPE html>"), "not an IDX file"),
        (gzip.compress(GOOD[:3]), "not an IDX file"),
        (gzip.compress(b"\0\0\x0d\x03" + GOOD[4:]), "not an IDX file"),
        (gzip.compress(GOOD[:-1]), "only 23"),
        (gzip.compress(GOOD + b"x"), "more bytes"),
        (gzip.compress(GOOD)[:-9], "damaged"),
        (gzip.compress(GOOD)[:20] + b"\xff\xff" + gzip.compress(GOOD)[22:], "damaged"),
    ],
)
def test_a_malformed_file_is_refused(content, message):
    with pytest.raises(UserError, match=message):
        read(content)


def test_a_header_that_lies_reserves_no_memory():
    tracemalloc.start()
    with pytest.raises(UserError, match="damaged"):
        read(gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"abc"))
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_arbitrary_bytes_never_crash_it(content):
    for candidate in (content, gzip.compress(content), gzip.compress(GOOD[:8] + content)):
        with contextlib.suppress(UserError):
            read(candidate)


@pytest.mark.parametrize(
    ("images", "labels"),
    [((2, 28, 28), [1]), ((2, 28, 27), [1, 2]), ((0, 28, 28), []), ((2, 28, 28), [1, 10])],
)
def test_images_and_labels_must_fit_together(images, labels):
    import torch

    with pytest.raises(UserError):
        check_labelled_images(torch.zeros(images), torch.tensor(labels), (28, 28), 10, "test")
