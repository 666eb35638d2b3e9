"""Six sentences, written with the mouse in a real browser, and a photo of a page: how well are they read, how soon?

python benchmarks/browser_lines.py MODEL [--browser /usr/bin/chromium] [--shots FOLDER]

MODEL is the folder of a shipped reader of natural lines. Imaginary writers whom no training has seen write the
sentences, three of them in print and three in joined letters; pen-ups in the middle of a sentence are answered, too.
The photo is simulated. Needs Playwright, and a Chromium (`playwright install chromium`, or `--browser`).
"""

import argparse
import base64
import dataclasses
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import Browser, Page, sync_playwright
from rapidfuzz.distance import Levenshtein

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benchmarks import visitor  # noqa: E402
from benchmarks.browser import DROP  # noqa: E402
from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.handwriting.pen_line_style import line_style  # noqa: E402
from lab_kit.handwriting.pen_lines import line_paths  # noqa: E402
from lab_kit.handwriting.pen_pages import write_page  # noqa: E402
from lab_kit.photo.simulation import LOOKS, photograph  # noqa: E402

SENTENCES = (
    "The boat left at noon.", "Bring bread and milk.", "Nobody heard the bell.",
    "We walked home slowly.", "Her letter came today.", "Winter was very long.",
)  # fmt: skip
PAGE = (
    "There was a garden behind",
    "the house, and in summer",
    "we had our tea there. The",
    "old dog slept under a tree.",
)
WRITERS = torch.arange(3_000_000, 3_001_000)  # nobody has trained on them
WAIT_EVERY = 4  # strokes, or nothing is read before the end
POINT_EVERY = 2  # points of a path: the mouse does not report all
WIDE, HIGH = 0.9, 0.62  # of the paper that a sentence covers at most
SCREENS = {"1280": {"width": 1280, "height": 800}, "390": {"width": 390, "height": 844}}


def main() -> None:
    """Parse the command line, write, and print what is read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--browser", default=None)
    parser.add_argument("--shots", type=Path, default=None)
    given = parser.parse_args()
    with visitor.serving(given.model) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.browser, args=["--no-sandbox"])
        found = _written(browser, address, given.shots) | _photographed(browser, address, given.shots)
        browser.close()
    waits = found["pen_up_to_reading_ms"]
    claims = [
        Claim("Six sentences written with the mouse, CER", "0.10", f"{found['cer']:.3f}"),
        Claim("From pen-up to the reading on the page, p95", "300 ms", f"{waits['p95']:.0f} ms"),
    ]
    write_json("browser_lines", f"{given.model.name}, {len(SENTENCES)} sentences", found, claims)
    print(json.dumps(found, indent=1, ensure_ascii=False))


def choose_writers() -> list[int]:
    """Return three writers who join nothing, and three who join all that can be joined, with pens of usual width."""
    style = line_style(WRITERS)
    usual = (style["nib"] > 0.3) & (style["nib"] < 0.8)
    print_all, join_all = (WRITERS[usual & who].tolist() for who in (style["join"] <= 0, style["join"] >= 1))
    return print_all[:3] + join_all[:3]


def strokes_of(text: str, writer: int, ratio: float) -> list[np.ndarray]:
    """Return the strokes of a sentence, each (points, 2) from 0 to 1 of the sides of a paper `ratio` times as wide."""
    paths = line_paths([text], torch.tensor([writer]), torch.Generator().manual_seed(writer))
    points = torch.stack([paths.x, paths.y], dim=2).numpy()
    strokes: list[list[np.ndarray]] = []
    for places, inked in zip(points, paths.inked.numpy(), strict=True):
        parts: list[list[np.ndarray]] = []
        for k, down in enumerate(inked):
            if not down:
                continue
            if k == 0 or not inked[k - 1]:
                parts.append([places[k]])
            parts[-1].append(places[k + 1])
        if inked[0] and strokes:  # the pen went on from the letter before
            strokes[-1] += parts.pop(0)
        strokes += parts
    every = np.concatenate([np.array(stroke) for stroke in strokes])
    low, size = every.min(axis=0), np.ptp(every, axis=0)
    scale = min(WIDE * ratio / size[0], HIGH / size[1])  # heights of the paper for each unit
    margin = (np.array([ratio, 1.0]) - scale * size) / 2
    placed = [((np.array(stroke) - low) * scale + margin) / [ratio, 1.0] for stroke in strokes]
    return [np.concatenate([stroke[:-1:POINT_EVERY], stroke[-1:]]) for stroke in placed]


def _written(browser: Browser, address: str, shots: Path | None) -> dict[str, object]:
    page = visitor.opened(browser.new_page(viewport=SCREENS["1280"]), address)
    box = page.locator("#paper").bounding_box()
    read = {}
    for number, (text, writer) in enumerate(zip(SENTENCES, choose_writers(), strict=True)):
        read[text] = visitor.draw(page, strokes_of(text, writer, box["width"] / box["height"]), WAIT_EVERY).strip()
        _shoot(page, shots, f"sentence-{number + 1}")
    waits = page.evaluate("window.waits")
    wrong = sum(Levenshtein.distance(text, got) for text, got in read.items())
    return {
        "read": read,
        "cer": wrong / sum(map(len, read)),
        "pen_up_to_reading_ms": {f"p{p}": round(float(np.percentile(waits, p)), 1) for p in (50, 95, 100)},
        "pen_ups": len(waits),
    }


def _photographed(browser: Browser, address: str, shots: Path | None) -> dict[str, object]:
    """Drop a photo of a page on the paper, on a large screen and on a phone's."""
    photo, found = _photo(PAGE), {}
    for name, size in SCREENS.items():
        page = visitor.opened(browser.new_page(viewport=size), address)
        page.evaluate(DROP, [base64.b64encode(photo).decode(), "page.jpg"])
        page.wait_for_selector("#result:not(.stale):not(.empty)")
        found[f"page_on_{name}"] = page.inner_text("#text")
        found[f"cer_of_page_on_{name}"] = Levenshtein.normalized_distance(
            "\n".join(PAGE), page.inner_text("#text").strip()
        )
        _shoot(page, shots, f"page-{name}")
    return found


def _photo(lines: Sequence[str]) -> bytes:
    """Return a JPEG of a page in soft light, somewhat turned."""
    writer = choose_writers()[0]
    ink = write_page(lines, writer, torch.Generator().manual_seed(writer), (620, 1000))
    look = dataclasses.replace(LOOKS["cream paper, soft shadow"], margin=0.1)
    content = io.BytesIO()
    photograph(ink, look, np.random.default_rng(5)).save(content, "JPEG", quality=85)
    return content.getvalue()


def _shoot(page: Page, folder: Path | None, name: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", full_page=True)


if __name__ == "__main__":
    main()
