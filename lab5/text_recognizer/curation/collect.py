"""Collect pictures from the web: lists of addresses in, class folders out.

python -m text_recognizer.curation.collect lists pictures

`lists` is a folder with a list for each class, `star.txt`, of one address a line (lines that begin with # are
comments), or one CSV file with the columns class and url. Pictures go to `pictures/<class>/`. What became of every
address is in `pictures/collected.csv`, in the order of the lists:

    class, url   as in the lists
    file         where the picture is, or was before it was set aside, relative to `pictures`; empty if there is none
    reason       why there is none, in plain words; or of what it turned out to be a copy

The same command again fetches what is missing, and nothing else.
"""

import asyncio
import csv
import io
import logging
import ssl
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from text_recognizer.atomic import UNFINISHED, write_bytes
from text_recognizer.curation.check_picture import SUFFIXES, sniff
from text_recognizer.curation.fetch import Limits, fetch_all
from text_recognizer.curation.names import class_folder, file_stem
from text_recognizer.curation.quarantine import picture_files, quarantine_of, read_rows, write_rows
from text_recognizer.errors import UserError
from text_recognizer.paths import readable
from text_recognizer.program import run

COLUMNS = ("class", "url", "file", "reason")
REPORT = "collected.csv"
JOURNAL = "collected.unfinished.csv"  # a line for every address that is done, until the report is written

log = logging.getLogger("text_recognizer.curation.collect")  # not __name__, which is __main__ in a program


@dataclass(frozen=True)
class Wanted:
    """A line of the lists, and what became of it."""

    label: str
    url: str
    file: str = ""
    reason: str = ""

    def row(self) -> dict[str, str]:
        return {"class": self.label, "url": self.url, "file": self.file, "reason": self.reason}


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
    """Collect the pictures whose addresses are in lists, many at once; one dead link never stops the rest.

    Args:
        lists: a folder with a list of addresses for each class, <class>.txt, or a CSV file with columns class and url.
        folder: where the class folders go; what is there already stays.
        at_once: how many addresses to fetch at the same time.
        per_host: how many of these may be of the same server.
        timeout: seconds to wait for a server to answer, or for the next piece of a picture.
        deadline: seconds that a single picture may take in all.
        patience: once only servers that do not answer are left, they get half as long again as all others have
            taken, but at least so many seconds.
        max_megabytes: the largest file to accept.
    """
    for name, value in (("at_once", at_once), ("per_host", per_host), ("timeout", timeout), ("deadline", deadline),
                        ("patience", patience), ("max_megabytes", max_megabytes)):  # fmt: skip
        if not value > 0:
            raise UserError(f"--{name} {value}: it must be more than 0.")
    limits = Limits(at_once, per_host, timeout, deadline, patience, int(max_megabytes * 1e6))
    collection = Collection(Path(lists), Path(folder))
    missing = collection.missing()
    try:
        collection.fetch(missing, limits)
    finally:  # also after Ctrl-C
        collection.write_report()
    collection.set_copies_aside(missing)
    _summary(collection, missing)


class Collection:
    """Lists of addresses, and what there is of them in a folder."""

    def __init__(self, lists: Path, folder: Path) -> None:
        self.folder = folder
        self.wanted = read_lists(lists)
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{readable(folder)} is a file: name a folder for the pictures.")
        folder.mkdir(parents=True, exist_ok=True)
        self._before: dict[tuple[str, str], dict[str, str]] = {}
        for row in self._read_report():  # what was listed twice has its file in one of the rows only
            before = self._before.setdefault((row["class"], row["url"]), row)
            if row["file"] or not before["file"]:
                self._before[row["class"], row["url"]] = row
        self._plan()
        self._journal = None

    def missing(self) -> list[int]:
        """The places in `wanted` that are still to be fetched: whatever is not there, or set aside."""
        there = self._names()
        for label in {wanted.label for wanted in self.wanted}:
            for left_over in self.folder.joinpath(label).glob(f"*{UNFINISHED}"):
                left_over.unlink(missing_ok=True)  # by a run that was killed
        first: set[tuple[str, str]] = set()
        missing = []
        for place, wanted in enumerate(self.wanted):
            if (wanted.label, wanted.url) in first:
                self.wanted[place] = replace(wanted, file="", reason="listed before")
            elif not wanted.file or Path(wanted.file).name not in there:
                missing.append(place)
                self.wanted[place] = replace(wanted, file="", reason="not fetched yet")
            first.add((wanted.label, wanted.url))
        return missing

    def fetch(self, places: Sequence[int], limits: Limits, verify: ssl.SSLContext | bool = True) -> None:
        """Fetch the addresses at `places`; what each comes to is in `wanted` and in the journal at once."""
        if not places:
            return
        bar = tqdm(total=len(places), desc="collecting", unit=" pictures", disable=None)
        writing = threading.Lock()
        with bar, self.folder.joinpath(JOURNAL).open("a", encoding="utf-8", newline="") as file:
            journal = csv.DictWriter(file, COLUMNS, lineterminator="\n")

            def done(number: int, content: bytes | None, reason: str) -> None:
                place = places[number]
                wanted = self.wanted[place]
                if content is not None:
                    try:
                        wanted = replace(wanted, file=self._save(content, wanted.label, self._stems[place]), reason="")
                    except OSError as error:
                        wanted = replace(wanted, reason=f"cannot be written: {error.strerror}")
                else:
                    wanted = replace(wanted, reason=reason)
                with writing:
                    self.wanted[place] = wanted
                    journal.writerow(wanted.row())
                    file.flush()
                    bar.update()

            urls = [self.wanted[place].url for place in places]
            try:
                asyncio.run(fetch_all(urls, limits, done, verify))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None

    def write_report(self) -> None:
        """Write the report; what is no longer in the lists, but was fetched once, comes last."""
        listed = {(wanted.label, wanted.url) for wanted in self.wanted}
        others = [row for key, row in self._before.items() if key not in listed]
        write_rows(self.folder / REPORT, COLUMNS, [*(wanted.row() for wanted in self.wanted), *others])
        self.folder.joinpath(JOURNAL).unlink(missing_ok=True)

    def set_copies_aside(self, fetched: Sequence[int]) -> None:
        """Move what was collected twice to the quarantine, as `verify` does; other troubles are left to `verify`."""
        from text_recognizer.curation.verify import check_all, copies, move_with_report

        if not any(self.wanted[place].file for place in fetched):
            return
        files = picture_files(self.folder)
        rows = copies(self.folder, check_all(self.folder, files, 1, None))
        why = {row["file"]: f"{row['reason']}: {row['detail']}" for row in rows}
        self.wanted = [replace(w, reason=why[w.file]) if w.file in why else w for w in self.wanted]
        self.write_report()
        move_with_report(self.folder, rows)

    def _read_report(self) -> list[dict[str, str]]:
        rows = read_rows(self.folder / REPORT, COLUMNS)
        journal = self.folder / JOURNAL
        if journal.exists():  # the last run was killed; its last line may be half a line
            with journal.open(encoding="utf-8", errors="replace", newline="") as file:
                lines = [line for line in csv.reader(file) if len(line) == len(COLUMNS)]
            rows += [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        return rows

    def _plan(self) -> None:
        """Give every address the file that it had, or the stem of one that no other has, in any class."""
        taken = {Path(row["file"]).stem.casefold() for row in self._before.values() if row["file"]}
        self._stems = []
        for place, wanted in enumerate(self.wanted):
            before = self._before.get((wanted.label, wanted.url))
            if before and before["file"]:
                self.wanted[place] = replace(wanted, file=before["file"], reason=before["reason"])
                self._stems.append(Path(before["file"]).stem)
                continue
            stem = wish = file_stem(wanted.url)
            number = 1
            while stem.casefold() in taken:
                number += 1
                stem = f"{wish}-{number}"
            taken.add(stem.casefold())
            self._stems.append(stem)

    def _names(self) -> set[str]:
        """The names of all files in the collection and in its quarantine, whatever folder they were moved to."""
        places = (self.folder, quarantine_of(self.folder))
        return {file.name for place in places for file in place.rglob("*") if file.is_file()}

    def _save(self, content: bytes, label: str, stem: str) -> str:
        """Write a picture, under the suffix that its bytes deserve; returns where, relative to the folder."""
        place = self.folder / label
        place.mkdir(exist_ok=True)
        suffix = SUFFIXES[sniff(content) or "JPEG"]
        path, number = place / f"{stem}{suffix}", 1
        while path.exists() and path.read_bytes() != content:  # a picture that somebody else has put there
            number += 1
            path = place / f"{stem}~{number}{suffix}"
        if not path.exists():
            write_bytes(content, path)
        return f"{label}/{path.name}"


def read_lists(lists: Path) -> list[Wanted]:
    """Read all addresses, in order.

    Raises:
        UserError: there are no lists, or they cannot be read, or a class has an impossible name.
    """
    if lists.is_dir():
        files = sorted(lists.glob("*.txt"))
        if not files:
            raise UserError(f"{readable(lists)} has no lists: put a file <class>.txt there for each class.")
        wanted = [Wanted(class_folder(file.stem), url) for file in files for url in _addresses(file)]
    elif lists.is_file():
        wanted = _read_table(lists)
    else:
        raise UserError(f"There is no {readable(lists)}: name a folder of lists, or a CSV file.")
    if not wanted:
        raise UserError(f"There is no address in {readable(lists)}: write one a line.")
    names = {w.label.casefold(): w.label for w in wanted}
    for w in wanted:
        if names[w.label.casefold()] != w.label:
            raise UserError(f"'{w.label}' and '{names[w.label.casefold()]}' differ in capitals only: use one of them.")
    return wanted


def _addresses(file: Path) -> Iterable[str]:
    for line in _text(file).splitlines():
        if line.strip() and not line.strip().startswith("#"):
            yield line.strip().strip('"<>,')  # as they are when they come from a program's list


def _read_table(path: Path) -> list[Wanted]:
    try:
        table = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True, skipinitialspace=True)
        rows = list(table)
    except csv.Error as error:
        raise UserError(f"{readable(path)} is no CSV file: {error}.") from None
    if not {"class", "url"} <= set(table.fieldnames or ()):
        raise UserError(f"{readable(path)} needs the columns class and url; its first line should be: class,url")
    return [Wanted(class_folder(row["class"] or ""), (row["url"] or "").strip()) for row in rows if any(row.values())]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{readable(path)} is not a text file in UTF-8: save it as UTF-8.") from None


def _summary(collection: Collection, missing: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table

    fetched = set(missing)
    count: dict[str, Counter] = {}
    reasons = Counter()
    for place, wanted in enumerate(collection.wanted):
        if wanted.reason == "listed before":
            what = "listed twice"
        elif not wanted.file:
            what = "failed"
            reasons[wanted.reason] += 1
        elif place not in fetched:
            what = "already there"
        else:
            what = "duplicates" if wanted.reason.startswith("duplicate") else "got"
        count.setdefault(wanted.label, Counter())[what] += 1
    columns = ["got", "failed", "already there", "duplicates", "listed twice"]
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
    console = Console()
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    if reasons:
        say("Why not:")
        for reason, number in reasons.most_common(12):
            say(f"{number:6}  {reason}")
        say(f"Every address and what became of it: {readable(collection.folder / REPORT)}. Again: the same command.")
    if any(wanted.reason.startswith("in two classes") for wanted in collection.wanted):
        log.warning("Some pictures lie in two classes: verify says which.")
    say(f"Next: python -m text_recognizer.curation.verify {readable(collection.folder)}")


if __name__ == "__main__":
    run(collect)
