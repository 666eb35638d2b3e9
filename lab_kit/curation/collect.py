"""Collect pictures from the web: read lists of addresses, and save the pictures in class folders.

python -m lab_kit.curation.collect lists pictures

`lists` is a folder with a list for each class, such as `star.txt`, with one address on each line (lines that begin with
# are comments), or one CSV file with the columns class and url. Pictures go to `pictures/<class>/`. The report on all
addresses is `pictures/collected.csv`, in the order of the lists:

    class, url   as in the lists
    file         path of the picture, as it was saved, relative to `pictures`; empty if there is none
    reason       why there is no picture, in plain words; or which picture it is a copy of

If the same command is run again, it downloads only what is missing.
"""

import asyncio
import csv
import logging
import ssl
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from lab_kit.atomic_write import UNFINISHED, write_bytes
from lab_kit.command_line import command_line
from lab_kit.curation.address_lists import read_lists
from lab_kit.curation.fetch import FetchLimits, fetch_all
from lab_kit.curation.names import file_stem_from_url
from lab_kit.curation.quarantine import list_picture_files, quarantine_folder, read_report_rows, write_report_rows
from lab_kit.datasets.picture_files import describe
from lab_kit.datasets.picture_formats import SUFFIXES, detect_format
from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.program import run

COLUMNS = ("class", "url", "file", "reason")
REPORT = "collected.csv"
JOURNAL = "collected.unfinished.csv"  # a line for each finished address, until the report is written

log = logging.getLogger("lab_kit.curation.collect")  # not __name__, which is __main__ in a program


def collect(
    lists: Path,
    folder: Path,
    at_once: int = 16,
    per_host: int = 16,
    timeout: float = 10,
    deadline: float = 60,
    patience: float = 2,
    max_megabytes: float = 10,
) -> None:
    """Download the pictures whose addresses are in lists, many at once; a dead link does not stop the others.

    Args:
        lists: a folder with a list of addresses for each class, <class>.txt, or a CSV file with columns class and url.
        folder: the folder for the class folders; files that are there already stay.
        at_once: number of addresses to fetch at the same time.
        per_host: how many of these may be on the same server.
        timeout: seconds to wait for a server to answer, or for the next part of a picture.
        deadline: seconds that a single picture may take in all.
        patience: seconds, at least, to wait when only servers that do not answer are left. (They get half as much time
            again as everything before has taken.)
        max_megabytes: the largest file to accept.
    """
    for name, value in (("at_once", at_once), ("per_host", per_host), ("timeout", timeout), ("deadline", deadline),
                        ("patience", patience), ("max_megabytes", max_megabytes)):  # fmt: skip
        if not value > 0:
            raise UserError(f"--{name} {value}: it must be more than 0.")
    limits = FetchLimits(at_once, per_host, timeout, deadline, patience, int(max_megabytes * 1e6))
    collection = Collection(Path(lists), Path(folder))
    missing = collection.missing()
    try:
        collection.fetch(missing, limits)
    finally:  # also after Ctrl-C
        collection.write_report()
    collection.quarantine_copies(missing)
    _summary(collection, missing)


class Collection:
    """Lists of addresses, and a folder with the pictures that were downloaded from them."""

    def __init__(self, lists: Path, folder: Path) -> None:
        self.folder = folder
        self.entries = read_lists(lists)
        self.left_out: dict[Path, str] = {}  # files that are no pictures, or broken, each with the reason
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{readable(folder)} is a file: name a folder for the pictures.")
        folder.mkdir(parents=True, exist_ok=True)
        self._before: dict[tuple[str, str], dict[str, str]] = {}
        for row in self._read_report():  # for an address that is listed twice, take the row that has a file
            before = self._before.setdefault((row["class"], row["url"]), row)
            if row["file"] or not before["file"]:
                self._before[row["class"], row["url"]] = row
        self._assign_names()
        self._journal = None

    def missing(self) -> list[int]:
        """Return the indices of the entries that have no file, neither here nor in the quarantine."""
        there = self._file_names()
        for label in {entry.label for entry in self.entries}:
            for left_over in self.folder.joinpath(label).glob(f"*{UNFINISHED}"):
                left_over.unlink(missing_ok=True)  # from a run that was killed
        first: set[tuple[str, str]] = set()
        missing = []
        for index, entry in enumerate(self.entries):
            if (entry.label, entry.url) in first:
                self.entries[index] = replace(entry, file="", reason="listed before")
            elif not entry.file or Path(entry.file).name not in there:
                missing.append(index)
                self.entries[index] = replace(entry, file="", reason="not fetched yet")
            first.add((entry.label, entry.url))
        return missing

    def fetch(self, indices: Sequence[int], limits: FetchLimits, verify: ssl.SSLContext | bool = True) -> None:
        """Download the entries with these indices; write each result to `entries` and to the journal at once."""
        if not indices:
            return
        bar = tqdm(total=len(indices), desc="collecting", unit=" pictures", disable=None)
        writing = threading.Lock()
        with bar, self.folder.joinpath(JOURNAL).open("a", encoding="utf-8", newline="") as file:
            journal = csv.DictWriter(file, COLUMNS, lineterminator="\n")

            def done(number: int, content: bytes | None, reason: str) -> None:
                index = indices[number]
                entry = self.entries[index]
                if content is not None:
                    try:
                        entry = replace(entry, file=self._save(content, entry.label, self._stems[index]), reason="")
                    except OSError as error:
                        entry = replace(entry, reason=f"cannot be written: {error.strerror}")
                else:
                    entry = replace(entry, reason=reason)
                with writing:
                    self.entries[index] = entry
                    journal.writerow(entry.row())
                    file.flush()
                    bar.update()

            urls = [self.entries[index].url for index in indices]
            try:
                asyncio.run(fetch_all(urls, limits, done, verify))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None

    def write_report(self) -> None:
        """Write the report; rows of an earlier report that are no longer in the lists come last."""
        listed = {(entry.label, entry.url) for entry in self.entries}
        others = [row for key, row in self._before.items() if key not in listed]
        write_report_rows(self.folder / REPORT, COLUMNS, [*(entry.row() for entry in self.entries), *others])
        self.folder.joinpath(JOURNAL).unlink(missing_ok=True)

    def quarantine_copies(self, fetched: Sequence[int]) -> None:
        """Move copies to the quarantine, as `verify` does; other faults are left to `verify`."""
        from lab_kit.curation.verify import check_all, find_copies, move_with_report

        if not any(self.entries[index].file for index in fetched):
            return
        files = list_picture_files(self.folder)
        checks = check_all(self.folder, files, 1, None)
        rows = find_copies(self.folder, checks)
        self.left_out = {
            self.folder / file: check.reason for file, check in checks.items() if check.reason not in ("", "animated")
        }
        why = {row["file"]: f"{row['reason']}: {row['detail']}" for row in rows}
        self.entries = [replace(w, reason=why[w.file]) if w.file in why else w for w in self.entries]
        self.write_report()
        move_with_report(self.folder, rows)

    def _read_report(self) -> list[dict[str, str]]:
        rows = read_report_rows(self.folder / REPORT, COLUMNS)
        journal = self.folder / JOURNAL
        if journal.exists():  # the last run was killed, so the last line may be incomplete
            with journal.open(encoding="utf-8", errors="replace", newline="") as file:
                lines = [line for line in csv.reader(file) if len(line) == len(COLUMNS)]
            rows += [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        return rows

    def _assign_names(self) -> None:
        """Assign to each entry the file that it had before, or else a stem that is unique over all classes."""
        taken = {Path(row["file"]).stem.casefold() for row in self._before.values() if row["file"]}
        self._stems = []
        for index, entry in enumerate(self.entries):
            before = self._before.get((entry.label, entry.url))
            if before and before["file"]:
                self.entries[index] = replace(entry, file=before["file"], reason=before["reason"])
                self._stems.append(Path(before["file"]).stem)
                continue
            stem = wish = file_stem_from_url(entry.url)
            number = 1
            while stem.casefold() in taken:
                number += 1
                stem = f"{wish}-{number}"
            taken.add(stem.casefold())
            self._stems.append(stem)

    def _file_names(self) -> set[str]:
        """Return the names of all files in the collection and its quarantine, in any folder."""
        folders = (self.folder, quarantine_folder(self.folder))
        return {file.name for folder in folders for file in folder.rglob("*") if file.is_file()}

    def _save(self, content: bytes, label: str, stem: str) -> str:
        """Write a picture with the suffix of its real format; return its path relative to the folder."""
        target = self.folder / label
        target.mkdir(exist_ok=True)
        suffix = SUFFIXES[detect_format(content) or "JPEG"]
        path, number = target / f"{stem}{suffix}", 1
        while path.exists() and path.read_bytes() != content:  # a file that is not from here
            number += 1
            path = target / f"{stem}~{number}{suffix}"
        if not path.exists():
            write_bytes(content, path)
        return f"{label}/{path.name}"


def _summary(collection: Collection, missing: Sequence[int]) -> None:
    from rich.table import Table

    from lab_kit.plain_console import PlainConsole

    fetched = set(missing)
    count: dict[str, Counter] = {}
    reasons = Counter()
    for index, entry in enumerate(collection.entries):
        if entry.reason == "listed before":
            what = "listed twice"
        elif not entry.file:
            what = "failed"
            reasons[entry.reason] += 1
        elif index not in fetched:
            what = "already there"
        elif collection.folder / entry.file in collection.left_out:
            what = "broken"
        else:
            what = "duplicates" if entry.reason.startswith("duplicate") else "got"
        count.setdefault(entry.label, Counter())[what] += 1
    columns = ["got", "broken", "failed", "already there", "duplicates", "listed twice"]
    columns = [c for c in columns if c in ("got", "failed") or any(counter[c] for counter in count.values())]
    table = Table(title=f"Collected into {readable(collection.folder)}", title_justify="left")
    table.add_column("class")
    for column in columns:
        table.add_column(column, justify="right")
    for label, counter in count.items():
        table.add_row(label, *(str(counter[column]) for column in columns))
    if len(count) > 1:
        table.add_section()
        table.add_row("all", *(str(sum(counter[column] for counter in count.values())) for column in columns))
    console = PlainConsole()
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    if reasons:
        say("Reasons for failures:")
        for reason, number in reasons.most_common(12):
            say(f"{number:6}  {reason}")
        say(f"Report on every address: {readable(collection.folder / REPORT)}. To try again, run the same command.")
    if collection.left_out:
        log.warning("%s The next program moves them aside.", describe(collection.left_out))
    if any(entry.reason.startswith("in two classes") for entry in collection.entries):
        log.warning("Some pictures are in two classes: verify reports which.")
    if not any(entry.file for entry in collection.entries):
        raise UserError("No picture was collected: see the reasons above, and look at the addresses in the lists.")
    say("Next: " + command_line("python", "-m", "lab_kit.curation.verify", collection.folder))


if __name__ == "__main__":
    run(collect)
