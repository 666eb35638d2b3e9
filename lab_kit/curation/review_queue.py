"""The queue of a review: pictures sorted by loss, with a person's proposal for each.

A proposal changes no picture: it is written to a CSV file, until `apply_review` writes a new data set. The idea that a
person looks through the pictures with the highest losses is from fast.ai's ImageCleaner (Howard and others, 2018).

Each proposal rewrites the whole file, less than a megabyte for 10,000 pictures, in one atomic step. So every proposal
is in the one file that all programs read, and there is no journal that could get lost.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from lab_kit import atomic_write, locks
from lab_kit.curation import review_file
from lab_kit.curation.review_file import Picture
from lab_kit.datasets.picture_layout import class_names
from lab_kit.errors import UserError
from lab_kit.paths import readable

__all__ = ["Picture", "ReviewQueue"]

log = logging.getLogger(__name__)

LOCK_TIMEOUT_S = 10  # another program that writes the file needs only milliseconds


class ReviewQueue:
    """A review that is stored in a file; several queues, also in several programs, may use the same file at once.

    Make one with `create` or `open`. Methods that change something first read what others have written, so that no
    proposals are lost.

    Attributes:
        path: the review's file.
        folder: the data set's folder.
        classes: the labels that exist.
        pictures: all pictures, sorted by loss, the highest first, as they were when the file was last read.
        version: increases whenever `pictures` changes, through this object or another one.
    """

    path: Path
    folder: Path
    classes: tuple[str, ...]
    pictures: list[Picture]
    version: int

    def __init__(self, path: Path, folder: Path, classes: Sequence[str] | None = None) -> None:
        self.path, self.folder = Path(path), Path(folder)
        self.classes = class_names(self.folder) if classes is None else tuple(classes)
        for name in self.classes:
            if not review_file.is_folder_name(name):
                raise UserError(f"A class cannot be called '{name}': its name must be valid for a folder.")
        self.pictures, self.version = [], 0
        self._content: bytes | None = None  # of the file, as last read or written
        self._lines: list[str] = []  # of the file, one for each of the pictures
        self._index_of: dict[str, int] = {}  # file -> index
        self._undo: list[tuple[Picture, Picture]] = []  # before and after each proposal made here

    @classmethod
    def create(cls, path: Path, folder: Path, classes: Sequence[str], pictures: Iterable[Picture]) -> "ReviewQueue":
        """Write a new review of `pictures`, which may be in any order.

        If there is a review at `path`, its proposals for the same files are taken over. If it has proposals for other
        files, it is kept under another name beside the new one.

        Raises:
            UserError: a picture cannot be in a review, or the file at `path` is not a review.
        """
        queue = cls(path, folder, classes)
        new = {}
        for picture in pictures:
            if picture.file in new:
                raise UserError(f"{picture.file} is there twice.")
            new[picture.file] = review_file.validate(_with_plain_floats(picture), queue.classes)
        queue.path.parent.mkdir(parents=True, exist_ok=True)
        with queue._locked():
            if queue.path.exists():
                queue._take_over_proposals(new)
            review_file.remove_leftovers(queue.path)
            queue._set(review_file.sort_by_loss(new.values()))
            queue._write()
        return queue

    @classmethod
    def open(cls, path: Path, folder: Path, classes: Sequence[str] | None = None) -> "ReviewQueue":
        """Read a review from its file.

        Args:
            path: the review's file.
            folder: the data set's folder.
            classes: the labels that exist; None for the names of the class folders.

        Raises:
            UserError: the file is missing or has an error, or none of its pictures is in `folder`.
        """
        queue = cls(path, folder, classes)
        if not queue.path.is_file():
            raise UserError(f"There is no review {readable(queue.path)}.")
        with queue._locked():
            review_file.remove_leftovers(queue.path)
            queue._read()
        if queue.pictures and not any((queue.folder / picture.file).exists() for picture in queue.pictures):
            first = queue.pictures[0].file
            raise UserError(
                f"None of the pictures of {readable(queue.path)}, like {first}, is in {queue.folder}: "
                "name the folder of these pictures."
            )
        return queue

    def refresh(self) -> bool:
        """Read what others have written to the file; return whether anything has changed."""
        with self._locked():
            return self._read()

    def picture(self, file: str) -> Picture:
        """Return the picture with this path; raise UserError if the review has none."""
        if file not in self._index_of:
            raise UserError(f"'{file}' is not in the review.")
        return self.pictures[self._index_of[file]]

    def propose(self, file: str, proposal: str, new_label: str = "", grade: int | None = None) -> None:
        """Propose what to do with a picture, instead of what was proposed for it before.

        When this returns, the proposal is on disk, even if the process is killed then.

        Args:
            file: the picture's path relative to the data set's folder, as in the review.
            proposal: keep, delete or relabel; empty removes the earlier proposal.
            new_label: the class to relabel to.
            grade: 1 (the best) to 5, or None. A grade without a proposal means keep.

        Raises:
            UserError: there is no such picture, class, grade or proposal; or the file cannot be read or written. The
                earlier proposal stays then.
        """
        with self._locked():
            self._read()
            before = self.picture(file)
            after = replace(before, proposal=proposal, new_label=new_label, grade=grade)
            self._change(review_file.validate(after, self.classes))
            self._undo.append((before, self.picture(file)))

    def undo(self) -> Picture | None:
        """Undo the last proposal that was made through this object and is not undone yet.

        Returns:
            The picture as it is now; None if there is nothing to undo.

        Raises:
            UserError: another program has changed the proposal for that picture since. That one stays, and the next
                call undoes the proposal before.
        """
        with self._locked():
            self._read()
            if not self._undo:
                return None
            before, after = self._undo[-1]
            if before.file not in self._index_of or _proposal_of(self.picture(before.file)) != _proposal_of(after):
                self._undo.pop()
                raise UserError(f"The proposal for {before.file} was changed elsewhere since: it stays as it is.")
            # The other values may have changed since.
            proposal, new_label, grade = _proposal_of(before)
            now = replace(self.picture(before.file), proposal=proposal, new_label=new_label, grade=grade)
            self._change(now)
            self._undo.pop()
            return now

    def next_unseen(self, after: str | None = None) -> Picture | None:
        """Return the next picture without a proposal after the file `after`, or else from the start.

        It is None if every picture has a proposal.
        """
        start = self._index_of.get(after, -1) + 1
        ahead = self.pictures[start:] + self.pictures[:start]
        return next((picture for picture in ahead if not picture.proposal), None)

    def counts(self) -> dict[str, int]:
        """Return the number of pictures (`all`), of those with a proposal (`seen`), and of each proposal."""
        found = Counter(picture.proposal for picture in self.pictures)
        proposed = {proposal: found[proposal] for proposal in review_file.PROPOSALS[1:]}
        return {"all": len(self.pictures), "seen": sum(proposed.values()), **proposed}

    def _take_over_proposals(self, new: dict[str, Picture]) -> None:
        """Copy the proposals of the existing file to `new`; keep that file under another name if it has others, too."""
        content = self.path.read_bytes()
        lost = 0
        for old in review_file.parse(content, readable(self.path), classes=None):
            if old.proposal and old.file in new and old.new_label in ("", *self.classes):
                proposal, new_label, grade = _proposal_of(old)
                took = replace(new[old.file], proposal=proposal, new_label=new_label, grade=grade)
                new[old.file] = review_file.validate(took, self.classes)
            elif old.proposal:
                lost += 1
        if lost:
            number = 1
            while (kept := self.path.with_name(f"{self.path.stem}-{number}{self.path.suffix}")).exists():
                number += 1
            atomic_write.write_bytes(content, kept)
            log.warning("The old review has proposals for %d other pictures: it is now %s.", lost, readable(kept))

    def _locked(self) -> AbstractContextManager[bool]:
        """Hold the lock of the file."""
        busy = f"Another program keeps {readable(self.path)} locked: end that program."
        return locks.held(self.path.with_name(f".{self.path.name}.lock"), busy, LOCK_TIMEOUT_S, poll_interval=0.003)

    def _read(self) -> bool:
        """Read the file if its content has changed; return whether it has."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            if self._content is None:
                raise
            log.warning("%s was deleted: it will be written again.", readable(self.path))
            return False
        if content == self._content:
            return False
        if not self._update_changed_lines(content):
            self._set(review_file.parse(content, readable(self.path), self.classes))
        self._content = content
        return True

    def _update_changed_lines(self, content: bytes) -> bool:
        """Update only the changed lines if nothing but proposals has changed; return False if more has changed.

        It is twenty times faster than parsing the whole file. A page and a notebook that work on one review see such
        changes of each other.
        """
        header, *lines = content.decode("utf-8", errors="replace").split("\n")
        if header + "\n" != review_file.HEADER or len(lines) != len(self._lines) + 1 or lines.pop():
            return False
        new = {}
        for index, (line, known) in enumerate(zip(lines, self._lines, strict=True)):
            if line + "\n" != known:
                try:
                    [new[index]] = review_file.parse(f"{review_file.HEADER}{line}\n".encode(), "", self.classes)
                except ValueError:
                    return False  # parsing the whole file reports what is wrong, and in which line
                if _without_proposal(new[index]) != _without_proposal(self.pictures[index]):
                    return False
        for index, picture in new.items():
            self.pictures[index], self._lines[index] = picture, lines[index] + "\n"
        self.version += 1
        return True

    def _set(self, pictures: list[Picture]) -> None:
        self.pictures, self.version = pictures, self.version + 1
        self._lines = review_file.to_csv_lines(pictures)
        self._index_of = {picture.file: index for index, picture in enumerate(pictures)}

    def _change(self, picture: Picture) -> None:
        """Replace the picture with the same file by `picture`, on disk first."""
        index = self._index_of[picture.file]
        before, self._lines[index : index + 1] = self._lines[index], review_file.to_csv_lines([picture])
        try:
            self._write()
        except BaseException:
            self._lines[index] = before
            raise
        self.pictures[index] = picture
        self.version += 1

    def _write(self) -> None:
        content = (review_file.HEADER + "".join(self._lines)).encode("utf-8")
        try:
            atomic_write.write_bytes(content, self.path)
        except PermissionError as error:  # on Windows, if another program has the file open
            raise UserError(
                f"Cannot write {readable(self.path)}: if it is open in a spreadsheet, close it there."
            ) from error
        except OSError as error:
            raise UserError(f"Cannot write {readable(self.path)}: {error.strerror or error}.") from error
        self._content = content


def _with_plain_floats(picture: Picture) -> Picture:
    """Return `picture` with plain Python floats instead of NumPy's, and with a confidence like 1.0000001 cut to 1."""
    loss, confidence = float(picture.loss), float(picture.confidence)
    return replace(picture, loss=loss, confidence=1.0 if 1 < confidence < 1.00001 else confidence)


def _proposal_of(picture: Picture) -> tuple[str, str, int | None]:
    """Return its proposal, new label and grade."""
    return picture.proposal, picture.new_label, picture.grade


def _without_proposal(picture: Picture) -> Picture:
    """Return a copy without proposal, new label and grade."""
    return replace(picture, proposal="", new_label="", grade=None)
