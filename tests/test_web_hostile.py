"""What strangers send: each thing gets one clear line and a 4xx at once, and the server reads on."""

import asyncio
import gzip
import io
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from PIL import Image
from starlette.requests import Request

from lab_kit.serving import http_protocol
from lab_kit.serving.limits import BodyReceiver, RequestError, RequestLimits
from lab_kit.serving.request_body import parse_json
from lab_kit.serving.schemas import Picture
from tests import web_server
from tests.web_server import drawing, encoded, form, head, in_base64, post, say, served

LIMITS = RequestLimits(max_bytes=300_000, max_pixels=4_000_000, stall_timeout_s=0.5)
PNG = encoded(drawing("1"))
JPEG = encoded(drawing("1"), "JPEG")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_protocol, "HEADER_TIMEOUT_S", 0.5)
        with served(web_server.ship(tmp_path_factory.mktemp("shipped")), limits=LIMITS) as (number, _):
            yield number


def sent(body: bytes, kind: str = "image/png", **headers: object) -> bytes:
    return head(content_type=kind, content_length=len(body), **headers) + body


def as_json(content: object) -> bytes:
    return sent(content if isinstance(content, bytes) else json.dumps(content).encode(), "application/json")


def as_form(**fields: bytes | str) -> bytes:
    body, kind = form(**fields)
    return sent(body, kind)


def chunked(*chunks: bytes, kind: str = "image/png", last: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + last
    return head(content_type=kind, transfer_encoding="chunked") + body


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG that says that it is so large, and holds `rows`, deflated."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    start = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><text>7</text></svg>'
FORM = "multipart/form-data; boundary=b"
BMP = b"BM" + struct.pack("<IIIIiiHH", 70, 0, 54, 40, -9, -9, 1, 24) + bytes(40)
TWO_LENGTHS = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n12345"
SMUGGLED = chunked(b"x", kind="text/plain").replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\n", 1)
PARTS = b"".join(b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n' % k for k in range(1000))

# What is sent: the bytes, and the statuses that are right for it.
HOSTILE: dict[str, tuple[bytes, set[int]]] = {
    # no pictures
    "nothing": (sent(b""), {400, 415}),
    "one byte": (sent(b"\x00"), {415}),
    "text": (sent(b"7"), {415}),
    "HTML called PNG": (sent(b"<!doctype html><html><script>alert(1)</script></html>"), {415}),
    "SVG": (sent(SVG, "image/svg+xml"), {415}),
    "SVG with an entity bomb": (sent(b'<!DOCTYPE svg [<!ENTITY a "a">]>' + SVG, "image/svg+xml"), {415}),
    "PDF": (sent(b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj", "image/png"), {415}),
    "ZIP": (sent(b"PK\x03\x04" + bytes(200)), {415}),
    "gzip bomb": (sent(gzip.compress(bytes(10_000_000))), {415}),
    "EPS": (sent(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run"), {415}),
    "TIFF": (sent(encoded(drawing("1"), "TIFF"), "image/tiff"), {415}),
    "ICO": (sent(encoded(drawing("1", 64), "ICO"), "image/x-icon"), {415}),
    "random bytes": (sent(bytes(range(256)) * 40), {415}),
    # broken pictures
    "PNG without its end": (sent(PNG[: len(PNG) // 2]), {415}),
    "PNG of its head alone": (sent(PNG[:33]), {415}),
    "PNG with a wrong checksum": (sent(PNG[:20] + b"\xff" + PNG[21:]), {413, 415}),
    "PNG without content": (sent(png(100, 100)), {415}),
    "JPEG without its end": (sent(JPEG[: len(JPEG) // 3], "image/jpeg"), {415, 422}),
    "JPEG of its first bytes": (sent(JPEG[:20], "image/jpeg"), {415}),
    "WebP of its head alone": (sent(b"RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00" + bytes(24), "image/webp"), {415}),
    "GIF of its head alone": (sent(b"GIF89a\xff\xff\xff\xff\xf7\x00\x00", "image/gif"), {413, 415}),
    "BMP of negative size": (sent(BMP, "image/bmp"), {413, 415}),
    # pictures of impossible sizes
    "bomb": (sent(png(60_000, 60_000, bytes(1_000_000))), {413}),
    "bomb beyond Pillow's own limit": (sent(png(2**31 - 1, 2**31 - 1)), {413, 415}),
    "real bomb of few bytes": (sent(png(3_000, 3_000, bytes(3_001 * 3_000))), {413}),
    "thin": (sent(png(100_000, 1, bytes(100_001))), {413, 415}),
    "no width": (sent(png(0, 9)), {415}),
    "one pixel": (sent(encoded(Image.new("L", (1, 1)))), {415}),
    "more bytes than allowed": (sent(PNG + bytes(LIMITS.max_bytes)), {413}),
    # nothing written
    "white": (sent(encoded(Image.new("L", (280, 280), 255))), {422}),
    "black": (sent(encoded(Image.new("RGB", (280, 280)))), {422}),
    "transparent": (sent(encoded(Image.new("RGBA", (280, 280)))), {422}),
    # what is said and what is sent
    "no type": (head(content_length=len(PNG)) + PNG, {415}),
    "wrong type": (sent(PNG, "text/plain"), {415}),
    "form of another kind": (sent(b"picture=7", "application/x-www-form-urlencoded"), {415}),
    "type that makes no sense": (sent(PNG, ";;;=,"), {415}),
    "length that is a lie, too long": (head(content_type="image/png", content_length=10**12) + PNG, {413}),
    "length that is no number": (head(content_type="image/png", content_length="ten") + PNG, {400}),
    "negative length": (head(content_type="image/png", content_length=-5) + PNG, {400}),
    "two lengths": (TWO_LENGTHS, {400}),
    "length that is a lie, too short": (head(content_type="image/png", content_length=10) + PNG, {415}),
    "chunks without an end in sight": (chunked(*[bytes(20_000)] * 30), {413}),
    "chunk of impossible length": (head(content_type="image/png", transfer_encoding="chunked") + b"xyz\r\n", {400}),
    "unknown coding": (head(content_type="image/png", transfer_encoding="gzip") + PNG, {400, 501}),
    "body that stops": (head(content_type="image/png", content_length=5000) + PNG[:100], {408}),
    "chunks that stop": (chunked(PNG[:100], last=b""), {408}),
    "head that stops": (b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Ty", {408}),
    # forms
    "form without a boundary": (sent(form(picture=PNG)[0], "multipart/form-data"), {400}),
    "form with another boundary": (sent(form(picture=PNG)[0], "multipart/form-data; boundary=other"), {400}),
    "form with an endless boundary": (sent(b"--", "multipart/form-data; boundary=" + "b" * 5000), {400}),
    "form without an end": (sent(form(picture=PNG)[0][:-12], form(picture=PNG)[1]), {400}),
    "form of nothing": (sent(b"", FORM), {400}),
    "form of an end alone": (sent(b"--b--\r\n", FORM), {400}),
    "form without a picture": (as_form(keep="false"), {400}),
    "form with an empty picture": (as_form(picture=b""), {400, 415}),
    "form of 1000 fields": (sent(PARTS + b"--b--\r\n", FORM), {400}),
    "form part without a head": (sent(b"--b\r\n--b\r\n--b--\r\n", FORM), {400}),
    "form part with a long head": (sent(b"--b\r\nX: " + b"y" * 90_000 + b"\r\n\r\n\r\n--b--", FORM), {400}),
    "form that nearly ends, often": (sent(b"\r\n--" * 70_000, FORM), {400}),
    "form with a strange `keep`": (as_form(picture=PNG, keep="perhaps"), {422}),
    "form with a strange `how`": (as_form(picture=PNG, how="\x00"), {422}),
    # JSON
    "JSON of nothing": (as_json(b""), {400}),
    "JSON that stops": (as_json(b'{"picture": "'), {400}),
    "JSON that is no text": (as_json(b"\xff\xfe\x00"), {400}),
    "list": (as_json([1, 2]), {400}),
    "number": (as_json(7), {400}),
    "number of 200,000 digits": (as_json(b"9" * 200_000), {400}),
    "not a number": (as_json(b"NaN"), {400}),
    "deep lists": (as_json(b"[" * 100_000 + b"]" * 100_000), {400}),
    "deep objects": (as_json(b'{"a":' * 900 + b"1" + b"}" * 900), {400}),
    "many lists": (as_json(b"[" + b"[]," * 60_000 + b"[]]"), {400}),
    "object without a picture": (as_json({}), {400}),
    "picture that is null": (as_json({"picture": None}), {422}),
    "picture that is an object": (as_json({"picture": {"$ne": ""}}), {422}),
    "no base64": (as_json({"picture": "!!!!"}), {400}),
    "base64 of letters from elsewhere": (as_json({"picture": "ÄÖÜß"}), {400}),
    "base64 of impossible length": (as_json({"picture": "A"}), {400}),
    "half a surrogate": (as_json({"picture": "\ud800"}), {400}),
    "empty picture": (as_json({"picture": ""}), {400, 415}),
    "data URL without base64": (as_json({"picture": "data:image/png,7"}), {400}),
    "address instead of a picture": (as_json({"picture": "http://127.0.0.1/latest/meta-data,x"}), {400}),
    "path instead of a picture": (as_json({"picture": "../../etc/passwd"}), {400, 415}),
    "base64 of HTML": (as_json({"picture": in_base64(b"<html></html>")}), {415}),
    "too much base64": (as_json({"picture": in_base64(bytes(LIMITS.max_bytes + 60_000))}), {413}),
    "a bit too much base64": (as_json({"picture": in_base64(PNG + bytes(LIMITS.max_bytes - len(PNG) + 10))}), {413}),
    "keep that is a word": (as_json({"picture": in_base64(PNG), "keep": "yes"}), {422}),
    "how that is a list": (as_json({"picture": in_base64(PNG), "how": []}), {422}),
    "keeping what cannot be kept": (as_json({"picture": in_base64(PNG), "keep": True}), {422}),
    # addresses, methods and heads
    "unknown address": (head("/admin", "GET"), {404}),
    "address with dots": (head("/../../etc/passwd", "GET"), {404}),
    "address with a null byte": (head("/%00", "GET"), {404}),
    "address of 20,000 characters": (head("/" + "a" * 20_000, "GET"), {404}),
    "GET where one posts": (head("/predict", "GET"), {405}),
    "PUT": (sent(PNG).replace(b"POST", b"PUT", 1), {405}),
    "DELETE": (head("/model", "DELETE"), {405}),
    "TRACE": (head("/", "TRACE"), {405}),
    "method of our own": (head("/predict", "READ"), {405}),
    "preflight of another page": (head("/predict", "OPTIONS", Origin="http://evil.example"), {403}),
    "head of 100,000 bytes": (head("/model", "GET", X_Long="y" * 100_000), {400, 431}),
    "10,000 heads": (head("/model", "GET", **{f"X{k}": k for k in range(10_000)}), {400, 431}),
    "head with a line break": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\x00\r\n\r\n", {400}),
    "no host": (b"GET /model HTTP/1.1\r\n\r\n", {400}),
    "two hosts": (b"GET /model HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n", {400}),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", {400}),
    "HTTP of the future": (b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n", {400}),
    "HTTP 2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "smuggled request": (SMUGGLED, {400, 415}),
    "range of a page": (head("/nothing", "GET", Range="bytes=0-,0-,0-"), {404}),
    "correction without a store": (head("/correct", content_type="application/json", content_length=2) + b"{}", {422}),
    "correction that is no JSON": (head("/correct", content_type="text/plain", content_length=2) + b"{}", {415}),
    "too much to forget": (head("/forget", content_type="application/json", content_length=10**6), {413}),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_in_one_line_and_the_server_reads_on(port, name):
    request, right = HOSTILE[name]
    start = time.monotonic()
    status, heads, body = say(port, request)
    seconds = time.monotonic() - start
    assert status in right, body
    assert heads["content-type"].startswith("application/json")
    assert heads["x-content-type-options"] == "nosniff"
    error = json.loads(body)["error"]
    assert 10 < len(error) < 300
    assert "\n" not in error
    assert "Traceback" not in error
    assert seconds < 5  # it takes milliseconds; a busy machine must not fail the test
    assert post(port, PNG, "image/png")[2]["text"] == "1"


ODD: dict[str, bytes] = {
    "HTTP 1.0": sent(PNG).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "chunks of one byte": chunked(*[PNG[k : k + 1] for k in range(len(PNG))]),
    "type in capitals": sent(PNG, "IMAGE/PNG; charset=utf-8"),
    "boundary in quotes": (lambda body: sent(body[0], 'multipart/form-data; boundary="xYz"'))(form(picture=PNG)),
    "JPEG that says it is a PNG": sent(JPEG),
    "expecting to be asked": sent(PNG, Expect="nothing"),
    "upgrade": sent(PNG, Upgrade="h2c", Connection="Upgrade"),
    "websocket": sent(PNG, Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Key="x"),
    "unknown entries": as_json({"picture": in_base64(PNG), "__proto__": {"x": 1}, "how": "pen"}),
    "base64 with line breaks": as_json({"picture": "\n".join(in_base64(PNG))}),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_but_right_is_read(port, name):
    status, _, body = say(port, ODD[name])
    assert (status, json.loads(body)["text"]) == (200, "1")


def test_who_goes_away_leaves_nothing_behind(port):
    for request in (sent(PNG)[:-50], sent(PNG), head("/metrics", "GET"), chunked(PNG[:50], last=b"")):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(request)
                linger = struct.pack("ii", 1, 0)  # goes without a word
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    end = time.monotonic() + 30
    while True:
        status, _, body = say(port, head("/health", "GET"))
        assert status == 200
        health = json.loads(body)
        if health["queue"] == health["in_progress"] == 0 or time.monotonic() > end:
            break
        time.sleep(0.01)
    assert health["queue"] == health["in_progress"] == 0
    assert post(port, PNG, "image/png")[2]["text"] == "1"


def test_many_slow_ones_do_not_keep_the_others_waiting(port):
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    for number, connection in enumerate(slow):
        connection.sendall(head(content_type="image/png", content_length=9999)[: 9999 if number % 2 else 40])
    answers = [post(port, PNG, "image/png")[0] for _ in range(5)]
    for connection in slow:
        connection.close()
    assert answers == [200] * 5


def test_too_many_connections_are_turned_away_and_the_first_ones_served(tmp_path, monkeypatch):
    monkeypatch.setattr(http_protocol, "MAX_CONNECTIONS", 3)
    with served(web_server.ship(tmp_path / "shipped")) as (port, _):
        early = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        status, _, body = say(port, b"")
        assert (status, "too many" in json.loads(body)["error"]) == (503, True)
        early[0].sendall(sent(PNG))
        assert early[0].recv(20).startswith(b"HTTP/1.1 200")
        for connection in early:
            connection.close()


def pour(port: int, pieces: list[bytes], pause: float) -> tuple[int, float]:
    """Send a body piece by piece; return the status of the answer, and the seconds until it came."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head(content_type="image/png", content_length=sum(map(len, pieces))))
        for piece in pieces:
            connection.sendall(piece)
            connection.settimeout(pause)
            try:
                early = connection.recv(1000)
            except TimeoutError:
                continue
            return int(early.split()[1]), time.monotonic() - start
        connection.settimeout(30)
        return int(connection.recv(1000).split()[1]), time.monotonic() - start


@pytest.mark.parametrize(
    ("pieces", "pause", "status"),
    [
        ([bytes(5_000)] * 30, 0.05, 200),  # 1.5 s at 100 kB a second
        ([bytes(40_000)] * 4, 0.3, 200),  # in bursts
        ([bytes(100)] * 3 + [bytes(9_000)], 1.2, 408),  # stalls
        ([bytes(1)] * 100, 0.05, 408),  # trickles
        ([bytes(200_000)] + [bytes(1)] * 100, 0.05, 408),  # trickles after all of it but a little has come
    ],
    ids=["slow", "bursts", "stalls", "trickles", "hoards"],
)
def test_an_upload_that_keeps_moving_is_read_and_one_that_does_not_is_given_up(tmp_path, pieces, pause, status):
    limits = RequestLimits(stall_timeout_s=0.6, min_bytes_per_s=10_000)
    with served(web_server.ship(tmp_path / "shipped"), limits=limits) as (port, _):
        answer, seconds = pour(port, [PNG, *pieces], pause)
    assert answer == status
    if status == 200:
        assert seconds > 2 * limits.stall_timeout_s  # so it was not cut off by the clock
    else:
        assert seconds < 4  # a busy machine must not fail the test


def test_the_less_memory_is_left_the_faster_a_body_must_come():
    async def scene(total: int) -> float:
        receiver = BodyReceiver(RequestLimits(max_total_bytes=100_000, stall_timeout_s=10, min_bytes_per_s=1000))
        receiver._total_bytes = total
        now = asyncio.get_running_loop().time()
        return receiver._next_deadline(now, 1000) - now

    assert [round(asyncio.run(scene(total)), 3) for total in (0, 50_000, 99_000)] == [1.0, 0.5, 0.01]


def test_together_they_may_not_send_more_than_fits():
    async def scene() -> None:
        receiver = BodyReceiver(replace(LIMITS, max_total_bytes=200_000))

        async def send(size: int, wait: asyncio.Event | None = None) -> int:
            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": bytes(size), "more_body": False}

            async with receiver.receive(Request({"type": "http", "headers": []}, receive), LIMITS.max_bytes) as body:
                if wait is not None:
                    await wait.wait()
                return len(body)

        answered = asyncio.Event()
        first = asyncio.create_task(send(180_000, answered))
        await asyncio.sleep(0)
        assert await send(10_000) == 10_000
        with pytest.raises(RequestError) as refused:
            await send(30_000)
        assert refused.value.status == 429
        answered.set()
        assert await first == 180_000
        assert await send(190_000) == 190_000

    asyncio.run(scene())


@pytest.mark.parametrize(
    "make",
    [lambda: b"[" * 13_000_000, lambda: b'{"a":{}' + b',"a":{}' * 1_800_000 + b"}", lambda: b"9" * 13_000_000],
    ids=["brackets", "objects", "digits"],
)
def test_a_body_of_the_largest_size_is_understood_or_not_at_once(make: Callable[[], bytes]):
    body = make()
    start = time.process_time()
    with pytest.raises(RequestError) as refused:
        parse_json(body, Picture)
    assert refused.value.status == 400
    assert time.process_time() - start < 5


def test_others_are_read_while_somebody_sends_the_worst_that_is_allowed(tmp_path):
    worst = io.BytesIO()
    Image.new("L", (5000, 5000), 255).save(worst, "PNG", compress_level=1)
    with served(web_server.ship(tmp_path / "shipped")) as (port, _):
        threads = [threading.Thread(target=post, args=(port, worst.getvalue(), "image/png")) for _ in range(2)]
        for thread in threads:
            thread.start()
        answers = [post(port, PNG, "image/png")[2]["text"] for _ in range(3)]
        for thread in threads:
            thread.join()
    assert answers == ["1"] * 3
