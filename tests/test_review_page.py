"""The review's page: what its server lets through, and a whole review by keyboard in a real browser."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from lab_kit.curation import review_page
from lab_kit.curation.review_queue import Picture, ReviewQueue
from lab_kit.errors import UserError
from lab_kit.paths import code_root
from lab_kit.same_origin import ServerNames
from tests import programs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that it will want another httpx one day
    from starlette.testclient import TestClient

CLASSES = ("fish", "star", "sun")


def make(tmp_path: Path, count: int) -> ReviewQueue:
    folder, pictures = tmp_path / "pictures", []
    for number in range(count):
        file = f"{CLASSES[number % 3]}/{number:04}.png"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), (number, 100, 200)).save(folder / file)
        pictures.append(Picture(file, "valid", CLASSES[number % 3], CLASSES[number % 2], count - number, 0.9))
    return ReviewQueue.create(tmp_path / "review.csv", folder, CLASSES, pictures)


@pytest.fixture
def queue(tmp_path: Path) -> ReviewQueue:
    return make(tmp_path, 6)


@pytest.fixture
def client(queue: ReviewQueue):
    return TestClient(review_page.create_app(queue), base_url="http://127.0.0.1:8000")


def add(queue: ReviewQueue, name: str, content: bytes) -> str:
    """Put a file into the data set and the review; return its path relative to the folder."""
    (queue.folder / "sun" / name).write_bytes(content)
    picture = Picture(f"sun/{name}", "train", "sun", "sun", 99, 1)
    ReviewQueue.create(queue.path, queue.folder, CLASSES, [*queue.pictures, picture])
    queue.refresh()
    return picture.file


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


DELETE = {"file": "star/0001.png", "proposal": "delete", "new_label": "", "grade": None}


def test_what_is_proposed_is_on_disk_when_it_is_acknowledged(client, queue):
    answer = client.post("/propose", json=DELETE).json()
    assert answer["picture"]["proposal"] == "delete"
    assert answer["counts"] == {"all": 6, "seen": 1, "keep": 0, "delete": 1, "relabel": 0}
    assert ReviewQueue.open(queue.path, queue.folder).picture("star/0001.png").proposal == "delete"
    assert client.post("/undo", json={}).json()["picture"]["proposal"] == ""
    assert client.post("/undo", json={}).json()["picture"] is None
    assert ReviewQueue.open(queue.path, queue.folder).counts()["seen"] == 0


def test_the_page_learns_of_what_others_propose(client, queue):
    version = client.get("/state").json()["version"]
    assert client.post("/propose", json=DELETE).json()["version"] == version + 1
    ReviewQueue.open(queue.path, queue.folder).propose("sun/0002.png", "keep", grade=1)  # a notebook, perhaps
    answer = client.post("/propose", json=DELETE | {"file": "fish/0000.png"}).json()
    assert answer["version"] > version + 2
    assert answer["counts"]["seen"] == 3
    state = client.get("/state").json()
    assert {picture["file"]: picture["grade"] for picture in state["pictures"]}["sun/0002.png"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
def test_other_pages_are_refused(client, queue, headers):
    answer = client.post("/propose", json=DELETE, headers=headers)
    assert answer.status_code == 403
    assert queue.counts()["seen"] == 0
    if "Content-Type" not in headers:
        assert client.get("/state", headers=headers).status_code == 403
        assert client.get("/picture", params={"file": "star/0001.png"}, headers=headers).status_code == 403


def test_our_own_page_and_a_typed_address_are_let_through(client):
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/propose", json=DELETE, headers=own).status_code == 200
    localhost = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    assert client.post("/propose", json=DELETE, headers=localhost).status_code == 200
    proxied = {"Origin": "https://x-8000.app.github.dev", "Sec-Fetch-Site": "same-origin"}  # and the name replaced
    assert client.post("/propose", json=DELETE, headers=proxied).status_code == 200
    assert client.get("/", headers={"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert client.get("/propose").status_code == 405


def test_behind_a_proxy_it_is_reached_by_the_name_that_it_was_told(queue):
    names = ServerNames.of("127.0.0.1", "127.0.0.1", ["hub.example"])
    client = TestClient(review_page.create_app(queue, 8000, names), base_url="http://hub.example")
    assert client.post("/propose", json=DELETE, headers={"Origin": "http://hub.example"}).status_code == 200
    assert client.post("/propose", json=DELETE, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/state", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/state").json()["restart"].endswith("--port 8000 --public-name hub.example")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 9000,
        b"\xff",
        b'"' + b"x" * 50_000 + b'"',
        b'{"file": "star/0001.png"}',
        b'{"file": 1, "proposal": "keep", "new_label": "", "grade": null}',
        b'{"file": "star/0001.png", "proposal": "keep", "new_label": "", "grade": 7}',
        b'{"file": "star/0001.png", "proposal": "relabel", "new_label": "moon", "grade": null}',
        b'{"file": "../review.csv", "proposal": "delete", "new_label": "", "grade": null}',
    ],
    ids=lambda content: str(content[:40]),
)
def test_what_is_no_proposal_is_refused_in_one_line(client, queue, content):
    answer = client.post("/propose", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"].strip()
    assert queue.counts()["seen"] == 0


@pytest.mark.parametrize(
    "file", ["", "../review.csv", "/etc/passwd", "star", "star/0001.png/../0001.png", "star/9.png"]
)
def test_only_pictures_of_the_review_are_served(client, queue, file):
    (queue.folder / "star" / "9.png").touch()  # in the folder, but not in the review
    answer = client.get("/picture", params={"file": file})
    assert (answer.status_code, answer.json()["error"]) == (400, f"'{file}' is not in the review.")


def test_a_picture_that_browsers_show_is_passed_on(client, queue):
    answer = client.get("/picture", params={"file": "star/0001.png"})
    assert answer.content == (queue.folder / "star/0001.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "kind",
    ["TIFF", "BMP", "PPM", "large JPEG", "16 bits"],
)
def test_others_are_drawn_anew(client, queue, kind):
    image = Image.new("RGB", (30, 20), "red")
    content = {
        "large JPEG": lambda: encoded(Image.new("RGB", (5000, 100), "red"), "JPEG"),
        "16 bits": lambda: encoded(Image.linear_gradient("L").convert("I;16"), "TIFF"),
    }.get(kind, lambda: encoded(image, kind))()
    answer = client.get("/picture", params={"file": add(queue, "x.jpg", content)})
    assert answer.headers["content-type"] in ("image/png", "image/jpeg")
    shown = Image.open(io.BytesIO(answer.content))
    assert f"image/{shown.format.lower()}" == answer.headers["content-type"]
    if kind == "16 bits":
        assert shown.convert("L").getextrema() == (0, 255)
    else:
        assert shown.size == ((1600, 32) if kind == "large JPEG" else (30, 20))
        assert all(abs(a - b) < 3 for a, b in zip(shown.convert("RGB").getpixel((9, 9)), (255, 0, 0), strict=True))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a picture"),
        (b"<!doctype html><script>alert(1)</script>", "not a picture"),
        (b"", "not a picture"),
        (encoded(Image.new("RGB", (300, 300)), "TIFF")[:200], "This picture is broken|not a picture"),
    ],
)
def test_what_is_not_a_picture_is_not_served(client, queue, content, reason):
    answer = client.get("/picture", params={"file": add(queue, "x.jpg", content)})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert re.search(reason, answer.json()["error"])
    (queue.folder / "sun" / "x.jpg").unlink()
    assert "no longer exists" in client.get("/picture", params={"file": "sun/x.jpg"}).json()["error"]


def test_nothing_that_is_served_can_run_but_the_page(client, queue):
    page = client.get("/")
    nonce = re.search(r"script-src 'nonce-([^']+)'", page.headers["content-security-policy"])[1]
    assert f'<script nonce="{nonce}">' in page.text
    assert nonce not in client.get("/").text
    assert not re.search(r"(src|href)=.?(https?:)?//|@import|url\(", page.text)  # nothing from elsewhere
    others = [client.get("/state"), client.get("/picture", params={"file": "star/0001.png"}), client.get("/picture")]
    for answer in [page, *others]:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_port_that_is_taken_or_none_is_said(queue):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(UserError, match="cannot be used"):
        review_page.serve(queue, other.getsockname()[1])
    with pytest.raises(UserError, match="There is no port"):
        review_page.serve(queue, 70_000)


class Server:
    """The program, in a process of its own."""

    def __init__(self, queue: ReviewQueue, port: int = 0) -> None:
        words = ["-m", "lab_kit.curation.review_page", str(queue.path), str(queue.folder), "--port", str(port)]
        self.process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=code_root()
        )
        start = ""
        while "Ctrl-C" not in start:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            start += line
        self.start, self.address = start, re.search(r"http://127.0.0.1:\d+/", start)[0]
        self.port = int(self.address[:-1].rpartition(":")[2])

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_ends_it_with_the_next_command(queue):
    queue.propose("star/0001.png", "delete")
    server = Server(queue)
    assert "6 pictures to review, 1 of them" in server.start
    code, out, err = server.end(signal.SIGINT)
    assert (code, err) == (0, "")
    assert "1 of 6 pictures looked at: 0 to keep, 1 to delete, 0 to relabel." in out
    assert f"python -m lab_kit.curation.apply_review {queue.path} {queue.folder}" in out
    again = Server(queue)
    assert again.port == server.port  # so that an open page goes on
    again.end(signal.SIGKILL)


@pytest.fixture
def shapes(tmp_path: Path) -> Iterator[str]:
    """Serve a review of pictures of several sizes, in a folder with a long name; gives the address of the page."""
    folder, classes = tmp_path / "shapes that the pupils of the second class have drawn", ("circle", "cross", "star")
    sizes = {"circle/a long name of a small picture.png": (40, 30), "cross/1.png": (130, 90), "star/1.png": (2000, 900)}
    pictures = []
    for file, size in sizes.items():
        (folder / file).parent.mkdir(parents=True)
        Image.effect_noise(size, 90).save(folder / file)
        pictures.append(Picture(file, "valid", file.partition("/")[0], "circle", 1.0, 0.9))
    server = Server(ReviewQueue.create(tmp_path / "review.csv", folder, classes, pictures))
    yield server.address
    assert server.end(signal.SIGINT)[0] == 0


PLACES = """
() => [...document.querySelectorAll("header > *")].filter((one) => one.offsetParent && one.id !== "progress")
    .map((one) => { const box = one.getBoundingClientRect(); return [box.top, box.bottom, box.right]; })
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("width", [390, 1280])
def test_on_phones_and_desks_all_is_there_and_small_pictures_are_sharp(shapes, width):
    phone = {"has_touch": True, "is_mobile": True} if width < 760 else {}
    with programs.chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 800}, reduced_motion="reduce", **phone)
        page.goto(shapes)
        expect(page.locator("#seen")).to_have_text("0 of 3 looked at")
        places = page.evaluate(PLACES)
        assert max(top for top, _, _ in places) < min(bottom for _, bottom, _ in places)  # all of the header in one row
        assert max(right for _, _, right in places) <= width
        for file, size in (("circle/a long name of a small picture.png", (40, 30)), ("cross/1.png", (130, 90))):
            expect(page.locator("#file")).to_have_text(file)
            expect(page.locator("#file")).to_be_visible()
            image = page.locator("#stage img")
            expect(image).to_have_class("enlarged")
            assert image.evaluate("(one) => getComputedStyle(one).imageRendering") == "pixelated"
            box, room = image.bounding_box(), page.locator("#stage").bounding_box()
            times = box["width"] / size[0]
            assert times == int(times) == box["height"] / size[1]
            assert min(room["width"] / size[0], room["height"] / size[1]) - 1 - 26 / size[1] < times
            page.locator("#forward").click()
        expect(page.locator("#file")).to_have_text("star/1.png")
        page.locator("#stage img").evaluate("(image) => image.decode()")
        box = page.locator("#stage img").bounding_box()  # a large one is made smaller, and not enlarged
        assert box["width"] / box["height"] == pytest.approx(2000 / 900, rel=0.02)
        assert box["width"] < page.locator("#stage").bounding_box()["width"] - 20
        expect(page.locator("#stage img")).not_to_have_class("enlarged")

        page.locator("#relabel").click()
        choices = page.locator("#choices button")
        assert choices.all_inner_texts() == ["circle", "cross", "star (as it is)"]
        assert choices.locator("u").all_inner_texts() == ["c", "r", "s"]  # each the first of its word that is free
        assert page.locator("#choices kbd").count() == 0
        assert page.locator("#classes-note").is_visible() == (not phone)
        page.get_by_role("button", name="Change nothing").click()
        expect(page.locator("#classes")).to_be_hidden()
        expect(page.locator("#seen")).to_have_text("0 of 3 looked at")


# Waits until so many have been counted and the next picture is drawn; returns that one's file. It looks at every frame:
# Playwright's own waiting, ten times a second, would take longer than all the rest.
WHEN_COUNTED = """
wanted => new Promise((done, fail) => {
    const end = performance.now() + 30000;
    const look = () => {
        const found = document.getElementById("seen").textContent, image = document.querySelector("#stage img");
        if (found === wanted) {
            const shown = image ? image.decode() : Promise.resolve();
            shown.then(() => done(document.getElementById("file").textContent), fail);
        }
        else if (performance.now() > end) fail(new Error(`${found}, not ${wanted}`));
        else requestAnimationFrame(look);
    };
    look();
})
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_fifty_pictures_by_keyboard_with_a_server_that_is_killed(tmp_path):
    queue = make(tmp_path, 50)
    label = {picture.file: picture.label for picture in queue.pictures}
    predicted = {picture.file: picture.predicted for picture in queue.pictures}
    acknowledged: dict[str, tuple] = {}
    server = Server(queue)
    with programs.chromium() as browser:
        page = browser.new_page(viewport={"width": 500, "height": 400}, reduced_motion="reduce")  # little to draw
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
        page.goto(server.address)

        def looked_at(number: int) -> str:
            return page.evaluate(WHEN_COUNTED, f"{number} of 50 looked at")

        def review(number: int) -> None:
            """Review the picture that is shown when `number` have been acknowledged."""
            file = looked_at(number)
            assert file not in acknowledged
            match number % 5:
                case 0:
                    keys, proposed = "k", ("keep", "", None)
                case 1:
                    keys, proposed = "d", ("delete", "", None)
                case 2:
                    keys, proposed = "4", ("keep", "", 4)
                case 3:
                    keys, proposed = "ru", ("relabel", "sun", None)  # S is the star's
                case _:
                    keys, proposed = "p", ("relabel", predicted[file], None)
                    if predicted[file] == label[file]:
                        keys, proposed = "k", ("keep", "", None)
            if proposed[1] == label[file]:
                proposed = ("keep", "", None)
            for key in keys:
                page.keyboard.press(key)
            acknowledged[file] = proposed

        for number in range(25):
            review(number)
        looked_at(25)
        page.keyboard.press("u")
        acknowledged.pop(looked_at(24))
        review(24)
        looked_at(25)

        server.end(signal.SIGKILL)
        page.keyboard.press("d")
        expect(page.locator("#trouble")).to_contain_text("The server does not answer")
        looked_at(25)
        server = Server(queue, server.port)
        expect(page.locator("#trouble")).to_be_hidden()
        for number in range(25, 40):
            review(number)
        looked_at(40)
        page.reload()  # goes on where it was
        for number in range(40, 50):
            review(number)
        expect(page.locator("#end-title")).to_have_text("All 50 pictures are reviewed.")
        assert page.locator("#command").inner_text().startswith("python -m lab_kit.curation.apply_review")
    assert server.end(signal.SIGINT)[0] == 0
    assert not faults
    found = ReviewQueue.open(queue.path, queue.folder).pictures
    assert {picture.file: (picture.proposal, picture.new_label, picture.grade) for picture in found} == acknowledged
