"""Small data of the tests' own, in a temporary data root: no network, no real data, seconds."""

import gzip
import hashlib
import logging
import multiprocessing
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from tqdm import tqdm

from lab_kit.experiment import cli
from lab_kit.handwriting import pen_set
from tests import iam_archive, small_course
from tests.left_out import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401  hooks of pytest's
from training import run_experiment

settings.register_profile("course", deadline=None, max_examples=50)  # a busy machine must not fail a test
settings.register_profile("thorough", deadline=None, max_examples=1_250)  # pytest --hypothesis-profile=thorough
settings.load_profile("course")
torch.set_num_threads(1)  # what the tests calculate is too small to share out,
os.environ["OMP_NUM_THREADS"] = "1"  # also in the processes that they start: the cores are busy with other tests
if os.environ.get("START_METHOD"):  # of worker processes: spawn on macOS and Windows, forkserver from Python 3.14 on
    multiprocessing.set_start_method(os.environ["START_METHOD"])
# Copies of this process share tqdm's usual lock with it, and some tests kill copies: nobody could draw a bar again.
tqdm.set_lock(threading.RLock())


@pytest.fixture(autouse=True)
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the project at an empty data root, and let nothing reach the network."""
    root = tmp_path / "data-root"
    root.mkdir()
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(root))
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")  # the discard port: refused at once
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return root


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """Undo what a run sets for the whole process."""
    handlers = {name: [*logging.getLogger(name).handlers] for name in ("lab_kit", "text_recognizer", "training", "app")}
    yield
    torch.set_flush_denormal(False)
    for name, before in handlers.items():
        logging.getLogger(name).handlers = before
        logging.getLogger(name).propagate = True


@pytest.fixture
def small_pen_set(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Let the pen-stroke stand-in be small."""
    sizes = {"train": 640, "val": 128, "test": 256}
    monkeypatch.setattr(pen_set, "SIZES", sizes)
    return sizes


def idx_bytes(array: np.ndarray) -> bytes:
    """Write IDX the plain way, from its description."""
    header = bytes([0, 0, 8, array.ndim])
    for size in array.shape:
        header += size.to_bytes(4, "big")
    return header + array.astype(np.uint8).tobytes()


def write_metadata(root: Path, dataset: str, files: list[Path], urls: dict[str, list[str]] | None = None) -> None:
    """Describe `files` in the data root, with true sizes and hashes."""
    lines = [f'name = "small {dataset}"', 'source = "made by the tests"']
    for file in files:
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        addresses = (urls or {}).get(file.name, [])
        lines += ["[[files]]", f'filename = "{file.name}"', f"size = {len(content)}", f'sha256 = "{digest}"']
        lines += [f"urls = {addresses}".replace("'", '"')]
    metadata = root / "raw" / dataset / "metadata.toml"
    metadata.parent.mkdir(parents=True, exist_ok=True)
    metadata.write_text("\n".join(lines))


def striped(labels: np.ndarray, rng: np.random.Generator, classes: int) -> np.ndarray:
    """Pictures that tell their class: a bright row for the units and a bright column for the tens, in some noise."""
    images = rng.integers(0, 60, (len(labels), 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 2 * (label % 10)] = 255
        image[:, 2 + 3 * (label // 10)] = 200
    return images


@pytest.fixture
def small_mnist(data_root: Path) -> dict[str, np.ndarray]:
    """Put a small MNIST into the data root; returns its arrays."""
    return make_mnist(data_root, "mnist")


def make_mnist(root: Path, dataset: str, train: int = 6000, test: int = 300) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    folder = root / "downloaded" / dataset
    folder.mkdir(parents=True)
    arrays, files = {}, []
    for part, count in (("train", train), ("t10k", test)):
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte.gz"] = labels
        arrays[f"{part}-images-idx3-ubyte.gz"] = striped(labels, rng, 10)
    for name, array in arrays.items():
        files.append(folder / name)
        files[-1].write_bytes(gzip.compress(idx_bytes(array), compresslevel=1))
    write_metadata(root, dataset, files)
    return arrays


@pytest.fixture
def small_emnist(data_root: Path) -> dict[str, np.ndarray]:
    """Put a small, unbalanced EMNIST archive into the data root; returns upright images and EMNIST labels."""
    rng = np.random.default_rng(1)
    folder = data_root / "downloaded" / "emnist"
    folder.mkdir(parents=True)
    arrays = {}
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for part, most in (("train", 40), ("test", 8)):
            counts = [most if label < 10 else most // 4 for label in range(62)]
            labels = np.repeat(np.arange(62, dtype=np.uint8), counts)
            rng.shuffle(labels)
            images = striped(labels, rng, 62)
            arrays |= {f"{part}_images": images, f"{part}_labels": labels}
            for kind, array in (("images-idx3", images.transpose(0, 2, 1)), ("labels-idx1", labels)):
                name = f"gzip/emnist-byclass-{part}-{kind}-ubyte.gz"
                archive.writestr(name, gzip.compress(idx_bytes(array), compresslevel=1))
    write_metadata(data_root, "emnist", [folder / "gzip.zip"])
    return arrays


@pytest.fixture(scope="session")
def course_as_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small course whose labs are built; for reading."""
    from curriculum.__main__ import main  # here: Jupyter's formats take a second to import

    root = small_course.write(tmp_path_factory.mktemp("small") / "course")
    assert main(["--root", str(root), "build"]) == 0
    return root


@pytest.fixture
def course(course_as_built: Path, tmp_path: Path) -> Path:
    """Return a small course for one test to break."""
    return shutil.copytree(course_as_built, tmp_path / "course")


@pytest.fixture
def tool(course: Path, capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the course tool on `course`; it returns the exit code, stdout and stderr."""
    from curriculum.__main__ import main

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["--root", str(course), *arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs run_experiment.py in this process, and returns its exit code and what it wrote."""

    def run_program(*arguments: str) -> tuple[int, str]:
        log_dir = [] if "--log_dir" in arguments or "--resume" in arguments else ["--log_dir", str(tmp_path / "logs")]
        monkeypatch.setattr("sys.argv", ["run_experiment.py", *arguments, *log_dir])
        code = 0
        try:
            cli.run_program(run_experiment.main)
        except SystemExit as end:
            code = end.code or 0
        written = capsys.readouterr()
        return code, written.out + written.err

    return run_program


@pytest.fixture(scope="session")
def iam_made() -> iam_archive.Made:
    """Return what is in a small archive of the form that IAM has."""
    return iam_archive.make()


@pytest.fixture
def put_iam(iam_made: iam_archive.Made, data_root: Path) -> Callable[..., Path]:
    """Return a function that puts such an archive, with changed files, where IAM's is looked for."""

    def put(**changes: Callable[[bytes], bytes] | None) -> Path:
        path = data_root / "downloaded" / "iam" / "iamdb.zip"
        copy = iam_archive.Made(dict(iam_made.files), iam_made.words)
        for name, content in changes.get("files", {}).items():
            if content is None:
                copy.files.pop(name)
            else:
                copy.files[name] = content(copy.files[name])
        copy.write(path)
        write_metadata(data_root, "iam", [path])
        metadata = data_root / "raw" / "iam" / "metadata.toml"
        metadata.write_text('terms = "Its owners ask everyone to register."\n' + metadata.read_text())
        return path

    return put
