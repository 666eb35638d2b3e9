"""Export visitors' corrections from the store to a dataset folder for training.

    python -m app.corrections_export corrections.sqlite corrections

The pictures are the inputs of the network, not the files that visitors sent. The network misread its input: the letter
after it was found in the photo, cut out and centred. The shipped model will get such inputs again, so these are what it
must learn from.

Each class has a folder, as `--data_class ImageFolder` needs it (`lab_kit.feedback.class_folders` makes its name).
Lines have no class: they are in `_lines`, with a `labels.csv`. `manifest.csv` says for each picture what was read, and
by which model.
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

from lab_kit import atomic_write, program
from lab_kit.command_line import command_line
from lab_kit.errors import UserError
from lab_kit.feedback.class_folders import folder_from_label
from lab_kit.feedback.store import KeptPicture, Store
from lab_kit.paths import readable

log = logging.getLogger(__name__)

LINES, LABELS, MANIFEST = "_lines", "labels.csv", "manifest.csv"
COLUMNS = ("file", "label", "read_as", "confidence", "model", "how", "when")
PILLOW_MODES = {1: "L", 3: "RGB"}  # by the number of channels


@dataclass(frozen=True)
class ExportCounts:
    """The numbers of an export.

    Args:
        new: pictures that were written.
        existing: pictures that were in the folder before, and still are.
        removed: pictures that were removed from the folder.
        classes: classes in the folder.
        lines: pictures of lines in the folder.
    """

    new: int
    existing: int
    removed: int
    classes: int
    lines: int


def export(store: Path, folder: Path, confirmed: bool = False) -> None:
    """Write the pictures that visitors corrected as a dataset with one folder for each class.

    A second export into the same folder adds new pictures. It removes pictures that visitors had deleted from the
    store, and moves pictures that were corrected again. It does not touch other files.

    Args:
        store: the SQLite file of the web server (`--feedback`).
        folder: where to write the pictures.
        confirmed: also write pictures that were read right and confirmed.
    """
    opened = Store.open(store, create=False)
    try:
        done = write(opened, folder, confirmed)
    finally:
        opened.close()
    kinds = [f"{done.classes} classes"] if done.classes else []
    kinds += [f"{done.lines} lines"] if done.lines else []
    log.info("%s: %d new pictures, %d were there already.", readable(folder), done.new, done.existing)
    if done.removed:
        log.info("%d pictures were removed: visitors deleted them or corrected them again.", done.removed)
    if kinds:
        log.info("The folder now has %s; %s says what was read in each picture.", " and ".join(kinds), MANIFEST)
    if done.classes:
        log.info("To train on them: %s", command_line("python", "-m", "training.fine_tune", "RUN", folder))


def write(store: Store, folder: Path, confirmed: bool = False) -> ExportCounts:
    """Write the corrected pictures of a store to `folder`.

    Args:
        store: the store.
        folder: where to write the pictures.
        confirmed: also write pictures that were read right and confirmed.

    Raises:
        UserError: there is nothing to write, or the folder cannot be written.
    """
    manifest = _read_manifest(folder / MANIFEST)
    before = {name for name in manifest if _belongs_to(store, name)}
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
            f"{readable(store.path)} has no corrections yet: {counts['all']} pictures are kept, "
            f"{counts['confirmed']} of them confirmed (--confirmed True writes these as well)."
        )
    removed = [folder / file for file in before - known if (folder / file).is_file()]
    for path in removed:  # deleted by its writer, or corrected again
        path.unlink()
    # The manifest is written before the pictures: a picture that no manifest lists would never be removed.
    _write_rows(rows.values(), folder / MANIFEST)
    lines = [(PurePosixPath(name).name, *rest) for name, *rest in rows.values() if name.startswith(f"{LINES}/")]
    if lines or (folder / LINES / LABELS).is_file():
        _write_rows(lines, folder / LINES / LABELS)
    new = 0
    for kept in store.labelled():
        path = folder / _file(store, kept)
        if _file(store, kept) in rows and not path.is_file():
            path.parent.mkdir(exist_ok=True)
            atomic_write.write_bytes(_encoded(kept.seen), path)
            new += 1
    classes = {PurePosixPath(name).parent.name for name in rows} - {LINES}
    return ExportCounts(new, len(rows) - new, len(removed), len(classes), len(lines))


def _file(store: Store, kept: KeptPicture) -> str:
    """Return the path of a picture relative to the folder.

    Its name is a hash of the id: the id itself is secret, because with it a picture can be corrected or deleted.
    """
    _, height, width = kept.seen.shape
    place = LINES if width > height else folder_from_label(kept.label)
    suffix = "png" if len(kept.seen) in PILLOW_MODES else "npy"
    return f"{place}/{store.name}-{hashlib.sha256(kept.id.encode()).hexdigest()[:16]}.{suffix}"


def _belongs_to(store: Store, file: str) -> bool:
    return PurePosixPath(file).name.startswith(f"{store.name}-")


def _encoded(seen: np.ndarray) -> bytes:
    """Return pixels (C, H, W) uint8 as a PNG file with 1 or 3 channels, else as an .npy file."""
    content = io.BytesIO()
    if len(seen) in PILLOW_MODES:
        pixels = seen[0] if len(seen) == 1 else seen.transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(pixels), PILLOW_MODES[len(seen)]).save(content, "PNG")
    else:
        np.save(content, seen.transpose(1, 2, 0))
    return content.getvalue()


def _read_manifest(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the rows of a manifest by file; an empty dict if there is no manifest yet."""
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [tuple(row[name] for name in COLUMNS) for row in csv.DictReader(file, strict=True)]
    except (csv.Error, KeyError, UnicodeDecodeError) as error:
        raise UserError(
            f"{readable(path)} is not a manifest of this program. Move it away, or choose another folder."
        ) from error
    for file, *_ in rows:
        if not re.fullmatch(r"[^/\\:]+/[^/\\:]+", file or "") or ".." in file.split("/"):
            raise UserError(
                f"{readable(path)} lists {file!a}, which is not a picture of this folder. Move the manifest away."
            )
    return {row[0]: row for row in rows}


def _write_rows(rows: Iterable[tuple[str, ...]], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text.getvalue():
        atomic_write.write_text(text.getvalue(), path)


if __name__ == "__main__":
    program.run(export)
