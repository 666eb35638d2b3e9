import logging
import subprocess
import sys

import numpy as np
import pytest

from text_recognizer.data import cache


@pytest.fixture
def arrays():
    return {"images": np.arange(3000, dtype=np.uint8).reshape(3, 1000), "labels": np.array([1, 2, 3])}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "processed" / "set-123.h5"


def equal(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def test_arrays_come_back_as_they_were_and_are_built_once(path, arrays):
    calls = []

    def build():
        calls.append(1)
        return arrays

    assert equal(cache.load(path, build), arrays)
    assert equal(cache.load(path, build), arrays)
    assert len(calls) == 1


def test_a_failing_build_leaves_nothing_that_could_be_trusted(path):
    def build():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure(path, build)
    assert not path.exists()


def test_a_failing_write_leaves_nothing_that_could_be_trusted(path):
    with pytest.raises(TypeError):
        cache.ensure(path, lambda: {"good": np.zeros(5), "bad": np.array([object()])})
    assert [file.suffix for file in path.parent.iterdir()] in ([], [".lock"])


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file_is_made_again_with_a_warning(path, arrays, damage, caplog):
    cache.ensure(path, lambda: arrays)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = b""
    else:
        at = content.index(bytes(range(200, 256)))  # in the pictures
        content[at] ^= 1
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert equal(cache.load(path, lambda: arrays), arrays)
    assert "damaged" in caplog.text


def test_key_changes_with_everything_it_is_made_from():
    keys = {
        cache.content_key(version=1, sizes={"a": 1}),
        cache.content_key(version=2, sizes={"a": 1}),
        cache.content_key(version=1, sizes={"a": 2}),
    }
    assert len(keys) == 3
    assert cache.content_key(a=1, b=2) == cache.content_key(b=2, a=1)


def test_processes_that_start_together_build_once(path):
    code = f"""
import sys, time
import numpy as np
from pathlib import Path
from text_recognizer.data import cache
def build():
    print("built", flush=True)
    time.sleep(0.5)
    return {{"x": np.arange(10)}}
cache.ensure(Path({str(path)!r}), build)
"""
    # The module alone, without the package's other imports, which would take each process seconds.
    stub = (
        "import sys, types, pathlib; package = types.ModuleType('text_recognizer.data');"
        "package.__path__ = [str(pathlib.Path('text_recognizer/data').resolve())];"
        "sys.modules['text_recognizer.data'] = package\n"
    )
    command = [sys.executable, "-c", stub + code]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert "".join(outputs).count("built") == 1
