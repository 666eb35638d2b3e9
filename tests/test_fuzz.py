"""Whatever comes in, the parsers and the command line give a right result or a UserError: soon, in 500 MB.

pytest tests/test_fuzz.py -n0                                 # a few hundred cases each
pytest tests/test_fuzz.py -n0 --hypothesis-profile=thorough   # more than 10,000 cases
"""

import contextlib
import gzip
import inspect
import io
import math
import os
import re
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import idx_bytes, write_metadata
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nltk.tokenize import treebank  # noqa: F401  here: importing it takes longer than a case may

from lab_kit.datasets.idx import check_labelled_images, read_idx
from lab_kit.datasets.raw_data import RawData
from lab_kit.errors import UserError
from lab_kit.experiment import cli
from text_recognizer.data import EMNIST, SentenceGenerator
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING, MARKS, decode, encode
from training.run_experiment import PACKAGES, Run

# What grows out of hand takes minutes; a case takes milliseconds, on a busy machine with a first import a second.
SECONDS, BYTES = 10.0, 500e6
twice = settings(max_examples=2 * settings().max_examples)
half = settings(max_examples=settings().max_examples // 2)

# Bounds of each case


class Worst:
    """What the cases cost at most, and how many there were."""

    cases, seconds, growth = 0, 0.0, 0


@contextlib.contextmanager
def within_bounds():
    """Fail if what is inside takes too long or too much memory; a UserError ends it in the right way."""
    before = _memory("VmRSS", reset=True)
    start = time.process_time()
    try:
        yield
    except UserError as error:
        if not str(error).strip():
            raise AssertionError("an error that says nothing") from error
    seconds, growth = time.process_time() - start, _memory("VmHWM") - before
    Worst.cases += 1
    Worst.seconds, Worst.growth = max(Worst.seconds, seconds), max(Worst.growth, growth)
    assert seconds < SECONDS
    assert growth < BYTES


def _memory(row, reset=False):
    """Return a figure of this process's memory in bytes; `reset` lets the peak start from here. Linux only."""
    with contextlib.suppress(OSError):
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        return 1024 * int(re.search(rf"{row}:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    return 0


@pytest.fixture(scope="module", autouse=True)
def report(request):
    yield
    plugin = request.config.pluginmanager.get_plugin
    if terminal := plugin("terminalreporter"):
        text = f"{Worst.cases:,} cases, the slowest {Worst.seconds:.2f} s, the largest {Worst.growth / 1e6:.0f} MB"
        with plugin("capturemanager").global_and_fixture_disabled():
            terminal.write_line("\n" + text)


# Strategies

sizes = st.sampled_from([0, 1, 2, 3, 27, 28, 29, 255, 697_932, 2**31 - 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
noise = st.binary(max_size=60)


@st.composite
def damaged(draw, content, most=3):
    """The bytes of `content`, or of what it draws, some of them changed, cut out, or doubled; at times none."""
    content = draw(content) if isinstance(content, st.SearchStrategy) else content
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 2, 4, 8, 64, 10**9])))
        between = draw(st.sampled_from([b"", b"\xff" * 4, b"\0" * 4, content[start:end] * 2]) | noise)
        content = content[:start] + between + content[end:]
    return content


@st.composite
def idx(draw, size=(28, 28)):
    """IDX: mostly right, or with a header that lies."""
    count = draw(st.integers(0, 3))
    shape = draw(st.just((count, *size)) | st.lists(sizes, max_size=4).map(tuple))
    start = draw(st.just(b"\0\0\x08") | st.binary(max_size=4)) + bytes([len(shape)])
    extent = draw(st.just(count * math.prod(size)) | st.integers(0, 3000))
    values = draw(st.sampled_from([b"\0", b"\x01\x02", b"\x3d", b"\x3e", b"\xff"]))
    return start + b"".join(struct.pack(">I", part) for part in shape) + (values * extent)[:extent]


def packed(content):
    return content.map(lambda content: gzip.compress(content, 1, mtime=0))


streams = packed(idx()) | packed(idx(())) | damaged(packed(idx())) | noise


@st.composite
def archives(draw, members):
    """A zip archive of these members (name -> strategy), some missing, packed in one way or another, and damaged."""
    file = io.BytesIO()
    method = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]))
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            if draw(st.integers(0, 19)):
                name = name if draw(st.integers(0, 19)) else draw(st.sampled_from(["../", "/", "C:\\", "é"])) + name
                archive.writestr(zipfile.ZipInfo(name), draw(content), method)  # ZipInfo: the same time in each run
    return draw(damaged(file.getvalue()))


def put(dataset, name, content):
    """Put an archive into the data root, with metadata that vouches for it; nothing of earlier ones is left."""
    root = Path(os.environ["TEXT_RECOGNIZER_DATA"])
    path = root / "downloaded" / dataset / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    write_metadata(root, dataset, [path])
    for processed in root.glob("processed/*/*.h5"):
        processed.unlink()
    return path


# Parsers of archives


@twice
@given(streams, st.sampled_from([(28, 28), (), (3, 4)]))
def test_idx(content, size):
    images = None
    with within_bounds():
        images = read_idx(io.BytesIO(content), "fuzz", size)
    if images is not None:
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        assert images.numpy().tobytes() == plain[4 + 4 * images.ndim :]
        assert struct.unpack(f">{images.ndim}I", plain[4 : 4 + 4 * images.ndim]) == images.shape
        assert images.shape[1:] == size
        assert plain[:4] == bytes([0, 0, 8, images.ndim])


LABELS, IMAGES = np.array([0, 61], np.uint8), np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
MEMBERS = {
    f"gzip/emnist-byclass-{part}-{kind}-ubyte.gz": st.just(gzip.compress(idx_bytes(array), 1, mtime=0))
    for part in ("train", "test")
    for kind, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS))
}


@st.composite
def emnist_archives(draw):
    """EMNIST's archive with one member, or none, replaced by another stream."""
    odd = draw(st.none() | st.sampled_from(sorted(MEMBERS)))
    return draw(archives(MEMBERS | ({odd: streams} if odd else {})))


@twice
@given(emnist_archives())
def test_emnist_archive(content):
    assume(content)
    path = put("emnist", "gzip.zip", content)
    data = EMNIST(balance=False)
    with within_bounds():
        data.prepare_data()
        data.setup()
    if data.splits:
        with zipfile.ZipFile(path) as archive:
            for name in MEMBERS:
                split = data.splits["test" if "test" in name else "train"]
                plain = gzip.decompress(archive.read(name))
                if "labels" in name:
                    assert (split.labels - 4).tolist() == list(plain[8:])
                else:
                    assert split.images.numpy().transpose(0, 2, 1).tobytes() == plain[16:]


word = st.text("abYZ019.,-'\"`?!$/ é\u2028\xa0", min_size=1, max_size=12).map(lambda word: word + "/nn")
sample = st.lists(st.lists(word, max_size=8).map("\t".join), max_size=5).map(lambda lines: "\n".join(lines).encode())
samples = sample | damaged(sample) | noise


@twice
@given(archives({"brown/cats.txt": noise, "brown/ca01": samples, "brown/cb07": samples}), st.booleans())
def test_brown_archive(content, keep_marks):
    assume(content)
    put("brown", "brown.zip", content)
    generator = SentenceGenerator(1000, keep_marks)
    pieces = []
    with within_bounds():
        generator.load()
        pieces += [generator.generate(), generator.generate()]
    for piece in pieces:
        assert piece == " ".join(piece.split())
        assert 0 < len(piece) <= 1000
        assert set(piece) <= {*ALPHANUMERIC, " ", *(MARKS if keep_marks else ())}


# Metadata

toml_values = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=10),
    st.sampled_from(["a.gz", "..", "../a", "/a", "a/b", "", "0" * 64, "https://a.org/a", "file:///a", "http://[", []]),
)
toml_line = st.tuples(
    st.sampled_from(["name", "source", "filename", "size", "sha256", "urls", "files"]),
    toml_values.map(repr) | toml_values.map(lambda value: f"[{value!r}]") | st.text(max_size=12),
).map(" = ".join)
GOOD_LINES = [
    'name = "Odd"', 'source = "here"', "[[files]]", 'filename = "a.gz"', "size = 3", f'sha256 = "{"0" * 64}"',
    'urls = ["https://example.org/a.gz"]',
]  # fmt: skip


@st.composite
def metadata(draw):
    """Metadata with some lines replaced, left out, or of anything."""
    lines = list(GOOD_LINES)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        key = lines[place].partition(" = ")[0]
        value = draw(toml_values.map(repr) | toml_values.map(lambda value: f"[{value!r}]"))
        lines[place] = draw(st.sampled_from([f"{key} = {value}", ""]) | toml_line)
    return draw(damaged("\n".join(lines).encode(), most=1))


@twice
@given(metadata() | noise | st.sampled_from([b"[", b"{", b"x=["]).map(lambda start: b"x=" + start * 20_000))
def test_metadata(content):
    root = Path(os.environ["TEXT_RECOGNIZER_DATA"])
    (root / "raw" / "odd").mkdir(parents=True, exist_ok=True)
    (root / "raw" / "odd" / "metadata.toml").write_bytes(content)
    with within_bounds():
        raw = RawData.load("odd")
        assert raw.files
        for file in raw.files:
            assert file.path.parent == raw.folder == root / "downloaded" / "odd"
            assert file.path.name not in ("", ".", "..")
            assert file.size is None or file.size > 0
            assert int(file.sha256, 16) >= 0
            assert all(re.match("https?:", url) for url in file.urls)
        raw.present()


# Characters and labels


@given(st.text("ab01 !é<B>\0\ud800", max_size=12) | st.text(max_size=12), st.none() | st.integers(-2, 20))
def test_text_to_classes_and_back(text, length):
    with within_bounds():
        indices = encode(text, length)
        assert indices.shape == (len(text) if length is None else length,)
        assert decode(indices) == text


@given(st.lists(st.integers(-300, 300) | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 82), max_size=12))
def test_classes_to_text(indices):
    with within_bounds():
        assert decode(indices, keep_special=True) == "".join(MAPPING[index] for index in indices)
        assert all(0 <= index < 83 for index in indices)


@given(st.lists(st.integers(0, 255), max_size=5), st.lists(st.integers(0, 29), min_size=1, max_size=4))
def test_labels(labels, shape):
    with within_bounds():
        check_labelled_images(torch.zeros(shape).byte(), torch.tensor(labels).byte(), (28, 28), 62, "fuzz")
        assert shape == [len(labels), 28, 28]
        assert labels
        assert max(labels) < 62


# Command line


def flat(parts):
    return [word for part in parts for word in part]


FLAGS = sorted(
    {
        *inspect.signature(Run).parameters,
        *("batch_size", "num_workers", "source", "seed", "augment", "fc1", "lr", "optimizer", "loss", "conv_dim"),
        *("config", "help", "print_config", "precision", "devices", "strategy", "profiler", "limit_train_batches"),
        *("max_length", "window_width", "lrr", "Lr", "model", "logger", "lr.x", "", "x" * 300),
    }
)
BOMB = "{a: &a [1,1], b: &b [*a,*a,*a,*a,*a,*a], c: &c [*b,*b,*b,*b,*b,*b], d: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]}"
VALUES = [
    *(
        "MNIST",
        "EMNIST",
        "EMNISTLines",
        "FashionMNIST",
        "MLP",
        "CNN",
        "ResNet",
        "LineCNN",
        "mlp",
        "ctc",
        "cross_entropy",
    ),
    *("auto", "pen", "true", "false", "null", "~", "~nobody/x", "/", "..", "--", "=", "*", "&", "1", "0", "-1", "1e-3"),
    *(
        "1e400",
        "nan",
        ".inf",
        "0x10",
        "1_0",
        "1:30",
        "2001-99-99",
        "[1",
        "[1]",
        "{",
        "}",
        "{a:1}",
        "&a [*a]",
        "*a",
        "!!int",
    ),
    *("!!python/object:os.system", "", "\n", "a\0b", "\ud800"),
    *(BOMB, "9" * 400, "9" * 5000, "0x" + "f" * 4000, "[" * 50, "[" * 3000, "{a: " * 400),
    *("[0, 1]", "{a: 1}", "a: b", "<<: 1", "!!int x", "{class_path: torch.nn.Linear, init_args: {a: 1}}"),
]
values = st.sampled_from(VALUES) | st.text(max_size=20) | st.integers().map(str) | st.floats().map(str)
flag = st.sampled_from(FLAGS).map("--{}".format)
argument = flag | values | st.tuples(flag, values).map("=".join)
# Where most arguments are right, those that are not are seen by more than the first check.
good = st.sampled_from(
    [["--max_epochs", "3"], ["--lr=0.1"], ["--data_class", "EMNIST"], ["--model_class", "CNN"], ["--test_only"],
     ["--precision", "32"], ["--devices", "[0, 1]"], ["--log_dir", "x"], ["--loss", "cross_entropy"]]
)  # fmt: skip
pair = st.tuples(flag, values).map(list)


def parse(arguments):
    """Parse, and check what must hold of each result; what is written on the way goes nowhere."""
    with contextlib.redirect_stdout(io.StringIO()), within_bounds():
        try:
            choice = cli.parse(arguments, Run, PACKAGES)
        except SystemExit as end:
            assert not end.code  # noqa: PT017
            assert {"-h"} & set(arguments) or any("--help" in word or "--print_config" in word for word in arguments)
            return
        assert (choice.settings.data_class, choice.settings.model_class) == (
            choice.data_class.__name__,
            choice.model_class.__name__,
        )
        assert isinstance(yaml.safe_load(choice.yaml), dict)
        choice.yaml.encode("utf-8")
        for cls in (Run, choice.data_class, choice.model_class, choice.lit_class):
            choice.kwargs_for(cls)


@half
@given(st.lists(good | pair | argument.map(lambda word: [word]), max_size=4).map(flat))
def test_command_line(arguments):
    parse(arguments)


yaml_line = st.tuples(
    st.sampled_from([flag for flag in FLAGS if flag])
    | st.sampled_from(["1", "null", "? [1]", "<<", "=", "a.b", "&a x"]),
    values | values.map(yaml.safe_dump).map(str.strip),
).map(": ".join)
good_line = st.sampled_from(["max_epochs: 3", "lr: 0.1", "data_class: EMNIST", "model_class: CNN", "devices: [0, 1]"])
documents = st.lists(good_line | yaml_line, max_size=4).map("\n".join)


@half
@given(
    damaged(documents.map(lambda text: text.encode("utf-8", "surrogatepass")), most=1) | noise,
    st.lists(good | pair, max_size=1).map(flat),
)
def test_config_file(content, arguments):
    path = Path(os.environ["TEXT_RECOGNIZER_DATA"]) / "config.yaml"
    path.write_bytes(content)
    parse(["--config", str(path), *arguments])
