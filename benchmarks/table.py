"""Write the table of claims and measurements in docs/speed.md, from `results/*.json`."""

import json
from pathlib import Path

from benchmarks.timing import RESULTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "speed.md"
START, END = "<!-- benchmarks -->\n", "<!-- end of benchmarks -->\n"
NOT_SPEED = (
    "kill",
    "own_data",
    "browser",
    "circle",
    "corrections_kill",
    "find_lr",
    "pen_to_people",
    "photos",
    "web_load",
)  # claims of another kind
ORDER = ("loader", "train_step", "mnist_99", "lines", "decode", "line_models", "prepare", "startup")


def rows() -> str:
    """Return the table as Markdown: a row a claim."""
    lines = ["| what | wanted | measured |", "| --- | --- | --- |"]
    machines = set()
    for path in sorted(RESULTS.glob("*.json"), key=_place):
        if path.stem.startswith(NOT_SPEED):
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        lines += [f"| {claim['what']} | {claim['wanted']} | {claim['measured']} |" for claim in result["claims"]]
        machines.add(result["machine"])
    return "\n".join([*lines, "", f"Measured on: {'; '.join(sorted(machines))}."]) + "\n"


def renew() -> None:
    """Write the table into the page, between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    PAGE.write_text(before + START + rows() + END + rest.split(END)[1], encoding="utf-8")


def _place(path: Path) -> tuple[int, str]:
    place = next((number for number, name in enumerate(ORDER) if path.stem.startswith(name)), len(ORDER))
    return place, path.stem
