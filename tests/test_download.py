import contextlib
import gzip
import hashlib
import logging
import multiprocessing
import os
import random
import re
import resource
import signal
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab_kit.datasets import download
from lab_kit.datasets.download import DownloadError, RawFile
from lab_kit.datasets.raw_data import RawData
from lab_kit.errors import UserError
from text_recognizer.data import MNIST

CONTENT = bytes(range(256)) * 400
NOWHERE = "http://127.0.0.1:9/"  # the discard port: refused at once


class _Server(BaseHTTPRequestHandler):
    """Misbehaves as the address says."""

    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path[1:].replace("-", "_"), self.plain)()

    def answer(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may have had enough
            self.wfile.write(body)

    def plain(self):
        status, body = {
            "/404": (404, CONTENT),
            "/500": (500, CONTENT),
            "/wrong": (200, CONTENT[::-1]),
            "/html": (200, b"<html>Moved</html>"),
        }.get(self.path, (200, CONTENT))
        self.answer(body, status)

    def nothing(self):
        self.answer()

    def truncated(self):
        self.answer(CONTENT[:1000], Content_Length=len(CONTENT))

    def truncated_without_length(self):
        self.answer(CONTENT[:1000], Content_Length=None)

    def longer(self):
        self.answer(CONTENT + b"more", Content_Length=None)

    def longer_than_it_says(self):
        self.answer(CONTENT + b"more", Content_Length=len(CONTENT))

    def endless(self):
        self.answer(CONTENT, Content_Length=None)
        with contextlib.suppress(OSError):
            while not self.server.stop.is_set():
                self.wfile.write(CONTENT)

    def bomb(self):
        self.answer(gzip.compress(bytes(5_000_000)), Content_Encoding="gzip")

    def packed_again(self):
        self.answer(gzip.compress(CONTENT), Content_Encoding="gzip")

    def length_in_letters(self):
        self.answer(CONTENT, Content_Length="many")

    def not_http(self):
        self.wfile.write(b"220 ready\r\n")

    def stall(self):
        self.answer(Content_Length=len(CONTENT))
        self.server.stop.wait(20)

    def stall_midway(self):
        self.answer(CONTENT[:70_000], Content_Length=len(CONTENT))
        self.server.stop.wait(20)

    def reset(self):
        self.answer(CONTENT[:70_000], Content_Length=len(CONTENT))
        # Without lingering, closing the connection resets it.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def drip(self):
        self.answer(Content_Length=len(CONTENT))
        for start in range(0, len(CONTENT), len(CONTENT) // 20):
            with contextlib.suppress(OSError):
                self.wfile.write(CONTENT[start : start + len(CONTENT) // 20])
            time.sleep(0.01)

    def redirect(self):
        self.answer(status=302, Location="/good")

    def redirect_to_nowhere(self):
        self.answer(status=302, Location=NOWHERE)

    def redirect_to_a_file(self):
        self.answer(status=302, Location="file:///etc/hostname")

    def redirect_in_circles(self):
        self.answer(status=302, Location="/redirect-in-circles")

    def log_message(self, *_):
        pass


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_):
        pass


@pytest.fixture
def misbehaving():
    server = _QuietServer(("127.0.0.1", 0), _Server)
    server.stop, server.asked = threading.Event(), []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(misbehaving):
    return f"http://127.0.0.1:{misbehaving.server_port}"


@pytest.fixture
def raw_file(tmp_path):
    def make(*urls):
        return RawFile(tmp_path / "folder" / "data.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), urls)

    (tmp_path / "folder").mkdir()
    return make


def left_in(folder):
    """What is in the folder, but for the lock."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


BAD = {
    "/404": "answers 404 Not Found",
    "/500": "answers 500 Internal Server Error",
    "/wrong": "sends a file that is damaged: its sha256 is not the published one",
    "/html": "sends a file that is a web page, not the data: 18 bytes where 102,400 are expected",
    "/nothing": "sends a file that is cut short: 0 bytes where 102,400 are expected",
    "/truncated": "breaks off",
    "/truncated-without-length": "cut short: 1,000 bytes where 102,400 are expected",
    "/longer": "sends more than the 102,400 bytes expected",
    "/endless": "sends more than the 102,400 bytes expected",
    "/bomb": "sends more than the 102,400 bytes expected",
    "/length-in-letters": "breaks off|cannot be reached",
    "/not-http": "cannot be reached",
    "/stall": "does not answer in time",
    "/stall-midway": "does not answer in time",
    "/reset": "breaks off: .*reset",
    "/redirect-to-nowhere": "refuses the connection",
    "/redirect-to-a-file": "No connection adapters",
    "/redirect-in-circles": "redirects without end",
    NOWHERE: "refuses the connection",
}


@pytest.fixture(autouse=True)
def short_time_out(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", (0.5, 0.5))


@pytest.mark.parametrize("way", ["/good", "/redirect", "/longer-than-it-says", "/packed-again", "/drip"])
def test_a_good_address_gives_the_file(server, raw_file, way):
    file = raw_file(server + way)
    file.ensure()
    assert file.path.read_bytes() == CONTENT
    assert left_in(file.path.parent) == ["data.bin"]


@pytest.mark.parametrize("way", BAD)
def test_a_bad_address_says_what_it_did_and_leaves_no_file(server, raw_file, way):
    file = raw_file(way if way == NOWHERE else server + way)
    with pytest.raises(DownloadError, match=f"Could not download data.bin: 127.0.0.1 .*({BAD[way]})") as error:
        file.ensure()
    assert "\n" not in str(error.value)
    assert not left_in(file.path.parent)


@pytest.mark.parametrize("way", BAD)
def test_the_second_address_is_tried_when_the_first_is_bad(server, raw_file, way):
    file = raw_file(way if way == NOWHERE else server + way, server + "/good")
    file.ensure()
    assert file.path.read_bytes() == CONTENT
    assert left_in(file.path.parent) == ["data.bin"]


def test_when_all_addresses_are_bad_each_says_why(raw_file, server):
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 answers 404 Not Found; 127\.0\.0\.1 refuses the connection"):
        raw_file(server + "/404", NOWHERE).ensure()
    with pytest.raises(DownloadError, match="no address is known"):
        raw_file().ensure()


def describe_mnist(root, *urls):
    """Let the data root say that MNIST is to be had at `urls`."""
    names = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    text = 'name = "MNIST"\nsource = "here"\n'
    for name in names:
        text += f'[[files]]\nfilename = "{name}"\nsize = 99\nsha256 = "{"0" * 64}"\nurls = {list(urls)}\n'
    (root / "raw" / "mnist").mkdir(parents=True)
    (root / "raw" / "mnist" / "metadata.toml").write_text(text.replace("'", '"'))


def test_pen_strokes_stand_in_for_what_no_address_gives(server, data_root, small_pen_set, caplog):
    describe_mnist(data_root, server + "/404")
    data = MNIST()
    with caplog.at_level(logging.WARNING):
        data.prepare_data()
    data.setup()
    assert "THIS IS NOT MNIST" in caplog.text
    assert "answers 404 Not Found" in caplog.text
    assert "pen strokes" in data.source_used


def test_a_run_that_insists_on_the_real_data_ends_with_one_line(server, data_root, run):
    describe_mnist(data_root, server + "/html")
    code, output = run("--source", "download")
    assert code == 2
    (line,) = [line for line in output.splitlines() if line.startswith("error:")]
    assert re.search(r"127\.0\.0\.1 sends a file that is a web page.* To use the real MNIST, put train-images", line)
    assert "Traceback" not in output


# Files that are there already


def test_a_verified_file_is_not_fetched_again(raw_file, misbehaving):
    file = raw_file(f"http://127.0.0.1:{misbehaving.server_port}/good")
    file.path.write_bytes(CONTENT)
    file.ensure()
    assert not misbehaving.asked


WRONG = [
    pytest.param(CONTENT[:50_000], "cut short", id="half"),
    pytest.param(b"", "cut short", id="empty"),
    pytest.param(b"<!DOCTYPE html>", "a web page", id="page"),
    pytest.param(CONTENT + b"x", "too long", id="long"),
    pytest.param(CONTENT[::-1], "damaged", id="wrong hash"),
]


@pytest.mark.parametrize(("content", "what"), WRONG)
def test_a_wrong_file_is_set_aside_and_fetched_again(server, raw_file, content, what):
    file = raw_file(server + "/good")
    file.path.write_bytes(content)
    file.ensure()
    assert file.path.read_bytes() == CONTENT
    assert file.path.with_name("data.bin.bad").read_bytes() == content


@pytest.mark.parametrize(("content", "what"), WRONG)
@pytest.mark.parametrize("way", ["/404", "/wrong", None])
def test_a_wrong_file_that_cannot_be_replaced_is_an_error_and_stays(server, raw_file, content, what, way):
    file = raw_file(server + way) if way else raw_file()
    file.path.write_bytes(content)
    with pytest.raises(UserError, match=f"data.bin is {what}.*Replace it with the real file, or delete it") as error:
        file.ensure()
    assert not isinstance(error.value, DownloadError)  # or the stand-in would take its place unnoticed
    assert file.path.read_bytes() == content


def test_a_wrong_file_is_neither_used_nor_replaced_by_pen_strokes(data_root):
    describe_mnist(data_root)
    folder = data_root / "downloaded" / "mnist"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(b"x" * 99)
    with pytest.raises(UserError, match="damaged"):
        MNIST().prepare_data()


# Faults of the disk


def test_a_full_disk_is_named_and_the_next_address_is_not_bothered(misbehaving, raw_file, monkeypatch):
    @contextlib.contextmanager
    def full(path):
        yield "/dev/full"  # the device that answers each write with ENOSPC

    monkeypatch.setattr("pooch.core.temporary_file", full)
    address = f"http://127.0.0.1:{misbehaving.server_port}/good"
    file = raw_file(address, address)
    with pytest.raises(UserError, match=r"Cannot keep data.bin \(0.1 MB\) in .*: No space left on device") as error:
        file.ensure()
    assert "Make room there, or set TEXT_RECOGNIZER_DATA" in str(error.value)
    assert not isinstance(error.value, DownloadError)
    assert len(misbehaving.asked) == 1
    assert not left_in(file.path.parent)


def test_a_disk_that_fills_up_midway_leaves_nothing(server, raw_file):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = raw_file(server + "/good")
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(UserError, match=r"Cannot keep data.bin .* File too large"):
            file.ensure()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not left_in(file.path.parent)


def test_a_folder_that_must_not_be_written_to_is_named(raw_file, monkeypatch):
    def forbidden(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", forbidden)  # the tests may run as root, whom nothing is forbidden
    with pytest.raises(UserError, match=r"Cannot keep data.bin .* Permission denied.* that you can write to"):
        raw_file(NOWHERE).ensure()


def test_a_folder_in_the_files_place_is_an_error(server, raw_file):
    file = raw_file(server + "/good")
    (file.path / "something").mkdir(parents=True)
    (file.path.with_name("data.bin.bad") / "something").mkdir(parents=True)
    with pytest.raises(UserError, match=r"Cannot keep data.bin"):
        file.ensure()


def test_a_file_in_the_folders_place_is_an_error(raw_file):
    file = raw_file(NOWHERE)
    file.path.parent.rmdir()
    file.path.parent.write_text("not a folder")
    with pytest.raises(UserError, match=r"Cannot keep data.bin .*(File exists|Not a directory)"):
        file.ensure()


# Interruptions, and more than one process

fork = multiprocessing.get_context("fork")


def test_killed_at_any_moment_the_next_run_works_and_trusts_nothing(server, raw_file):
    file, moments = raw_file(server + "/drip"), random.Random(0)
    unfinished = 0
    for _ in range(20):
        process = fork.Process(target=file.ensure)
        process.start()
        time.sleep(moments.uniform(0.0, 0.3))
        process.kill()
        process.join()
        unfinished += left_in(file.path.parent) == ["data.bin.unfinished"]
        assert not file.path.exists() or file.path.read_bytes() == CONTENT
        file.path.unlink(missing_ok=True)
    assert unfinished > 5
    file.ensure()
    assert file.path.read_bytes() == CONTENT
    assert left_in(file.path.parent) == ["data.bin"]


def test_what_a_killed_download_left_is_not_trusted(server, raw_file):
    file = raw_file(server + "/good")
    unfinished = file.path.with_name("data.bin.unfinished")
    unfinished.mkdir()
    (unfinished / "data.bin").write_bytes(CONTENT[:5])
    (unfinished / "tmp123").write_bytes(CONTENT[:9])
    file.ensure()
    assert file.path.read_bytes() == CONTENT
    assert left_in(file.path.parent) == ["data.bin"]


def test_ctrl_c_leaves_nothing(server, raw_file, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    file = raw_file(server + "/good")
    monkeypatch.setattr(download._SizeLimitedFile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        file.ensure()
    assert not left_in(file.path.parent)


def test_processes_that_start_at_once_download_once(misbehaving, raw_file):
    file = raw_file(f"http://127.0.0.1:{misbehaving.server_port}/drip")
    processes = [fork.Process(target=file.ensure) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert misbehaving.asked == ["/drip"]
    assert file.path.read_bytes() == CONTENT


# Metadata

GOOD_FILE = f'filename = "a.gz"\nsize = 3\nsha256 = "{"0" * 64}"\nurls = ["https://example.org/a.gz"]\n'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("name = ", id="not toml"),
        pytest.param("\x00", id="a null byte"),
        pytest.param('name = "x"', id="nothing but a name"),
        pytest.param('name = "x"\nsource = "y"\nfiles = []', id="no files"),
        pytest.param('name = "x"\nsource = "y"\nfiles = [1]', id="a number for a file"),
        pytest.param('files = [{filename = "a"}]', id="neither name nor source"),
        pytest.param("x = " + "[" * 5000, id="deeply nested"),
        pytest.param("x = " + "1" * 5000, id="a long number"),
    ]
    + [
        pytest.param('name = "x"\nsource = "y"\n[[files]]\n' + GOOD_FILE.replace(old, new), id=new)
        for old, new in [
            ("a.gz", "../a.gz"), ("a.gz", "/etc/passwd"), ("a.gz", ".."), ("a.gz", ""), ("a.gz", "a\\u0000"),
            ("a.gz", "a" * 200), ("size = 3", "size = -1"), ("size = 3", 'size = "3"'), ("size = 3", "size = 3.5"),
            ("0" * 64, "0" * 63), ("0" * 64, "g" * 64), ('["https://example.org/a.gz"]', '"https://example.org"'),
            ('"https:', '"file:'), ('"https://example.org', '"http://['), ('["https://example.org/a.gz"]', "[1]"),
        ]
    ],
)  # fmt: skip
def test_malformed_metadata_is_one_clear_error(data_root, text):
    write(data_root, text)
    with pytest.raises(UserError, match=r"raw/odd/metadata\.toml is malformed") as error:
        RawData.load("odd")
    assert "\n" not in str(error.value)


def write(root, text):
    path = Path(root) / "raw" / "odd" / "metadata.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_metadata_that_does_not_list_a_part_is_one_clear_error(data_root):
    write(data_root, 'name = "Odd"\nsource = "y"\n[[files]]\n' + GOOD_FILE)
    raw = RawData.load("odd")
    assert raw.path("a.gz") == data_root / "downloaded" / "odd" / "a.gz"
    with pytest.raises(UserError, match=r"does not list b\.gz, a part of Odd"):
        raw.path("b.gz")


def test_unknown_dataset_is_one_clear_error():
    with pytest.raises(UserError, match="missing"):
        RawData.load("nowhere")


@pytest.mark.parametrize(
    ("dataset", "megabytes"), [("mnist", 11.6), ("fashion_mnist", 30.9), ("emnist", 561.8), ("brown", 3.3)]
)
def test_the_projects_own_metadata_is_complete(dataset, megabytes):
    raw = RawData.load(dataset)
    assert sum(file.size for file in raw.files) / 1e6 == pytest.approx(megabytes, abs=0.1)
    assert all(len(file.sha256) == 64 and file.urls for file in raw.files)
