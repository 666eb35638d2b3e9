"""The server behind a real nginx, as docs/production.md sets it up: the page in a real browser, and who is kept out."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lab_kit.feedback.store import Store
from lab_kit.paths import code_root
from tests import programs, web_server
from tests.web_server import drawing, encoded, head, in_base64, post, say, served

RECIPES = re.findall(r"```nginx\n(.*?)```", (code_root() / "docs/production.md").read_text(encoding="utf-8"), re.DOTALL)
OWN_NAME, BELOW_A_PATH = RECIPES
AS_IT_COMES = "location / { proxy_pass http://127.0.0.1:8000; }"  # what people write who have read no recipe


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with programs.chromium("--host-resolver-rules=MAP *.example 127.0.0.1") as found:
        yield found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return web_server.ship(tmp_path_factory.mktemp("shipped"))


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Callable[[str, int], int]]:
    """Return a function that starts nginx with a recipe, in front of a server's port, and returns its own port."""
    program = programs.require("nginx", programs.find("nginx"))
    with ExitStack() as stack:

        def start(recipe: str, server: int) -> int:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            if "server {" not in recipe:
                recipe = f"server {{ listen 80; server_name read.example; {recipe} }}"
            recipe, listens = re.subn(r"listen 80;", f"listen 127.0.0.1:{port};", recipe)
            recipe, passes = re.subn(r"//127\.0\.0\.1:8000", f"//127.0.0.1:{server}", recipe)
            assert listens == passes == 1
            folder = tmp_path / str(port)
            folder.mkdir()
            kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            places = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds)
            (folder / "nginx.conf").write_text(
                f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
                f"events {{}}\nhttp {{ access_log off; {places}\n{recipe}\n}}\n"
            )
            words = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
            process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            end = time.monotonic() + 30
            while time.monotonic() < end and process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    return port
                except OSError:
                    time.sleep(0.01)
            raise AssertionError(process.communicate()[1])

        yield start


def write_a_bar(page: Page) -> None:
    box = page.locator("#paper").bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + 0.15 * box["height"])
    page.mouse.down()
    page.mouse.move(x, box["y"] + 0.85 * box["height"], steps=5)
    page.mouse.up()


@pytest.mark.parametrize(("recipe", "path"), [(OWN_NAME, "/"), (BELOW_A_PATH, "/app/")], ids=["name", "path"])
def test_the_page_works_as_the_recipe_sets_it_up(browser, model, nginx, tmp_path, recipe, path):
    store = Store.open(tmp_path / "feedback.sqlite")
    with served(model, store, public=["read.example"]) as (server, _):
        address = f"http://read.example:{nginx(recipe, server)}{path}"
        page = browser.new_page(viewport={"width": 900, "height": 640}, reduced_motion="reduce")
        outside: list[str] = []
        page.on("request", lambda asked: outside.append(asked.url) if not asked.url.startswith(address) else None)
        page.on("pageerror", lambda error: outside.append(str(error)))
        page.goto(address.rstrip("/"))  # without the slash, nginx leads there
        expect(page.locator("#title")).to_have_text("Write a letter or digit")
        write_a_bar(page)
        expect(page.locator("#text")).to_have_text("1")
        page.get_by_label("Keep what I write here").check()
        page.get_by_role("button", name="Right").click()
        expect(page.locator("#told")).to_contain_text("Kept")
        assert [row.label for row in store.readings()] == ["1"]

        page.get_by_role("link", name="For programs").click()
        expect(page).to_have_url(f"{address}docs")
        page.locator("#operations-default-predict .opblock-summary-control").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_label("Request content type").select_option("multipart/form-data")
        ring = {"name": "ring.png", "mimeType": "image/png", "buffer": encoded(drawing("0"))}
        page.locator("#operations-default-predict input[type=file]").set_input_files(ring)
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table td.response-col_description pre").first).to_contain_text(
            '"text": "0"'
        )
        expect(page.locator(".request-url")).to_contain_text(f"{address}predict")
        with page.expect_popup() as opened:
            page.get_by_role("link", name="The page to write on").click()
        expect(opened.value).to_have_url(address)
        page.goto(address)
        page.get_by_role("button", name="Forget it").click()
        expect(page.locator("#told")).to_contain_text("Forgotten")
        page.goto(f"{address}drift")
        expect(page.get_by_role("heading", name="Nothing to compare with")).to_be_visible()
        page.close()
    assert not [url for url in outside if url != address.rstrip("/") and not url.startswith(("data:", "blob:"))]


@pytest.mark.parametrize("recipe", RECIPES, ids=["name", "path"])
def test_large_photos_pass_and_strangers_do_not(model, nginx, recipe):
    with served(model, public=["read.example"]) as (server, service):
        port = nginx(recipe, server)
        path = "/predict" if recipe == OWN_NAME else "/app/predict"
        name = f"read.example:{port}"
        content = encoded(drawing("1"))
        large = json.dumps({"picture": in_base64(content + bytes(9_900_000))}).encode()
        own = {"Host": name, "Origin": f"http://{name}"}
        status, _, answer = post(port, large, "application/json", path, **own)
        assert (status, answer["text"]) == (200, "1")
        for strange in (
            {"Host": name, "Origin": "http://evil.example"},
            {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
            {"Host": name, "Origin": f"http://{name}", "Sec-Fetch-Site": "cross-site"},
        ):
            assert post(port, content, "image/png", path, **strange)[0] == 403, strange
        assert say(port, head(path.replace("predict", ""), "GET", Host="evil.example"))[0] == 403
        assert service.metrics.pictures == 1


def test_without_a_name_the_browsers_word_is_enough_where_it_gives_it(browser, model, nginx):
    with served(model) as (server, _):
        port = nginx(AS_IT_COMES, server)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        write_a_bar(page)
        expect(page.locator("#text")).to_have_text("1")
        page.goto(f"http://read.example:{port}/")  # to which Chromium, without HTTPS, sends no Sec-Fetch-Site
        write_a_bar(page)
        expect(page.get_by_role("alert")).to_contain_text(f"start it with --public-name read.example:{port}")
        page.close()


def test_when_the_server_is_gone_the_page_waits_for_it(browser, model, nginx):
    page = browser.new_page()
    with served(model) as (server, _):
        port = nginx(AS_IT_COMES, server)
        page.goto(f"http://127.0.0.1:{port}/")
        write_a_bar(page)
        expect(page.locator("#text")).to_have_text("1")
    page.get_by_role("button", name="Clear").click()
    write_a_bar(page)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer. What you have written stays here")
    with served(model, port=server):
        expect(page.locator("#result:not(.stale) #text")).to_have_text("1", timeout=20_000)
        expect(page.get_by_role("alert")).to_be_hidden()
    page.close()
