"""From what visitors corrected to a folder that one can look at, clean and learn from.

    python -m text_recognizer.feedback.export corrections.sqlite corrections

The pictures are those that the network saw, and not those that visitors sent. A photo of a desk says little about how
the letter on it looked once it had been found, cut out and centred, and that is what was misread. Whoever trains with
these pictures trains with what the shipped model will be given again.

Each class has a folder (`names` says what it is called), as `--data_class ImageFolder` wants it; lines, which have no
class, lie in `_lines` with a `labels.csv`. `manifest.csv` says of each picture what it was read as, by which model.
"""

import csv
import hashlib
import io
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from text_recognizer import atomic, program
from text_recognizer.errors import UserError
from text_recognizer.feedback.names import folder_of
from text_recognizer.feedback.store import Kept, Store
from text_recognizer.paths import readable

log = logging.getLogger(__name__)

LINES, LABELS, MANIFEST = "_lines", "labels.csv", "manifest.csv"
COLUMNS = ("file", "label", "read_as", "confidence", "model", "how", "when")
PILLOW_MODES = {1: "L", 3: "RGB"}  # by the number of channels


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Args:
        new, there, gone: pictures that were written, that had been there, and that were removed.
        classes: how many classes the folder has.
        lines: how many of the pictures that are there now are lines.
    """

    new: int
    there: int
    gone: int
    classes: int
    lines: int


def export(store: Path, folder: Path, confirmed: bool = False) -> None:
    """Write the pictures that visitors corrected as a data set: a folder for each class.

    Again into the same folder, it adds what is new. What a visitor has had forgotten since, or has corrected once more,
    goes from where it was. Nothing else is touched.

    Args:
        store: the SQLite file that the web page keeps.
        folder: where the pictures go.
        confirmed: write those too that were read right.
    """
    opened = Store.open(store, create=False)
    try:
        done = write(opened, folder, confirmed)
    finally:
        opened.close()
    kinds = [f"{done.classes} classes"] if done.classes else []
    kinds += [f"{done.lines} lines"] if done.lines else []
    log.info("%s: %d new pictures, %d were there already.", readable(folder), done.new, done.there)
    if done.gone:
        log.info("%d pictures were removed: visitors had them forgotten, or corrected them once more.", done.gone)
    if kinds:
        log.info("It has %s now; %s says what each picture was read as.", " and ".join(kinds), MANIFEST)
    if done.classes:
        log.info("Learn from them: python -m training.fine_tune RUN %s", readable(folder))


def write(store: Store, folder: Path, confirmed: bool = False) -> Exported:
    """Write a store's pictures below `folder`; the other arguments are those of `export`.

    Raises:
        UserError: there is nothing to write, or it cannot be written.
    """
    manifest = _read(folder / MANIFEST)
    before = {name for name in manifest if _is_of(store, name)}
    rows = {name: row for name, row in manifest.items() if name not in before and (folder / name).is_file()}
    known = set()
    for kept in store.labelled():
        file = _file(store, kept)
        known.add(file)
        if kept.corrected or confirmed or (file in before and (folder / file).is_file()):
            when = kept.when.isoformat(timespec="seconds")
            rows[file] = (file, kept.label, kept.text, f"{kept.confidence:.4f}", kept.model, kept.how, when)
    if not rows and not before:
        counts = store.counts()
        raise UserError(
            f"Nobody has corrected anything in {readable(store.path)} yet: {counts['all']} pictures are kept, "
            f"{counts['confirmed']} of them confirmed (--confirmed True writes those too)."
        )
    gone = [folder / file for file in before - known if (folder / file).is_file()]
    for path in gone:  # forgotten, or corrected to something else
        path.unlink()
    # The manifest comes before the pictures: one that is in no manifest could not be found again to be removed.
    _write_rows(rows.values(), folder / MANIFEST)
    lines = [(PurePosixPath(name).name, *rest) for name, *rest in rows.values() if name.startswith(f"{LINES}/")]
    if lines or (folder / LINES / LABELS).is_file():
        _write_rows(lines, folder / LINES / LABELS)
    new = 0
    for kept in store.labelled():
        path = folder / _file(store, kept)
        if _file(store, kept) in rows and not path.is_file():
            path.parent.mkdir(exist_ok=True)
            atomic.write_bytes(_encoded(kept.seen), path)
            new += 1
    classes = {PurePosixPath(name).parent.name for name in rows} - {LINES}
    return Exported(new, len(rows) - new, len(gone), len(classes), len(lines))


def _file(store: Store, kept: Kept) -> str:
    """Return a picture's path below the folder. From its name, nobody can tell the id, which is the visitor's key."""
    _, height, width = kept.seen.shape
    place = LINES if width > height else folder_of(kept.label)
    suffix = "png" if len(kept.seen) in PILLOW_MODES else "npy"
    return f"{place}/{store.name}-{hashlib.sha256(kept.id.encode()).hexdigest()[:16]}.{suffix}"


def _is_of(store: Store, file: str) -> bool:
    return PurePosixPath(file).name.startswith(f"{store.name}-")


def _encoded(seen: np.ndarray) -> bytes:
    """Return the content of a file with (C, H, W) uint8: PNG, or NumPy's format where a picture cannot be that."""
    content = io.BytesIO()
    if len(seen) in PILLOW_MODES:
        pixels = seen[0] if len(seen) == 1 else seen.transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(pixels), PILLOW_MODES[len(seen)]).save(content, "PNG")
    else:
        np.save(content, seen.transpose(1, 2, 0))
    return content.getvalue()


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the rows of a manifest by file; none if there is no manifest yet."""
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [tuple(row[name] for name in COLUMNS) for row in csv.DictReader(file, strict=True)]
    except (csv.Error, KeyError, UnicodeDecodeError) as error:
        raise UserError(
            f"{readable(path)} is not as this program writes it: move it away, or name another folder."
        ) from error
    for file, *_ in rows:
        if not re.fullmatch(r"[^/\\:]+/[^/\\:]+", file or "") or ".." in file.split("/"):
            raise UserError(f"{readable(path)} names {file!a}, which is no picture of this folder: move it away.")
    return {row[0]: row for row in rows}


def _write_rows(rows: Iterable[tuple[str, ...]], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text.getvalue():
        atomic.write_text(text.getvalue(), path)


if __name__ == "__main__":
    program.run(export)
