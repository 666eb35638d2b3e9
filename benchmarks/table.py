"""Write the table of claims and measurements in docs/speed.md, from `results/*/*.json`."""

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
    "ctc_or_attention",
    "find_lr",
    "pen_to_people",
    "photos",
    "sweeps",
    "verdicts",
    "web_load",
)  # claims of another kind
ORDER = ("loader", "train_step", "mnist_99", "lines", "decode", "line_models", "prepare", "startup", "peers", "scale")


def rows() -> str:
    """Return the table as Markdown: a row a claim, a column a processor."""
    measured: dict[tuple[str, str], dict[str, str]] = {}  # benchmark, claim -> processor -> result
    wanted: dict[tuple[str, str], str] = {}
    machines: dict[str, str] = {}
    for path in sorted(RESULTS.glob("*/*.json"), key=_place):
        if path.stem.startswith(NOT_SPEED):
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        processor = result["machine"].partition(",")[0]
        machines[processor] = result["machine"]
        for claim in result["claims"]:
            row = path.stem, claim["what"]
            measured.setdefault(row, {})[processor] = claim["measured"]
            wanted.setdefault(row, claim["wanted"])
    columns = sorted(machines)
    lines = [f"| what | wanted | {' | '.join(columns)} |", "| --- " * (2 + len(columns)) + "|"]
    lines += [
        f"| {row[1]} | {wanted[row]} | {' | '.join(found.get(name, '') for name in columns)} |"
        for row, found in measured.items()
    ]
    return "\n".join([*lines, "", f"Measured on: {'; '.join(sorted(machines.values()))}."]) + "\n"


def renew() -> None:
    """Write the table into the page, between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    PAGE.write_text(before + START + rows() + END + rest.split(END)[1], encoding="utf-8")


def _place(path: Path) -> tuple[int, str]:
    place = next((number for number, name in enumerate(ORDER) if path.stem.startswith(name)), len(ORDER))
    return place, f"{path.stem} {path.parent.name}"
