"""Twenty characters, drawn with the mouse in a real browser: how many are read right, and how soon after pen-up?

python benchmarks/browser.py MODEL [--browser /usr/bin/chromium] [--tries 2] [--shots FOLDER]

MODEL is the folder of a shipped model of characters. A photo is dropped, too, and one character is drawn by finger on a
screen of a phone's size. Needs Playwright, and a Chromium (`playwright install chromium`, or `--browser`).
"""

import argparse
import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import visitor  # noqa: E402
from benchmarks.drawing import STROKES, drawn  # noqa: E402
from benchmarks.timing import Claim, write_json  # noqa: E402

ALIKE = [set("0Oo"), set("1Il"), set("5Ss"), set("2Zz"), set("9gq")]  # not to be told apart without their neighbours

DROP = """([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.getElementById("paper").dispatchEvent(
      new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--browser", default=None)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--shots", type=Path, default=None)
    given = parser.parse_args()
    with visitor.serving(given.model) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.browser, args=["--no-sandbox"])
        found = _measure(browser, address, given)
        browser.close()
    waits = found["pen_up_to_reading_ms"]
    claims = [
        Claim("Characters drawn with the mouse, read right", "17 of 20", f"{min(found['right'])} of {found['of']}"),
        Claim("From pen-up to the reading on the page, p95", "300 ms", f"{waits['p95']:.0f} ms"),
    ]
    write_json("browser", f"{given.model.name}, {given.tries} tries of each character", found, claims)
    print(json.dumps(found, indent=1))


def _measure(browser, address: str, given: argparse.Namespace) -> dict[str, object]:
    page = visitor.opened(browser.new_page(viewport={"width": 1100, "height": 760}), address)
    rounds, waits = [], []
    for seed in range(given.tries):
        read = {}
        for character in STROKES:
            read[character] = visitor.draw(page, drawn(character, seed))
            if seed == 0 and character in "3R":
                _shoot(page, given.shots, f"desktop-{character}")
        rounds.append(read)
    waits = page.evaluate("window.waits")
    page.click("#clear")
    page.evaluate(DROP, [base64.b64encode(_photo("4")).decode(), "four.jpg"])
    page.wait_for_selector("#result:not(.stale):not(.empty)")
    dropped = page.inner_text("#text")
    _shoot(page, given.shots, "photo")

    phone = browser.new_context(**{"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True})
    page = visitor.opened(phone.new_page(), address)
    by_phone = visitor.draw(page, drawn("G", seed=1))
    _shoot(page, given.shots, "phone")
    overflow = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    count = len(STROKES)
    return {
        "characters": "".join(STROKES),
        "right": [sum(text == true for true, text in read.items()) for read in rounds],
        "right_but_for_twins": [sum(_same(text, true) for true, text in read.items()) for read in rounds],
        "of": count,
        "misread": [{true: text for true, text in read.items() if text != true} for read in rounds],
        "pen_up_to_reading_ms": {f"p{p}": round(float(np.percentile(waits, p)), 1) for p in (50, 95, 100)},
        "pen_ups": len(waits),
        "photo_of_4_is_read": dropped,
        "G_on_a_phone_is_read": by_phone,
        "phone_scrolls_sideways": overflow,
    }


def _photo(character: str) -> bytes:
    """Return a JPEG that could be a phone's: a corner of paper, dim light from one side, not quite sharp."""
    width, height = 1200, 900
    paper = Image.new("L", (width, height), 215)
    pen = ImageDraw.Draw(paper)
    for stroke in drawn(character, seed=0):
        pen.line([(380 + 400 * x, 240 + 400 * y) for x, y in stroke], fill=60, width=22, joint="curve")
    grey = np.array(paper.rotate(4, fillcolor=215).filter(ImageFilter.GaussianBlur(2.5)), dtype=float)
    light = np.linspace(1.0, 0.6, width)[None] * np.linspace(1.05, 0.85, height)[:, None]
    noise = np.random.default_rng(0).normal(0, 5, (height, width))
    content = io.BytesIO()
    Image.fromarray((grey * light + noise).clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=80)
    return content.getvalue()


def _same(text: str, true: str) -> bool:
    return text.lower() == true.lower() or any({text, true} <= twins for twins in ALIKE)


def _shoot(page: Page, folder: Path | None, name: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main()
