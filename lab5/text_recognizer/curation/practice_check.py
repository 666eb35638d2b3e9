"""How well was the practice set cleaned? Compares a tree of pictures with the planted truth.

python -m text_recognizer.curation.practice_check practice practice/collected
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from text_recognizer.curation.practice_set import TROUBLE
from text_recognizer.errors import UserError
from text_recognizer.paths import readable
from text_recognizer.program import run


@dataclass(frozen=True)
class Outcome:
    """What became of one kind of trouble: `planted` = `gone` + `put_right` + `left` files."""

    trouble: str
    planted: int
    gone: int
    put_right: int  # only wrong labels can be: the picture lies in the folder of its true class now
    left: int


@dataclass(frozen=True)
class Comparison:
    """A tree of pictures against the truth; the stems tell which good pictures came to harm."""

    outcomes: tuple[Outcome, ...]
    good: int  # pictures with nothing wrong about them
    lost: tuple[str, ...]  # good pictures that are not there, nor is a copy
    mislabelled: tuple[str, ...]  # good pictures that lie in another class's folder now
    unknown: int  # files that were never part of the practice set


def compare(folder: Path, pictures: Path) -> Comparison:
    """Compare a tree of pictures with the truth about the practice set in `folder`.

    A file is known by the stem of its name; its class is the name of the folder it lies in. Of a picture and its
    copies it does not matter which one remains: a copy is gone when fewer are left.

    Args:
        folder: a practice set, with its truth.csv.
        pictures: class folders, or folders of such; what `collected/` has become.

    Raises:
        UserError: there is no truth.csv, or no folder `pictures`.
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
    """Read truth.csv: {stem: {"folder", "true_class", "trouble", "duplicate_of"}}; UserError if that cannot be."""
    path = folder / "truth.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["stem"]: row for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        raise UserError(
            f"{readable(path)} cannot be read: name the folder that practice_set has written, then the pictures."
        ) from None


def check(folder: Path, pictures: Path) -> None:
    """Show how much of the practice set's planted trouble is gone, and what good pictures came to harm.

    Args:
        folder: the practice set, with its truth.csv.
        pictures: the pictures after verifying, or after a review: class folders, or folders of such.
    """
    result = compare(Path(folder), Path(pictures))
    table = Table(title=f"{readable(Path(pictures))}: what became of the planted trouble", title_justify="left")
    table.add_column("trouble")
    for column in ("planted", "gone", "put right", "left"):
        table.add_column(column, justify="right")
    for row in result.outcomes:
        right = str(row.put_right) if row.trouble == "wrong label" else ""
        table.add_row(row.trouble, str(row.planted), str(row.gone), right, str(row.left))
    console = Console()
    console.print(table)
    console.print(
        f"Of {result.good} good pictures, {len(result.lost)} are lost{_some(result.lost)}, "
        f"{len(result.mislabelled)} have the wrong label now{_some(result.mislabelled)}.",
        highlight=False,
    )
    if result.unknown:
        console.print(f"{result.unknown} files there are not part of the practice set.", highlight=False)


def _some(stems: tuple[str, ...], most: int = 8) -> str:
    more = ", ..." if len(stems) > most else ""
    return f" ({', '.join(stems[:most])}{more})" if stems else ""


if __name__ == "__main__":
    run(check)
