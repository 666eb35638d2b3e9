"""A visitor of the web page, who has a mouse and a hand."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]

# When the pen goes up, and when the reading of all that was drawn is on the page and the browser has painted it.
WATCH = """
window.waits = [];
let up = 0;
document.getElementById("paper").addEventListener("pointerup", () => { up = performance.now(); });
new MutationObserver(() => {
  const result = document.getElementById("result");
  if (!up || result.classList.contains("stale") || result.classList.contains("empty")) return;
  const from = up;
  up = 0;
  requestAnimationFrame(() => setTimeout(() => window.waits.push(performance.now() - from)));
}).observe(document.getElementById("result"), { attributes: true, childList: true, subtree: true });
"""


@contextmanager
def serving(model: Path, *flags: str) -> Iterator[str]:
    """Serve a shipped model on a free port of this machine; gives the page's address.

    Args:
        model: the folder of the shipped model.
        flags: further ones of `python -m app`.
    """
    command = [sys.executable, "-m", "app", str(model.resolve()), "--port", "0", *flags]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                yield found[0]
                return
        raise RuntimeError(f"the server did not start: {''.join(said)}")
    finally:
        server.terminate()
        server.wait()


def opened(page: Page, address: str) -> Page:
    """Open the web page, and watch how long readings take: in `window.waits`, milliseconds from pen-up to painted."""
    page.goto(address)
    page.wait_for_selector("#paper")
    page.wait_for_function("!document.getElementById('about').matches(':empty')")
    page.evaluate(WATCH)
    return page


def draw(page: Page, strokes: Sequence[np.ndarray], wait_every: int = 0) -> str:
    """Draw strokes, each (points, 2) from 0 to 1, on empty paper; return what is read.

    Args:
        page: the web page.
        strokes: what to draw.
        wait_every: after so many strokes, wait for the reading of what there is; 0: only after the last.
    """
    if page.is_enabled("#clear"):
        page.click("#clear")
    box = page.locator("#paper").bounding_box()
    for number, stroke in enumerate(strokes, 1):
        before = page.evaluate("window.waits.length")
        for k, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if k == 0:
                page.mouse.down()
        page.mouse.up()
        if number == len(strokes) or (wait_every and number % wait_every == 0):
            # A pen-up has been answered when its reading is on the page.
            page.wait_for_selector("#result:not(.stale):not(.empty)")
            page.wait_for_function("before => window.waits.length > before", arg=before)
    return page.inner_text("#text")


def correct(page: Page, label: str) -> None:
    """Say what the last drawing really is, and wait until that is kept."""
    if not page.is_checked("#consent"):
        page.check("#consent")
    page.click("#wrong")
    page.fill("#label", label)
    page.press("#label", "Enter")
    page.wait_for_selector("#told:has-text('Kept')")
