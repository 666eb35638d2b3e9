"""Check how well the practice set was cleaned: compare a folder of pictures with the list of planted faults.

python -m lab_kit.curation.practice.check practice practice/collected
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from lab_kit.curation.practice.make_set import TROUBLE
from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.program import run


@dataclass(frozen=True)
class Outcome:
    """What was done about one kind of fault, in numbers of files: `planted` = `gone` + `put_right` + `left`."""

    trouble: str
    planted: int
    gone: int
    put_right: int  # only for wrong labels: the picture is in the folder of its true class now
    left: int


@dataclass(frozen=True)
class Comparison:
    """The result of comparing pictures with the truth; the stems say which good pictures were lost or mislabelled."""

    outcomes: tuple[Outcome, ...]
    good: int  # pictures without a fault
    lost: tuple[str, ...]  # good pictures that are gone, and all their copies, too
    mislabelled: tuple[str, ...]  # good pictures that are in another class's folder now
    unknown: int  # files that were never part of the practice set


def compare(folder: Path, pictures: Path) -> Comparison:
    """Compare a folder of pictures with the truth about the practice set in `folder`.

    A file is identified by the stem of its name, and its class is the name of its folder. Of a picture and its copies,
    it does not matter which one is left: each file more than one counts as a copy that is left.

    Args:
        folder: the practice set, with its truth.csv.
        pictures: a folder of class folders, at any depth: the cleaned `collected/`.

    Raises:
        UserError: truth.csv cannot be read, or the folder `pictures` does not exist.
    """
    truth = read_truth(folder)
    if not pictures.is_dir():
        raise UserError(f"There is no folder {readable(pictures)}.")
    now, unknown = {}, 0
    for file in sorted(pictures.rglob("*")):
        if file.is_file() and file.stem in truth:
            now[file.stem] = file.parent.name
        else:
            unknown += file.is_file() and not file.name.startswith(".")

    copies = defaultdict(list)
    for stem, row in truth.items():
        if row["trouble"] == "duplicate":
            copies[row["duplicate_of"]].append(stem)
    counts = {trouble: {"planted": 0, "gone": 0, "put_right": 0, "left": 0} for trouble in TROUBLE[1:]}
    good, lost, mislabelled = 0, [], []
    for stem, row in truth.items():
        trouble, true_class = row["trouble"], row["true_class"]
        if trouble == "none":
            good += 1
            remaining = [now[name] for name in (stem, *copies[stem]) if name in now]
            if not remaining:
                lost.append(stem)
            elif true_class not in remaining:
                mislabelled.append(stem)
            left = max(0, len(remaining) - 1)
            counts["duplicate"]["planted"] += len(copies[stem])
            counts["duplicate"]["left"] += left
            counts["duplicate"]["gone"] += len(copies[stem]) - left
        elif trouble != "duplicate":
            counts[trouble]["planted"] += 1
            fate = "gone" if stem not in now else "left"
            if trouble == "wrong label" and now.get(stem) == true_class:
                fate = "put_right"
            counts[trouble][fate] += 1
    outcomes = tuple(Outcome(trouble, **count) for trouble, count in counts.items())
    return Comparison(outcomes, good, tuple(lost), tuple(mislabelled), unknown)


def read_truth(folder: Path) -> dict[str, dict[str, str]]:
    """Read truth.csv: {stem: {"folder", "true_class", "trouble", "duplicate_of"}}; UserError if it cannot be read."""
    path = folder / "truth.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["stem"]: row for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        raise UserError(
            f"{readable(path)} cannot be read: name the folder of the practice set first, then the pictures."
        ) from None


def check(folder: Path, pictures: Path) -> None:
    """Print how many of the practice set's planted faults are gone, and which good pictures were lost or mislabelled.

    Args:
        folder: the practice set, with its truth.csv.
        pictures: the pictures after verifying, or after a review: a folder of class folders, at any depth.
    """
    result = compare(Path(folder), Path(pictures))
    table = Table(title=f"{readable(Path(pictures))}: planted faults", title_justify="left")
    table.add_column("fault")
    for column in ("planted", "gone", "put right", "left"):
        table.add_column(column, justify="right")
    for row in result.outcomes:
        right = str(row.put_right) if row.trouble == "wrong label" else ""
        table.add_row(row.trouble, str(row.planted), str(row.gone), right, str(row.left))
    console = PlainConsole()
    console.print(table)
    console.print(
        f"Of {result.good} good pictures, {len(result.lost)} are lost{_some(result.lost)}, "
        f"{len(result.mislabelled)} have the wrong label now{_some(result.mislabelled)}.",
        highlight=False,
    )
    if result.unknown:
        console.print(f"{result.unknown} files in this folder are not part of the practice set.")


def _some(stems: tuple[str, ...], most: int = 8) -> str:
    more = ", ..." if len(stems) > most else ""
    return f" ({', '.join(stems[:most])}{more})" if stems else ""


if __name__ == "__main__":
    run(check)
