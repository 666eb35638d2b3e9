import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from text_recognizer.data import download
from text_recognizer.data.download import DownloadError, RawFile
from text_recognizer.errors import UserError

CONTENT = bytes(range(256)) * 400


class _Server(BaseHTTPRequestHandler):
    """Misbehaves as the address says."""

    def do_GET(self):
        if self.path == "/stall":
            self.send_response(200)
            self.end_headers()
            self.server.stop.wait(20)
            return
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        status = {"/404": 404, "/500": 500}.get(self.path, 200)
        body = {"/wrong": CONTENT[::-1], "/html": b"<html>Moved</html>", "/truncated": CONTENT[:1000]}.get(
            self.path, CONTENT
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/truncated" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.stop = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def raw_file(tmp_path):
    def make(*urls):
        return RawFile(tmp_path / "data.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), urls)

    return make


BAD = ["/404", "/500", "/wrong", "/html", "/truncated", "/stall"]


@pytest.fixture(autouse=True)
def short_time_out(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", (1, 1))


@pytest.mark.parametrize("way", ["/good", "/redirect"])
def test_a_good_address_gives_the_file(server, raw_file, way):
    file = raw_file(server + way)
    file.ensure()
    assert file.path.read_bytes() == CONTENT
    assert [path.name for path in file.path.parent.glob("*.bin*")] == ["data.bin"]


@pytest.mark.parametrize("way", BAD)
def test_a_bad_address_leaves_no_file(server, raw_file, way):
    file = raw_file(server + way)
    with pytest.raises(DownloadError, match="Could not download"):
        file.ensure()
    assert not list(file.path.parent.glob("*.bin*"))


@pytest.mark.parametrize("way", [*BAD, "refused"])
def test_the_second_address_is_tried_when_the_first_is_bad(server, raw_file, way):
    first = "http://127.0.0.1:9/" if way == "refused" else server + way
    file = raw_file(first, server + "/good")
    file.ensure()
    assert file.path.read_bytes() == CONTENT


def test_a_verified_file_is_not_fetched_again(raw_file):
    file = raw_file("http://127.0.0.1:9/")
    file.path.write_bytes(CONTENT)
    file.ensure()


def test_a_wrong_file_is_set_aside_and_fetched_again(server, raw_file):
    file = raw_file(server + "/good")
    file.path.write_bytes(CONTENT[::-1])
    file.ensure()
    assert file.path.read_bytes() == CONTENT
    assert file.path.with_name("data.bin.bad").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(
    ("content", "what"),
    [(CONTENT[:50_000], "cut short"), (b"<!DOCTYPE html>", "a web page"), (CONTENT + b"x", "too long"),
     (CONTENT[::-1], "damaged")],
)  # fmt: skip
def test_a_wrong_file_that_cannot_be_replaced_is_an_error_and_stays(raw_file, content, what):
    file = raw_file()
    file.path.write_bytes(content)
    with pytest.raises(UserError, match=f"data.bin is {what}") as error:
        file.ensure()
    assert not isinstance(error.value, DownloadError)
    assert file.path.read_bytes() == content


@pytest.mark.parametrize(
    "text", ["name = ", 'name = "x"', 'name = "x"\nsource = "y"\nfiles = [1]', "\x00", 'files = [{filename = "a"}]']
)
def test_malformed_metadata_is_one_clear_error(data_root, text):
    path = data_root / "raw" / "odd" / "metadata.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(UserError, match="malformed"):
        download.RawData.load("odd")


def test_unknown_dataset_is_one_clear_error():
    with pytest.raises(UserError, match="missing"):
        download.RawData.load("nowhere")


@pytest.mark.parametrize(("dataset", "megabytes"), [("mnist", 11.6), ("fashion_mnist", 30.9), ("emnist", 561.8)])
def test_the_projects_own_metadata_is_complete(dataset, megabytes):
    raw = download.RawData.load(dataset)
    assert sum(file.size for file in raw.files) / 1e6 == pytest.approx(megabytes, abs=0.1)
    assert all(len(file.sha256) == 64 and file.urls for file in raw.files)
