"""The page of the web app in a real browser: writing, photos, corrections, phones, keyboards and screen readers."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Error, expect

from lab_kit.feedback.store import Store
from tests import programs, web_server
from tests.web_server import drawing, encoded, served

BAR, LYING, RING = "1", "-", "0"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with programs.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return web_server.ship(tmp_path_factory.mktemp("shipped"))


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., object]]:
    """Return a function that serves a model and opens its page; at the end, nothing must have gone wrong in it."""
    faults: list[str] = []

    with ExitStack() as stack:

        def open_page(folder: Path, store: Store | None = None, **options: object) -> object:
            port, _ = stack.enter_context(served(folder, store))
            settings = {"viewport": {"width": 900, "height": 640}, "reduced_motion": "reduce"}
            context = browser.new_context(**(settings | options))
            stack.callback(context.close)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
            page.on("request", lambda request: faults.append(request.url) if not _is_here(request.url, port) else None)
            page.goto(f"http://127.0.0.1:{port}/")
            expect(page.locator("#title")).to_have_text(re.compile("Write a"))
            return page

        open_page.faults = faults
        yield open_page
    assert not faults


def _is_here(url: str, port: int) -> bool:
    return url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:"))


def draw(page: object, *points: tuple[float, float]) -> None:
    """Draw a stroke with the mouse; points are in shares of the paper's sides."""
    box = page.locator("#paper").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def shows(page: object, text: str) -> None:
    """Wait until the page shows this reading, of what is on the paper now."""
    expect(page.locator("#result:not(.stale) #text")).to_have_text(text)


BRING = """
([event, files, texts]) => {
    const data = new DataTransfer();
    for (const [content, type] of files) {
        const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
        data.items.add(new File([bytes], "file", { type }));
    }
    for (const [type, text] of texts) data.setData(type, text);
    const where = { dataTransfer: data, clipboardData: data, bubbles: true, cancelable: true };
    document.body.dispatchEvent(event === "drop" ? new DragEvent(event, where) : new ClipboardEvent(event, where));
}
"""


def bring(page: object, event: str, *files: tuple[bytes, str], **texts: str) -> None:
    """Drop or paste files, given by content and type, and texts, given as `text_html="..."`."""
    contents = [(web_server.in_base64(content), kind) for content, kind in files]
    page.evaluate(BRING, [event, contents, [(name.replace("_", "/", 1), text) for name, text in texts.items()]])


def test_what_is_written_with_the_mouse_is_read_while_it_is_written(model, visit):
    page = visit(model)
    assert page.locator("#hint").inner_text() == "Write a letter or digit\nor drop, paste or choose a photo of it"
    words = page.locator("label[for=file] > span")
    assert words.inner_text() == "Photo\xa0…"  # in one piece, so that no gap comes between
    assert page.get_by_role("button", name="Undo").is_disabled()
    assert not page.locator("#teach").is_visible()  # this server keeps nothing
    draw(page, (0.5, 0.15), (0.5, 0.85))
    shows(page, BAR)
    expect(page.locator("#sure")).to_have_text(re.compile(r"\d+% sure"))
    expect(page.locator("#guesses li")).to_have_count(3)
    expect(page.locator("#seen")).to_be_visible()
    expect(page.locator("#said")).to_have_text(re.compile(r"It reads: digit 1, .*\d+% sure."))
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#text")).to_be_hidden()
    draw(page, (0.15, 0.5), (0.85, 0.5))
    shows(page, LYING)
    draw(page, (0.5, 0.1), (0.5, 0.9))
    page.keyboard.press("Control+z")  # the second stroke again
    shows(page, LYING)
    box = page.locator("#paper").bounding_box()
    page.get_by_role("button", name="Undo").click()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] - 30, steps=20)
    expect(page.locator("#text")).to_have_text(BAR)  # the pen is still down
    page.mouse.up()


def test_an_answer_that_comes_late_never_replaces_a_newer_one(model, visit):
    page = visit(model)
    held = []

    def hold(route: object) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    draw(page, (0.5, 0.15), (0.5, 0.85))
    shows(page, BAR)
    page.get_by_role("button", name="Clear").click()
    page.route("**/predict", hold)
    draw(page, (0.5, 0.15), (0.5, 0.85))
    while not held:
        page.wait_for_timeout(10)
    page.get_by_role("button", name="Clear").click()
    draw(page, (0.15, 0.5), (0.85, 0.5))
    shows(page, LYING)
    with suppress(Error):  # the page has given up on it, as it should
        held[0].continue_()
    page.wait_for_timeout(200)
    shows(page, LYING)


def test_a_photo_can_be_chosen_dropped_and_pasted_and_what_is_none_is_said(model, visit, tmp_path):
    page = visit(model)
    page.get_by_label("Choose a photo").set_input_files(
        {"name": "ring.jpg", "mimeType": "image/jpeg", "buffer": encoded(drawing(RING), "JPEG")}
    )
    shows(page, RING)
    for event, sign in (("drop", LYING), ("paste", BAR)):
        bring(page, event, (encoded(drawing(sign)), "image/png"))
        shows(page, sign)
    bring(page, "drop", (b"<html>7</html>", "text/html"))
    expect(page.get_by_role("alert")).to_contain_text("Send")
    expect(page.locator("#text")).to_be_hidden()
    expect(page.locator("#nothing")).to_have_text("This was not read. Choose another picture, or write.")
    visit.faults.clear()  # the browser's own line on status 415
    draw(page, (0.15, 0.5), (0.85, 0.5))  # takes the photo's place
    shows(page, LYING)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_what_is_dropped_from_another_page_is_read_or_it_is_said_why_not(model, visit):
    page = visit(model)
    alert, ring = page.get_by_role("alert"), f"data:image/png;base64,{web_server.in_base64(encoded(drawing(RING)))}"
    picture = '<meta charset="utf-8"><img alt="a ring" src="https://other.example/ring.png">'
    bring(page, "drop", text_html=picture, **{"text_uri-list": "https://other.example/ring.png"})
    expect(alert).to_have_text(re.compile("Only the address of this picture has come here. Save or copy the picture"))
    bring(page, "drop", text_plain="a ring")
    expect(alert).to_have_text("There is no picture in this.")
    bring(page, "drop", *[(encoded(drawing(BAR)), "image/png")] * 2)
    expect(alert).to_have_text("These are 2 files. One picture at a time is read.")
    bring(page, "paste", text_plain="a ring")
    expect(alert).to_have_text("There is no picture in this.")
    bring(page, "drop", text_html=f'<img src="{ring}">')
    shows(page, RING)
    expect(alert).to_be_hidden()
    bring(page, "drop", **{"text_uri-list": "data:image/png;base64,%%%"})
    expect(alert).to_contain_text("Only the address")
    shows(page, RING)  # what was there stays


WHITE, BLACK, YELLOW = (255, 255, 255), (0, 0, 0), (250, 230, 40)


@pytest.mark.parametrize(
    ("ink", "size", "ground"),
    [(WHITE, 280, BLACK), (YELLOW, 280, BLACK), (BLACK, 280, WHITE), (WHITE, 4100, BLACK)],
    ids=["white", "yellow", "black", "large"],
)
def test_ink_on_a_transparent_ground_is_read_and_shown_as_it_is_read(model, visit, ink, size, ground):
    page = visit(model, color_scheme="light" if ground == BLACK else "dark")
    sign = drawing(BAR, size)
    picture = Image.new("RGBA", sign.size, (*ink, 0))
    picture.putalpha(sign.point(lambda value: 255 - value))
    content = {"name": "ink.png", "mimeType": "image/png", "buffer": encoded(picture, compress_level=1)}
    page.get_by_label("Choose a photo").set_input_files(content)
    shows(page, BAR)
    page.wait_for_timeout(100)  # for the next frame
    shown = Image.open(io.BytesIO(page.locator("#paper").screenshot())).convert("RGB")
    assert shown.getpixel((shown.width // 4, shown.height // 2)) == ground
    assert np.allclose(shown.getpixel((shown.width // 2, shown.height // 2)), ink, atol=8)


def test_a_folder_is_not_taken_for_a_server_that_is_gone(model, visit):
    page = visit(model)
    page.evaluate("() => { File.prototype.arrayBuffer = FileReader.prototype.readAsDataURL = () => { throw 0; }; }")
    bring(page, "drop", (b"", ""))
    expect(page.get_by_role("alert")).to_have_text("file cannot be read. If it is a folder, choose one picture in it.")


def middle_of_the_ink(page: object) -> np.ndarray:
    """Return the ink, 0 to 1, of those columns of the paper where a stroke from side to side is even."""
    seen = np.asarray(Image.open(io.BytesIO(page.locator("#paper").screenshot())).convert("L"), dtype=float)
    ink = (seen.max() - seen) / np.ptp(seen)
    return ink[4:-4, ink.shape[1] // 4 : -ink.shape[1] // 4]  # without the paper's rim


def test_a_fast_stroke_has_straight_edges(model, visit):
    page = visit(model)
    box = page.locator("#paper").bounding_box()
    for y in (0.501, 0.5023, 0.504):  # the edge lies on other parts of a pixel
        draw(page, (0.1, y), (0.9, y))
        shows(page, LYING)
        ink = middle_of_the_ink(page)
        assert ink.max() == 1
        assert (ink == ink[:, :1]).all()  # every column is like the first one
        page.get_by_role("button", name="Clear").click()
    pen = page.context.new_cdp_session(page)
    for step in range(33):  # a pen that is pressed ever more, so that its stroke widens
        event = "mousePressed" if step == 0 else "mouseMoved" if step < 32 else "mouseReleased"
        where = {"x": box["x"] + (0.1 + step / 40) * box["width"], "y": box["y"] + box["height"] / 2}
        press = {"button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen", "force": 0.3 + step / 64}
        pen.send("Input.dispatchMouseEvent", {"type": event, **where, **press})
    shows(page, LYING)
    widths = middle_of_the_ink(page).sum(axis=0)
    assert widths[-1] > widths[0] + 3
    assert np.diff(widths).min() > -0.02  # pixels: it widens all along,
    assert np.diff(widths).max() < 0.3  # and evenly, but for the quarters of a pixel that Chromium counts


def test_what_is_on_the_paper_outlives_a_look_at_the_description(model, visit, tmp_path):
    store = Store.open(tmp_path / "feedback.sqlite")
    page = visit(model, store)
    draw(page, (0.5, 0.15), (0.5, 0.85))
    shows(page, BAR)
    page.get_by_label("Keep what I write here").check()
    page.get_by_role("button", name="Right").click()
    expect(page.locator("#told")).to_contain_text("Kept")
    page.get_by_role("link", name="For programs").click()
    expect(page.get_by_role("heading", name="Text recognizer")).to_be_visible()
    page.go_back()
    shows(page, BAR)
    page.get_by_label("Keep what I write here").check()
    page.get_by_role("button", name="Right").click()  # again: it is the same picture
    expect(page.locator("#told")).to_contain_text("Kept")
    assert store.counts()["all"] == 1
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#hint")).to_be_visible()
    bring(page, "drop", (encoded(drawing(RING), "JPEG"), "image/jpeg"))
    shows(page, RING)
    page.reload()
    shows(page, RING)
    page.get_by_role("button", name="Clear").click()
    page.reload()
    expect(page.locator("#hint")).to_be_visible()


def test_what_answers_in_place_of_the_server_is_not_taken_for_it(model, visit):
    page = visit(model)
    login = {"status": 302, "headers": {"Location": "http://127.0.0.1:9/login"}}
    html = {"content_type": "text/html", "body": "<html>"}
    for answer, words in (
        (login, "Something else answers in place of this server, perhaps a page to log in"),
        ({"status": 200, **html}, "perhaps a page to log in"),
        ({"status": 413, **html}, "A proxy in front of this server refuses so large a picture"),
        ({"status": 502, **html}, "The server does not answer. What you have written stays here"),
    ):
        page.route("**/predict", partial(lambda answer, route: route.fulfill(**answer), answer))
        draw(page, (0.5, 0.15), (0.5, 0.85))
        expect(page.get_by_role("alert")).to_contain_text(words)
        page.get_by_role("button", name="Clear").click()
        page.unroute("**/predict")
    visit.faults[:] = [fault for fault in visit.faults if "Failed to load resource" not in fault]


def test_nothing_is_kept_without_consent_and_what_is_kept_can_be_forgotten(model, visit, tmp_path):
    store = Store.open(tmp_path / "feedback.sqlite")
    page = visit(model, store)
    consent = page.get_by_label("Keep what I write here")
    assert not consent.is_checked()
    expect(page.get_by_role("heading", name="Was it right?")).to_be_hidden()  # nothing was read yet
    draw(page, (0.5, 0.15), (0.5, 0.85))
    shows(page, BAR)
    page.get_by_role("button", name="Right").click()
    expect(page.locator("#told")).to_contain_text("Nothing was sent")
    page.get_by_role("button", name="No, this is").click()
    expect(page.locator("#correction")).to_be_hidden()
    assert store.counts()["all"] == 0

    consent.check()
    page.get_by_role("button", name="No, this is").click()
    page.locator("#label").fill("x")
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_contain_text("Not kept. 'x' is not one of the 3 classes")
    visit.faults.clear()  # the browser's own line on status 422
    page.locator("#label").fill(RING)
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_have_text("Kept: this is digit 0. Thank you.")
    [row] = store.readings()
    assert (row.text, row.label, row.how) == (BAR, RING, "pen")

    page.get_by_role("button", name="No, this is").click()  # another thought: the same picture
    page.get_by_role("group", name="other guesses").get_by_role("button", name="It is hyphen").click()
    expect(page.locator("#told")).to_have_text("Kept: this is hyphen. Thank you.")
    assert [row.label for row in store.readings()] == [LYING]

    draw(page, (0.15, 0.5), (0.85, 0.5))
    page.get_by_role("button", name="Right").click()
    expect(page.locator("#told")).to_contain_text("Kept")
    assert store.counts()["all"] == 2
    page.get_by_role("button", name="Forget it").click()
    expect(page.locator("#told")).to_contain_text("Forgotten")
    assert [row.label for row in store.readings()] == [LYING]
    page.reload()
    page.get_by_role("button", name="Forget the one picture I sent").click()
    expect(page.locator("#told")).to_contain_text("Forgotten")
    assert store.counts()["all"] == 0


def test_it_says_when_the_server_is_busy_or_gone_and_goes_on_by_itself(model, visit):
    page = visit(model)
    refusals = [429] * 3

    def busy(route: object) -> None:
        if refusals:
            route.fulfill(status=refusals.pop(), json={"error": "Too many people."}, headers={"Retry-After": "0"})
        else:
            route.continue_()

    page.route("**/predict", busy)
    draw(page, (0.5, 0.15), (0.5, 0.85))
    expect(page.get_by_role("alert")).to_contain_text("Too many people. What you have written stays here")
    shows(page, BAR)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.unroute("**/predict")

    gone = [1, 1]
    page.route("**/predict", lambda route: route.abort() if gone and gone.pop() else route.continue_())
    page.get_by_role("button", name="Clear").click()
    draw(page, (0.15, 0.5), (0.85, 0.5))
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    shows(page, LYING)
    expect(page.get_by_role("alert")).to_be_hidden()
    visit.faults[:] = [fault for fault in visit.faults if "Failed to load resource" not in fault]


@pytest.mark.parametrize("size", [(360, 640), (390, 844), (844, 390)], ids=str)
def test_on_a_phone_one_writes_with_a_finger_and_nothing_scrolls(model, visit, size):
    width, height = size
    page = visit(model, viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    box = page.locator("#paper").bounding_box()
    assert min(box["width"], box["height"]) >= 230
    assert box["y"] + box["height"] <= height
    x, y = box["x"] + box["width"] / 2, box["y"]
    devtools = page.context.new_cdp_session(page)
    touch = [("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.8)]
    for kind, share in touch:
        point = {"x": x, "y": y + share * box["height"]}
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    shows(page, BAR)
    assert page.evaluate("() => window.scrollY") == 0
    reading = page.locator("#text").bounding_box()
    assert reading["y"] + reading["height"] <= height  # without scrolling
    assert page.get_by_label("Take a photo").count() == 1
    page.get_by_role("button", name="Clear").click()
    assert (
        page.locator("#hint").inner_text() == "Write a letter or digit\nor choose or take a photo of it"
    )  # not: drop it


def test_one_writes_by_keyboard(model, visit):
    page = visit(model)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "paper"
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for _ in range(2):
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Space")
    expect(page.locator("#said")).to_have_text("Pen down at 50% from the left, 21% from the top.")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    shows(page, BAR)
    expect(page.locator("#said")).to_have_text(re.compile("It reads: digit 1"))
    page.keyboard.press("Control+z")
    expect(page.locator("#said")).to_have_text("The paper is empty.")


def test_a_screen_reader_finds_everything_by_its_name(model, visit, tmp_path):
    page = visit(model, Store.open(tmp_path / "feedback.sqlite"))
    draw(page, (0.5, 0.15), (0.5, 0.85))
    shows(page, BAR)
    for role, name in (
        ("heading", "Write a letter or digit"),
        ("application", "Paper to write on"),
        ("button", "Undo"),
        ("button", "Clear"),
        ("button", "Choose a photo"),
        ("region", "What is read"),
        ("list", "The best guesses"),
        ("img", "What the network sees, enlarged"),
        ("region", "Was it right?"),
        ("button", "Right"),
        ("checkbox", "Keep what I write here, to improve the reader"),
        ("link", "For programs"),
    ):
        assert page.get_by_role(role, name=name).count() == 1, (role, name)
    described = page.evaluate("() => document.getElementById(paper.getAttribute('aria-describedby')).textContent")
    assert "arrow keys" in described
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('button, input, a')].filter((one) => one.offsetParent && "
        "!(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length)).map((one) => one.id)"
    )
    assert nameless == []


# WCAG's contrast of two colours, of what is written to what is behind it.
CONTRASTS = """
() => {
    const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
            .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const colour = getComputedStyle(one).backgroundColor;
            if (!/, 0\\)|transparent/.test(colour)) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    const found = [];
    for (const one of document.querySelectorAll("body *")) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !one.offsetParent || one.disabled || one.matches("script, .hidden-text, option")) continue;
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
        found.push([(a + 0.05) / (b + 0.05), one.id || one.textContent.slice(0, 20)]);
    }
    return found;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_light_and_dark(model, visit, tmp_path, scheme):
    page = visit(model, Store.open(tmp_path / "feedback.sqlite"), color_scheme=scheme)
    draw(page, (0.5, 0.15), (0.5, 0.85))
    shows(page, BAR)
    page.get_by_role("button", name="Right").click()
    page.get_by_label("Keep what I write here").check()
    page.get_by_role("button", name="No, this is").click()
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 15
    assert not [found for found in contrasts if found[0] < 4.5]


def test_lines_have_a_wide_paper_and_are_corrected_as_a_text(visit, tmp_path):
    store = Store.open(tmp_path / "feedback.sqlite")
    page = visit(web_server.ship(tmp_path / "lines", "line"), store)
    box = page.locator("#paper").bounding_box()
    assert box["width"] > 3 * box["height"]
    for x in (0.1, 0.2, 0.3):
        draw(page, (x, 0.25), (x, 0.7))
    expect(page.locator("#result:not(.stale) #sure")).to_be_visible()
    page.get_by_label("Keep what I write here").check()
    page.get_by_role("button", name="No, this is").click()
    page.locator("#label").fill("111")
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_have_text("Kept: this is 111. Thank you.")
    assert [row.label for row in store.readings()] == ["111"]
    visit.faults[:] = [fault for fault in visit.faults if "422" not in fault]


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=str)
def test_the_lines_of_a_page_are_shown_on_its_photo_and_beside_it(visit, tmp_path, size):
    rows = [Image.new("L", (900, 220), 255) for _ in range(3)]
    for row, signs in zip(rows, ("10", "0101", "1"), strict=True):
        for place, sign in enumerate(signs):
            row.paste(drawing(sign, 200), (20 + 210 * place, 10))
    photo = Image.fromarray(np.concatenate([np.asarray(row) for row in rows]))
    page = visit(web_server.ship(tmp_path / "lines", "line"), viewport={"width": size[0], "height": size[1]})
    expect(page.locator("#title")).to_have_text("Write a line, or photograph a page")
    expect(page.locator("#hint")).to_contain_text("a photo of a line or a page")
    bring(page, "drop", (encoded(photo), "image/png"))
    expect(page.locator("#lines li")).to_have_count(3)
    texts = page.locator("#lines .what").all_inner_texts()
    shows(page, "\n".join(texts))
    expect(page.locator("#sure")).to_have_text("3 lines")
    expect(page.locator("#guesses")).to_be_hidden()
    paper = page.locator("#paper").bounding_box()
    assert paper["width"] / paper["height"] == pytest.approx(900 / 660, rel=0.05)
    blue = "[...document.querySelector('#paper').getContext('2d').getImageData(0, 0, 400, 250).data]"
    assert page.evaluate(
        f"{blue}.some((v, k, all) => k % 4 === 0 && v === 29 && all[k + 1] === 95 && all[k + 2] === 168)"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#lines li")).to_have_count(0)
    wide = page.locator("#paper").bounding_box()
    assert wide["width"] > 2 * wide["height"]


def test_the_description_can_be_tried(model, visit):
    page = visit(model)
    page.get_by_role("link", name="For programs").click()
    page.locator("#operations-default-predict .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_label("Request content type").select_option("multipart/form-data")
    page.locator("#operations-default-predict input[type=file]").set_input_files(
        {"name": "bar.png", "mimeType": "image/png", "buffer": encoded(drawing(BAR))}
    )
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table td.response-col_description pre").first).to_contain_text('"text": "1"')
