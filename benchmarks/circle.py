"""The whole circle: visitors draw, and correct what is misread; from that the model learns, and is shipped again.

    python benchmarks/circle.py RUN [--browser /usr/bin/chromium]

RUN is the folder of a run on EMNIST characters. In a real browser, a hand with forms of its own (an A without its bar,
a D that is a triangle, ...) draws twenty characters and corrects each; then the same drawings, twenty others by that
hand, and twenty by an ordinary one are read by the model that has learned from the corrections.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import visitor  # noqa: E402
from benchmarks.drawing import STROKES, UNUSUAL, drawn  # noqa: E402
from benchmarks.timing import Claim, write_json  # noqa: E402

TRIES = 5  # of each of the four forms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--browser", default=None)
    given = parser.parse_args()
    run = given.run.resolve()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.browser, args=["--no-sandbox"])
        place = Path(folder)
        store = place / "visitors.sqlite"
        found: dict[str, object] = {"corrected": len(UNUSUAL) * TRIES}
        python("-m", "text_recognizer.export", run, "--out", place / "shipped")
        with visitor.serving(place / "shipped", "--feedback", str(store)) as address:
            page = visitor.opened(browser.new_page(), address)
            found["before"] = read(page)
            for seed in range(TRIES):
                for character in UNUSUAL:
                    visitor.draw(page, drawn(character, seed, strokes=UNUSUAL))
                    visitor.correct(page, character)
        python("-m", "app.corrections_export", store, place / "corrections")
        before = time.perf_counter()
        python("-m", "training.fine_tune", run, place / "corrections", "--held_out", "0", "--log_dir", place / "logs")
        found["fine_tune_seconds"] = round(time.perf_counter() - before)
        new = next((place / "logs").glob("*/version_0"))
        python("-m", "text_recognizer.export", new, "--out", place / "shipped")
        with visitor.serving(place / "shipped") as address:
            found["after"] = read(visitor.opened(browser.new_page(), address))
        found["test_accuracy"] = [
            json.loads((one / "metrics.json").read_text(encoding="utf-8"))["test_acc"] for one in (run, new)
        ]
        browser.close()
    before, after = found["before"], found["after"]
    claims = [
        Claim(f"{what}, before and after learning from 20 corrections", wanted, f"{before[of]} and {after[of]} of 20")
        for what, of, wanted in (
            ("Corrected drawings read right", "these", "all"),
            ("Other drawings by that hand", "others", "more"),
            ("Drawings by an ordinary hand", "ordinary", "no fewer"),
        )
    ]
    write_json("circle", given.run.name, found, claims)
    print(json.dumps(found, indent=1))


def python(*words: object) -> None:
    """Run a program of this project, and let it speak."""
    subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, check=True)


def read(page: Page) -> dict[str, int]:
    """Return how many of the drawings are read right: those that were corrected, others by that hand, ordinary ones."""
    others = range(TRIES, 2 * TRIES)
    return {
        "these": sum(right(page, name, seed, UNUSUAL) for seed in range(TRIES) for name in UNUSUAL),
        "others": sum(right(page, name, seed, UNUSUAL) for seed in others for name in UNUSUAL),
        "ordinary": sum(right(page, name, 0, STROKES) for name in STROKES),
    }


def right(page: Page, character: str, seed: int, strokes: dict) -> bool:
    return visitor.draw(page, drawn(character, seed, strokes=strokes)) == character


if __name__ == "__main__":
    main()
