"""The web app: what it answers, what it keeps and forgets, how it behaves when it is too busy, and how it ends."""

import asyncio
import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from app import web_server as app_server
from lab_kit.errors import UserError
from lab_kit.feedback.store import Store
from lab_kit.paths import code_root
from lab_kit.same_origin import ServerNames
from lab_kit.serving.inference_queue import InferenceQueue, answer_in_time
from lab_kit.serving.limits import RequestError, RequestLimits
from tests import web_server
from tests.web_server import drawing, encoded, form, head, in_base64, post, post_json, say, served
from text_recognizer.recognizer import Recognizer

SIGNS = ("1", "-", "0")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return web_server.ship(tmp_path_factory.mktemp("shipped") / "signs")


@pytest.fixture(scope="module")
def port(model: Path) -> Iterator[int]:
    with served(model) as (number, _):
        yield number


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "feedback.sqlite")


def get(port: int, path: str) -> tuple[int, dict, bytes]:
    return say(port, head(path, "GET"))


@pytest.mark.parametrize("sign", SIGNS)
def test_a_picture_can_be_sent_in_each_way_and_is_read_as_by_the_recognizer(port, model, sign):
    content = encoded(drawing(sign))
    body, kind = form(picture=content)
    ways = {
        "raw": post(port, content, "image/png"),
        "form": post(port, body, kind),
        "base64": post_json(port, "/predict", picture=in_base64(content)),
        "data URL": post_json(port, "/predict", picture="data:image/png;base64," + in_base64(content).rstrip("=")),
        "as a JPEG, called a PNG": post(port, encoded(drawing(sign), "JPEG"), "image/png"),
    }
    recognizer = Recognizer.load(model)
    reading = recognizer.predict(drawing(sign))
    assert reading.text == sign
    for way, (status, _, answer) in ways.items():
        assert status == 200, (way, answer)
        assert answer["text"] == sign, way
        assert len(answer["guesses"]) == 3
        assert answer["guesses"][0] == {"text": answer["text"], "confidence": answer["confidence"]}
        assert "id" not in answer
    answer = ways["raw"][2]
    assert answer["confidence"] == pytest.approx(reading.confidence, abs=1e-3)
    assert answer["model"] == recognizer.card.digest
    seen = Image.open(io.BytesIO(base64.b64decode(answer["seen"].partition(",")[2])))
    assert np.array_equal(np.asarray(seen), recognizer.prepare(drawing(sign))[0])


def test_lines_are_read_and_corrected_with_the_characters_that_the_model_knows(tmp_path, store):
    line = Image.new("L", (840, 200), 255)
    for place, sign in enumerate("110"):
        line.paste(drawing(sign, 200), (40 + place * 200, 0))
    content = encoded(line)
    with served(web_server.ship(tmp_path / "lines", "line"), store) as (port, _):
        rows = [np.pad(np.asarray(drawing(sign)), ((0, 0), (0, 300)), constant_values=255) for sign in ("0", "1")]
        page = encoded(Image.fromarray(np.concatenate(rows)))
        status, _, answer = post(port, page, "image/png")
        assert status == 200
        assert answer["text"] == "\n".join(line["text"] for line in answer["lines"])
        for k, line in enumerate(answer["lines"]):
            assert all(0 <= x <= 0.6 and k / 2 <= y <= (k + 1) / 2 for x, y in line["corners"])
        status, _, answer = post_json(port, "/correct", picture=in_base64(page), label="01")
        assert (status, "several lines" in answer["error"]) == (422, True)
        status, _, answer = post(port, content, "image/png")
        assert status == 200
        assert set(answer["text"]) <= set(SIGNS)
        kept = post_json(port, "/correct", picture=in_base64(content), label="110", how="pen")
        assert kept[0] == 200
        for label, words in (("", "1 to 8"), ("1" * 9, "1 to 8"), ("1x0", "'x'")):
            status, _, answer = post_json(port, "/correct", picture=in_base64(content), label=label)
            assert status == 422
            assert words in answer["error"]
        [row] = Store.open(store.path).readings()
        assert (row.label, row.how) == ("110", "pen")


def test_every_answer_is_as_described(port, model, store):
    with served(model, store) as (keeping, _):
        about = json.loads(get(keeping, "/openapi.json")[2])
        assert about["openapi"] == "3.1.0"
        schemas = about["components"]["schemas"]

        def check(answer: tuple, path: str, method: str = "post") -> dict:
            status, _, content = answer
            content = content if isinstance(content, dict) else json.loads(content)
            schema = about["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]
            strict = {name: told | {"additionalProperties": False} for name, told in schemas.items()}
            jsonschema.validate(content, schema | {"components": {"schemas": strict}})
            return content

        for schema in schemas.values():
            jsonschema.Draft202012Validator.check_schema(schema)
        picture = in_base64(encoded(drawing("1")))
        kept = check(post_json(keeping, "/predict?preview=true", picture=picture, keep=True, how="pen"), "/predict")
        assert "preview" in kept
        check(post_json(keeping, "/correct", id=kept["id"], label="0"), "/correct")
        check(post_json(keeping, "/forget", id=kept["id"]), "/forget")
        check(post_json(keeping, "/forget", id=kept["id"]), "/forget")
        check(post_json(keeping, "/predict"), "/predict")
        check(get(keeping, "/model"), "/model", "get")
        check(get(keeping, "/health"), "/health", "get")
        for path, methods in about["paths"].items():
            for method in methods:
                assert say(keeping, head(path, method.upper(), content_length=0))[0] not in (404, 405)


def test_what_is_kept_is_on_disk_when_it_is_acknowledged_and_gone_when_it_is_forgotten(model, store):
    content = encoded(drawing("1"))
    with served(model, store) as (port, _):
        status, _, answer = post_json(port, "/correct", picture=in_base64(content), label="0", how="pen")
        assert (status, answer["kept"]) == (200, True)
        [row] = Store.open(store.path).readings()
        assert (row.text, row.label, row.how, row.id) == ("1", "0", "pen", answer["id"])
        assert Store.open(store.path).original_file(row.id) == content
        assert np.array_equal(row.seen, Recognizer.load(model).prepare(drawing("1")))
        assert post_json(port, "/correct", id=row.id, label="-")[0] == 200  # thinks better of it
        [row] = Store.open(store.path).readings()
        assert row.label == "-"
        assert post_json(port, "/forget", id=row.id)[0] == 200
        assert not list(Store.open(store.path).readings())
        assert post_json(port, "/forget", id=row.id)[0] == 404
        assert post_json(port, "/correct", id=row.id, label="0")[0] == 404
        body, kind = form(picture=content, keep="true", how="photo")
        assert post(port, body, kind)[2]["id"] == next(Store.open(store.path).readings()).id


def test_nothing_is_kept_without_being_asked_for_or_without_a_store(port, model, store):
    content = in_base64(encoded(drawing("1")))
    with served(model, store) as (keeping, _):
        assert post_json(keeping, "/predict", picture=content)[0] == 200
        assert post_json(keeping, "/predict", picture=content, keep=False)[0] == 200
        assert post_json(keeping, "/correct", picture=content, label="no such class")[0] == 422
        assert post_json(keeping, "/correct", picture=content)[0] == 422
        assert post_json(keeping, "/correct", label="0")[0] == 422
        assert not store.counts()["all"]
        assert json.loads(get(keeping, "/model")[2])["feedback"]
    assert not json.loads(get(port, "/model")[2])["feedback"]
    for answer in (
        post_json(port, "/predict", picture=content, keep=True),
        post_json(port, "/correct", picture=content, label="0"),
        post_json(port, "/forget", id="x"),
    ):
        assert answer[0] == 422
        assert "--feedback" in answer[2]["error"]


def test_empty_pictures_and_charsets_that_do_not_exist_are_said(model, store):
    with served(model, store) as (port, _):
        status, _, answer = post_json(port, "/correct", picture="", label="0")
        assert (status, "empty" in answer["error"]) == (415, True)
        body, kind = form(picture=encoded(drawing("1")))
        status, _, answer = post(port, body, f"{kind}; charset=undefined")
        assert (status, answer["error"].startswith("The form is malformed")) == (400, True)


def test_what_contradicts_itself_or_is_no_answer_to_a_question_is_refused(port):
    twice = b'--x\r\nContent-Disposition: form-data; name="keep"\r\n\r\n%s\r\n'
    body = twice % b"true" + twice % b"false" + b"--x--\r\n"
    status, _, answer = post(port, body, "multipart/form-data; boundary=x")
    assert (status, answer["error"]) == (400, "The form has the field `keep` more than once.")
    body, kind = form(picture=encoded(drawing("1")))
    status, _, answer = post(port, body, kind, path="/predict?preview=maybe")
    assert (status, answer["error"]) == (422, "`preview` in the address must be true or false.")


def test_pages_answer_head_and_files_are_sent_whole(port):
    for address in ("/", "/docs", "/health", "/static/swagger-ui.css"):
        status, _, body = say(port, head(address, "HEAD", range="bytes=5-1", connection="close"))
        assert (status, body) == (200, b"")


def test_a_store_that_cannot_be_written_is_said_and_reading_goes_on(model):
    class Full:
        def keep(self, *arguments: object) -> str:
            raise UserError("The disk is full.")

        def original_file(self, id: str) -> bytes:
            return b""

        correct = forget = keep

        def close(self) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.web_app._drift_routes", lambda service: [])
        with served(model, Full()) as (port, _):
            content = in_base64(encoded(drawing("1")))
            for answer in (
                post_json(port, "/correct", picture=content, label="0"),
                post_json(port, "/correct", id="x", label="0"),
                post_json(port, "/forget", id="x"),
            ):
                assert (answer[0], answer[2]["error"]) == (503, "The disk is full.")
            assert post_json(port, "/predict", picture=content)[2]["text"] == "1"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
    ],
    ids=str,
)
def test_other_pages_are_refused(port, headers):
    content = encoded(drawing("1"))
    status, _, answer = post(port, content, "image/png", **headers)
    assert status == 403
    assert "Refused" in answer["error"]
    if "Host" in headers:
        assert say(port, head("/model", "GET", **headers))[0] == 403


# What a server that is also called read.example and lab.example:8443 is asked: the headers, and whether it reads.
PROXIED = {
    "nginx that passes the name on": ({"Host": "read.example", "Origin": "http://read.example"}, True),
    "with a port": ({"Host": "read.example:8080", "Origin": "http://read.example:8080"}, True),
    "in capitals": ({"Host": "READ.example", "Origin": "https://read.example"}, True),
    "nginx as it comes": ({"Host": "127.0.0.1:8000", "Origin": "http://read.example"}, True),
    "nginx as it comes, with HTTPS": (
        {"Host": "127.0.0.1:8000", "Origin": "https://any.example", "Sec-Fetch-Site": "same-origin"},
        True,
    ),
    "nginx that names its own port": ({"Host": "read.example:80", "Origin": "http://read.example"}, True),
    "public port, name without it": ({"Host": "lab.example", "Origin": "https://lab.example:8443"}, True),
    "Codespaces": (
        {"Host": "localhost:8000", "Origin": "http://localhost:8000", "X-Forwarded-Host": "x-8000.app.github.dev"},
        True,
    ),
    "an old browser": ({"Host": "read.example", "Origin": "https://read.example", "Referer": "x"}, True),
    "a health check by number": ({"Host": "10.0.0.7:8000"}, True),
    "a program": ({"Host": "read.example"}, True),
    "rebinding": ({"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, False),
    "rebinding, by a proxy's word": ({"Host": "evil.example", "X-Forwarded-Host": "read.example"}, False),
    "rebinding behind a proxy": ({"Host": "127.0.0.1:8000", "Origin": "http://evil.example"}, False),
    "a foreign page": ({"Host": "read.example", "Origin": "https://evil.example"}, False),
    "a similar name": ({"Host": "read.example", "Origin": "https://read.example.evil.example"}, False),
    "a name in a path": ({"Host": "read.example", "Origin": "https://evil.example/read.example"}, False),
    "another server of the machine": ({"Host": "read.example", "Origin": "https://read.example:9000"}, False),
    "a public name without its port": ({"Host": "127.0.0.1:8000", "Origin": "https://lab.example"}, False),
    "a sandbox": ({"Host": "read.example", "Origin": "null"}, False),
    "nobody, from a sandbox": ({"Host": "", "Origin": "null"}, False),
    "cross-site": ({"Host": "read.example", "Origin": "https://read.example", "Sec-Fetch-Site": "cross-site"}, False),
    "same-site": ({"Host": "read.example", "Origin": "https://read.example", "Sec-Fetch-Site": "same-site"}, False),
}


@pytest.fixture(scope="module")
def proxied(model: Path) -> Iterator[int]:
    with served(model, public=("read.example", "lab.example:8443")) as (number, _):
        yield number


@pytest.mark.parametrize("who", PROXIED)
def test_behind_a_proxy_its_own_page_is_read_and_no_other(proxied, who):
    headers, reads = PROXIED[who]
    status, _, answer = post(proxied, encoded(drawing("1")), "image/png", **headers)
    assert (status, answer.get("text")) == ((200, "1") if reads else (403, None))


@pytest.mark.parametrize(
    ("headers", "advice"),
    [
        ({"Host": "read.example"}, "If a proxy gives it the name read.example, start it with --public-name read.ex"),
        ({"Host": "127.0.0.1", "Origin": "http://read.example:8080"}, "--public-name read.example:8080"),
    ],
    ids=["name", "page"],
)
def test_who_has_not_named_the_proxy_is_told_how(port, headers, advice):
    assert advice in post(port, encoded(drawing("1")), "image/png", **headers)[2]["error"]
    strange = {"Host": "<b>x"}
    assert "<b>" not in post(port, encoded(drawing("1")), "image/png", **strange)[2]["error"]


@pytest.mark.parametrize("name", ["https://read.example/app/", "a,b", "", "two words", "*.example", "x" * 64, "a..b"])
def test_a_public_name_that_is_none_is_said(model, name):
    with pytest.raises(UserError, match=r"is not a name\. --public-name takes the name in the address"):
        app_server.serve(model, port=0, public_name=[name])


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1"), ("laptop", "127.0.1.1")],
)
def test_a_server_of_this_machine_answers_to_its_names_alone(host, address):
    names = ServerNames.of(host, address, ["Bücher.example:443"])
    for known in (
        host if host != "::1" else "[::1]",
        "localhost:80",
        "[::1]:8000",
        "127.0.0.2",
        "xn--bcher-kva.example",
    ):
        assert not names.wrong_host({"host": known}), known
    assert names.wrong_host({"host": "evil.example"})
    assert not ServerNames.of("0.0.0.0", "0.0.0.0").wrong_host({"host": "any.example"})  # it cannot know its names
    assert ServerNames.of("0.0.0.0", "0.0.0.0", ["read.example"]).wrong_host({"host": "any.example"})


def test_our_own_page_is_let_through_and_only_it_may_run_anything(port):
    own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}", "Sec-Fetch-Site": "same-origin"}
    assert post(port, encoded(drawing("1")), "image/png", **own)[0] == 200
    for path in ("/", "/docs"):
        status, heads, body = get(port, path)
        assert status == 200
        nonce = re.search(r"script-src 'nonce-([^']+)'", heads["content-security-policy"])[1]
        assert f'<script nonce="{nonce}">' in body.decode()
        assert nonce not in get(port, path)[2].decode()
        assert not re.search(r"(src|href)=.?(https?:)?//|@import|url\(", body.decode())  # nothing from elsewhere
        assert not re.search(r"""\sstyle=|\son[a-z]+=""", body.decode())
    for path in ("/model", "/nothing", "/metrics"):
        heads = get(port, path)[1]
        assert heads["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in heads["content-security-policy"]


def test_metrics_count_what_has_happened(model, store):
    with served(model, store) as (port, _):
        content = encoded(drawing("1"))
        for _ in range(3):
            post(port, content, "image/png")
        post(port, b"no picture", "image/png")
        get(port, "/nowhere")
        post_json(port, "/correct", picture=in_base64(content), label="1")
        post_json(port, "/correct", picture=in_base64(content), label="0")
        text = get(port, "/metrics")[2].decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    wanted = {
        'http_requests_total{route="/predict",status="200"}': 3,
        'http_requests_total{route="/predict",status="415"}': 1,
        'http_requests_total{route="other",status="404"}': 1,
        "inference_seconds_count": 5,
        "confidence_count": 5,
        "kept_total": 2,
        'labelled_total{verdict="right"}': 1,
        'labelled_total{verdict="wrong"}': 1,
        'rejected_total{reason="no picture"}': 1,
        "queue_length": 0,
        "http_requests_in_flight": 1,  # this one
    }
    assert {name: float(values[name]) for name in wanted} == wanted


# ---- too busy ----


def test_a_pool_refuses_what_it_cannot_do_and_drops_what_nobody_wants():
    async def scene() -> None:
        pool, gate, made = InferenceQueue(1, 2, wait_timeout_s=30), threading.Event(), []
        first = asyncio.create_task(pool.call(gate.wait))
        while pool.waiting or not pool.active:
            await asyncio.sleep(0.001)
        left = asyncio.Event()
        unwanted = asyncio.create_task(answer_in_time(pool.call(made.append, "unwanted"), left.wait, 30))
        wanted = asyncio.create_task(pool.call(made.append, "wanted"))
        await asyncio.sleep(0.01)
        assert pool.full
        with pytest.raises(RequestError) as refused:
            await pool.call(made.append, "too many")
        assert (refused.value.status, refused.value.retry_after) == (429, 1)
        left.set()
        with pytest.raises(RequestError):
            await unwanted
        gate.set()
        await asyncio.gather(first, wanted)
        assert made == ["wanted"]
        with pytest.raises(ZeroDivisionError):
            await pool.call(lambda: 1 / 0)
        assert await pool.call(int, "7") == 7
        assert pool.active == pool.waiting == 0

    asyncio.run(scene())


def test_what_has_waited_too_long_is_refused_in_time_and_not_done():
    async def scene() -> None:
        pool, made, gate = InferenceQueue(1, 10, wait_timeout_s=0.01), [], threading.Event()
        first = asyncio.create_task(pool.call(gate.wait))
        await asyncio.sleep(0.03)
        with pytest.raises(RequestError) as refused:
            await pool.call(made.append, "late")
        assert refused.value.reason == "waited"
        assert not first.done()  # whoever waits is told while the call before it goes on
        gate.set()
        assert await first
        assert not made

    asyncio.run(scene())


def test_past_the_queue_it_answers_429_at_once_and_the_others_are_served(model):
    content = encoded(drawing("1"))
    with served(model, queue=2) as (port, service):
        gate, read = threading.Event(), service.recognizer.read
        service.recognizer.read = lambda inputs: gate.wait(30) and read(inputs)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(post(port, content, "image/png"))) for _ in range(8)]
        end = time.monotonic() + 30
        threads[0].start()
        while not (service.reader.active and not service.reader.waiting) and time.monotonic() < end:
            time.sleep(0.001)  # until it is being read, and the queue is empty
        for thread in threads[1:]:
            thread.start()
        while len(answers) < 5 and time.monotonic() < end:
            time.sleep(0.005)
        assert [status for status, *_ in answers] == [429] * 5
        assert all(heads["retry-after"] == "1" for _, heads, _ in answers)
        assert json.loads(get(port, "/health")[2])["in_progress"] == 3  # and what needs no reading is answered
        gate.set()
        for thread in threads:
            thread.join()
    assert sorted(status for status, *_ in answers) == [200] * 3 + [429] * 5


def test_large_photos_do_not_keep_those_waiting_who_write(model):
    with served(model) as (port, service):
        gate, prepare = threading.Event(), service.recognizer.prepare
        service.recognizer.prepare = lambda picture: (max(picture.size) < 1000 or gate.wait(30)) and prepare(picture)
        answers = []
        photo = encoded(drawing("-", 1200))
        thread = threading.Thread(target=lambda: answers.append(post(port, photo, "image/png")))
        thread.start()
        for _ in range(3):
            assert post(port, encoded(drawing("1")), "image/png")[2]["text"] == "1"
        assert not answers
        gate.set()
        thread.join()
        assert answers[0][2]["text"] == "-"


def test_what_takes_too_long_is_given_up(model):
    with served(model, limits=RequestLimits(answer_timeout_s=0.05)) as (port, service):
        gate, prepare = threading.Event(), service.recognizer.prepare
        service.recognizer.prepare = lambda picture: gate.wait(30) and prepare(picture)
        status, _, answer = post(port, encoded(drawing("1")), "image/png")
        gate.set()
        assert status == 503
        assert "too long" in answer["error"]


def test_what_is_being_read_is_still_answered_when_it_ends(model):
    with served(model) as (port, service):
        gate, read = threading.Event(), service.recognizer.read
        service.recognizer.read = lambda inputs: gate.wait(30) and read(inputs)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(post(port, encoded(drawing("1")), "image/png")))
        thread.start()
        while not service.reader.active:
            time.sleep(0.001)
        service.closing = True  # as at SIGTERM
        status, _, answer = get(port, "/health")
        assert (status, json.loads(answer)["status"]) == (503, "closing")
        assert post(port, encoded(drawing("1")), "image/png")[0] == 503
        gate.set()
        thread.join()
        assert answers[0][0] == 200


# ---- the program ----


def start(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "app", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=code_root(), **pipes)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_it_says_where_it_is_and_ends_in_order(model, tmp_path, number):
    process = start(model, "--port", 0, "--feedback", tmp_path / "feedback.sqlite")
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    port = int(re.search(r"http://127.0.0.1:(\d+)/\n", said)[1])
    assert "75.0% of the test pictures right" in said
    assert "feedback.sqlite" in said
    assert post(port, encoded(drawing("0")), "image/png")[2]["text"] == "0"
    assert get(port, "/drift")[0] == 200
    with socket.create_connection(("127.0.0.1", port)) as idle:  # a browser that keeps a connection open
        idle.sendall(head("/health", "GET"))
        idle.recv(1000)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.strip() == "Stopped. 1 pictures read, none kept."


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, 127.0.0.2 is no address of this machine")
def test_it_answers_at_the_address_that_it_prints_and_under_all_its_public_names(model):
    process = start(model, "--host", "127.0.0.2", "--port", 0, "--public-name", "a.example", "--public-name=b.example")
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    printed = re.search(r"http://(127\.0\.0\.2:\d+)/\n", said)[1]
    place = ("127.0.0.2", int(printed.partition(":")[2]))
    for name, status in ((printed, 200), ("a.example", 200), ("b.example", 200), ("evil.example", 403)):
        own = {"Host": name, "Origin": f"http://{name}"}
        assert post(place, encoded(drawing("0")), "image/png", **own)[0] == status, name
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


def test_what_cannot_be_served_is_said_in_one_line(model, tmp_path):
    (tmp_path / "letter.sqlite").write_text("Dear database, " * 100)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        wrong = {
            "cannot be used": {"folder": model, "port": taken},
            "no shipped model|not a shipped model": {"folder": tmp_path, "port": 0},
            "There is no port": {"folder": model, "port": 70_000},
            "has no address": {"folder": model, "host": "no.such.host.invalid", "port": 0},
            "not an SQLite database": {"folder": model, "port": 0, "feedback": tmp_path / "letter.sqlite"},
            "without model.int8.onnx": {"folder": model, "port": 0, "backend": "int8"},
            "workers must be": {"folder": model, "port": 0, "workers": 0},
            "queue must be": {"folder": model, "port": 0, "queue": 0},
        }
        for words, settings in wrong.items():
            with pytest.raises(UserError, match=words) as said:
                app_server.serve(**settings)
            assert "\n" not in str(said.value)
        process = start(model, "--port", taken)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert re.fullmatch(r"error: Port \d+ of 127.0.0.1 cannot be used \(.*\)\. Choose another with --port\.\n", err)
