"""The queue of a review: pictures sorted by loss, and what a person proposes for each.

A proposal changes no picture. It is a row of a CSV file until `apply_review` writes a new data set. The idea of looking
through the highest losses with a person at the keyboard is that of fast.ai's ImageCleaner (Howard and others, 2018).

Each proposal rewrites the file, less than a megabyte for 10,000 pictures, whole or not at all: so what has been
acknowledged is in the one file that everything else reads, and there is no journal that could get lost beside it.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from text_recognizer import atomic
from text_recognizer.curation import review_file
from text_recognizer.curation.review_file import Picture, class_folders
from text_recognizer.errors import UserError
from text_recognizer.paths import readable

__all__ = ["Picture", "ReviewQueue"]

log = logging.getLogger(__name__)

PATIENCE_S = 10  # how long to wait for another program that writes the file, which takes it milliseconds


class ReviewQueue:
    """A review on disk; several of them, also in several programs, may work on one file at once.

    Make one with `create` or `open`. Methods that propose read what others have written first, so that nobody's
    proposals are lost.

    Attributes:
        path: the review's file.
        folder: the data set's folder.
        classes: the labels that there are.
        pictures: all pictures, by loss, the highest first, as of the last time that the file was read.
        version: goes up whenever `pictures` changes, be it from here or from elsewhere.
    """

    path: Path
    folder: Path
    classes: tuple[str, ...]
    pictures: list[Picture]
    version: int

    def __init__(self, path: Path, folder: Path, classes: Sequence[str] | None = None) -> None:
        self.path, self.folder = Path(path), Path(folder)
        self.classes = class_folders(self.folder) if classes is None else tuple(classes)
        for name in self.classes:
            if not review_file.is_folder_name(name):
                raise UserError(f"A class cannot be called '{name}': its name must do for a folder.")
        self.pictures, self.version = [], 0
        self._content: bytes | None = None  # of the file, as last read or written
        self._lines: list[str] = []  # of the file, one for each of the pictures
        self._place: dict[str, int] = {}  # file -> index
        self._undo: list[tuple[Picture, Picture]] = []  # before and after each proposal made here
        self._lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), poll_interval=0.003)

    @classmethod
    def create(cls, path: Path, folder: Path, classes: Sequence[str], pictures: Iterable[Picture]) -> "ReviewQueue":
        """Write a review of `pictures`, in whatever order they come.

        What an existing review at `path` proposes for the same files is taken over. If it proposes something for other
        files, it is kept beside the new one, under another name.

        Raises:
            UserError: a picture cannot be in a review, or what is at `path` is not a review.
        """
        queue = cls(path, folder, classes)
        new = {}
        for picture in pictures:
            if picture.file in new:
                raise UserError(f"{picture.file} is there twice.")
            new[picture.file] = review_file.checked(_plain(picture), queue.classes)
        queue.path.parent.mkdir(parents=True, exist_ok=True)
        with queue._locked():
            if queue.path.exists():
                queue._take_over(new)
            review_file.remove_leftovers(queue.path)
            queue._set(review_file.in_order(new.values()))
            queue._write()
        return queue

    @classmethod
    def open(cls, path: Path, folder: Path, classes: Sequence[str] | None = None) -> "ReviewQueue":
        """Read a review.

        Args:
            path: the review's file.
            folder: the data set's folder.
            classes: the labels that there are; None for the names of the class folders.

        Raises:
            UserError: the file is missing or not clear, or none of its pictures is in `folder`.
        """
        queue = cls(path, folder, classes)
        if not queue.path.is_file():
            raise UserError(f"There is no review {readable(queue.path)}.")
        with queue._locked():
            review_file.remove_leftovers(queue.path)
            queue._read()
        if queue.pictures and not any((queue.folder / picture.file).exists() for picture in queue.pictures):
            first = queue.pictures[0].file
            raise UserError(f"None of the pictures of {readable(queue.path)}, like {first}, is in {queue.folder}.")
        return queue

    def refresh(self) -> bool:
        """Read what others have written; return whether anything is new."""
        with self._locked():
            return self._read()

    def picture(self, file: str) -> Picture:
        """Return the picture with this path; raise UserError if the review has none."""
        if file not in self._place:
            raise UserError(f"'{file}' is not in the review.")
        return self.pictures[self._place[file]]

    def propose(self, file: str, proposal: str, new_label: str = "", grade: int | None = None) -> None:
        """Propose what to do with a picture, in place of what was proposed for it before.

        When this returns, the proposal is on disk, whatever becomes of the process.

        Args:
            file: the picture's path relative to the data set's folder, as in the review.
            proposal: keep, delete or relabel; empty takes back what was proposed.
            new_label: the class to relabel to.
            grade: 1 (the best) to 5, or None. Without a proposal, it means to keep the picture.

        Raises:
            UserError: there is no such picture, class, grade or proposal; or the file cannot be read or written. What
                was proposed before stands.
        """
        with self._locked():
            self._read()
            before = self.picture(file)
            after = replace(before, proposal=proposal, new_label=new_label, grade=grade)
            self._change(review_file.checked(after, self.classes))
            self._undo.append((before, self.picture(file)))

    def undo(self) -> Picture | None:
        """Take back the last proposal made through this object that has not been taken back yet.

        Returns:
            The picture as it is now; None if there is nothing to take back.

        Raises:
            UserError: somebody has proposed something else for that picture since. It stands, and the next call takes
                back the proposal before.
        """
        with self._locked():
            self._read()
            if not self._undo:
                return None
            before, after = self._undo[-1]
            if before.file not in self._place or _proposed(self.picture(before.file)) != _proposed(after):
                self._undo.pop()
                raise UserError(f"Something else has been proposed for {before.file} since: that stands.")
            # All but the proposal may have been written anew.
            proposal, new_label, grade = _proposed(before)
            now = replace(self.picture(before.file), proposal=proposal, new_label=new_label, grade=grade)
            self._change(now)
            self._undo.pop()
            return now

    def next_unseen(self, after: str | None = None) -> Picture | None:
        """Return the first picture after the file `after`, or else from the start, for which nothing is proposed.

        None if something is proposed for every picture.
        """
        start = self._place.get(after, -1) + 1
        ahead = self.pictures[start:] + self.pictures[:start]
        return next((picture for picture in ahead if not picture.proposal), None)

    def counts(self) -> dict[str, int]:
        """Return how many pictures there are (`all`), have been looked at (`seen`), and how many of each proposal."""
        found = Counter(picture.proposal for picture in self.pictures)
        proposed = {proposal: found[proposal] for proposal in review_file.PROPOSALS[1:]}
        return {"all": len(self.pictures), "seen": sum(proposed.values()), **proposed}

    def _take_over(self, new: dict[str, Picture]) -> None:
        """Move the proposals of the file that is there to `new`; keep the file if it has more than that."""
        content = self.path.read_bytes()
        lost = 0
        for old in review_file.read(content, readable(self.path), classes=None):
            if old.proposal and old.file in new and old.new_label in ("", *self.classes):
                proposal, new_label, grade = _proposed(old)
                took = replace(new[old.file], proposal=proposal, new_label=new_label, grade=grade)
                new[old.file] = review_file.checked(took, self.classes)
            elif old.proposal:
                lost += 1
        if lost:
            number = 1
            while (kept := self.path.with_name(f"{self.path.stem}-{number}{self.path.suffix}")).exists():
                number += 1
            atomic.write_bytes(content, kept)
            log.warning("The old review has proposals for %d other pictures: it is now %s.", lost, readable(kept))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the file; the operating system takes it from a process that ends, however it ends."""
        try:
            self._lock.acquire(timeout=PATIENCE_S)
        except Timeout:
            raise UserError(f"Another program holds {readable(self.path)} and does not let go: end it.") from None
        try:
            yield
        finally:
            self._lock.release()

    def _read(self) -> bool:
        """Take in what the file says, if it is not what this object knows; return whether it is not."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            if self._content is None:
                raise
            log.warning("%s is gone: it will be written again.", readable(self.path))
            return False
        if content == self._content:
            return False
        if not self._take_in_lines(content):
            self._set(review_file.read(content, readable(self.path), self.classes))
        self._content = content
        return True

    def _take_in_lines(self, content: bytes) -> bool:
        """Take in `content` if some lines' proposals are all that is new: twenty times faster than reading it all.

        This is what a page and a notebook that work on one review see of each other.
        """
        header, *lines = content.decode("utf-8", errors="replace").split("\n")
        if header + "\n" != review_file.HEADER or len(lines) != len(self._lines) + 1 or lines.pop():
            return False
        new = {}
        for index, (line, known) in enumerate(zip(lines, self._lines, strict=True)):
            if line + "\n" != known:
                try:
                    [new[index]] = review_file.read(f"{review_file.HEADER}{line}\n".encode(), "", self.classes)
                except ValueError:
                    return False  # reading it all will say what is wrong, and in which line
                if _unproposed(new[index]) != _unproposed(self.pictures[index]):
                    return False
        for index, picture in new.items():
            self.pictures[index], self._lines[index] = picture, lines[index] + "\n"
        self.version += 1
        return True

    def _set(self, pictures: list[Picture]) -> None:
        self.pictures, self.version = pictures, self.version + 1
        self._lines = review_file.as_lines(pictures)
        self._place = {picture.file: index for index, picture in enumerate(pictures)}

    def _change(self, picture: Picture) -> None:
        """Put `picture` in its place, on disk first."""
        index = self._place[picture.file]
        before, self._lines[index : index + 1] = self._lines[index], review_file.as_lines([picture])
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
            atomic.write_bytes(content, self.path)
        except PermissionError as error:  # on Windows, while another program has the file open
            raise UserError(
                f"Cannot write {readable(self.path)}: if a spreadsheet shows it, close it there."
            ) from error
        except OSError as error:
            raise UserError(f"Cannot write {readable(self.path)}: {error.strerror or error}.") from error
        self._content = content


def _plain(picture: Picture) -> Picture:
    """Return `picture` with Python's own numbers, where a model's may be NumPy's, and 1.0000001 for a probability."""
    loss, confidence = float(picture.loss), float(picture.confidence)
    return replace(picture, loss=loss, confidence=1.0 if 1 < confidence < 1.00001 else confidence)


def _proposed(picture: Picture) -> tuple[str, str, int | None]:
    return picture.proposal, picture.new_label, picture.grade


def _unproposed(picture: Picture) -> Picture:
    return replace(picture, proposal="", new_label="", grade=None)
