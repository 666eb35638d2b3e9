"""Grade what students have handed in: each check is a point, and no code of theirs can change how many there are."""

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from threading import Event

from lab_kit.errors import UserError
from lab_kit.grading.examine import Examination
from lab_kit.grading.handed_in import HandedIn
from lab_kit.grading.look_at import suspicious
from lab_kit.grading.requirements import CHECKS, Requirement, requirements
from lab_kit.grading.runner import Outcome, run

MOST_STOPS = 2  # checks of one file that had to be ended: after so many, the rest is not tried
LATE = 4  # once a check took too long, the same student's other checks get this part of the time
LEFT_OUT = ("notebooks", "images", "logs", "__pycache__", ".*")  # of a lab: no check needs them
NOT_TRIED = "Not tried: checks before it had to be ended."
GONE = "The check did not run."


@dataclass(frozen=True)
class Result:
    """How a requirement was met; `lesson` is what its student should read if it was not."""

    requirement: Requirement
    met: bool
    lesson: str


@dataclass
class Grade:
    """All results of one student, in the order of the requirements, and what a person should know or look at."""

    student: str
    results: list[Result]
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    late: bool = False  # a check took too long

    @property
    def points(self) -> int:
        """How many requirements are met."""
        return sum(result.met for result in self.results)


@dataclass(frozen=True)
class Grader:
    """Grades one lab.

    Args:
        lab: the lab's folder, as it was handed out; its checks and all that is no homework are taken from here.
        hidden: a folder of checks that students do not have.
        seconds: that a check may take; a quarter of it, once one has taken too long.
        gigabytes: of memory that a check may take.
        secret: folders that no student's code may read.
        public: folders within these that it has to read.
    """

    lab: Path
    hidden: Path | None
    seconds: float
    gigabytes: float
    secret: tuple[Path, ...]
    public: tuple[Path, ...]
    stop: Event = field(default_factory=Event)  # set: end what is running

    def requirements(self) -> list[Requirement]:
        """Return what is asked for; the same for every student.

        Raises:
            UserError: there are no checks.
        """
        found = requirements(self.lab / "homework")
        if not found:
            raise UserError(f"{self.lab.name} has no homework that could be graded.")
        return found + (requirements(self.hidden, hidden=True) if self.hidden else [])

    def grade(self, work: HandedIn) -> Grade:
        """Run all checks, each file of them in processes of its own."""
        start = time.perf_counter()
        grade = Grade(work.student, [], [*work.notes, *suspicious(work.files)])
        for file, group in groupby(self.requirements(), key=lambda requirement: requirement.file):
            wanted = list(group)
            lessons, replaced = self._check(work, grade, file, [requirement.function for requirement in wanted])
            if replaced:
                grade.notes.append(f"Look at the code: it replaces {', '.join(replaced)}, and so gets no points.")
            for requirement in wanted:
                lesson = lessons[requirement.function]
                grade.results.append(Result(requirement, lesson == "", lesson))
        grade.notes = list(dict.fromkeys(grade.notes))
        grade.seconds = time.perf_counter() - start
        return grade

    def _check(
        self, work: HandedIn, grade: Grade, file: Path, names: Sequence[str]
    ) -> tuple[dict[str, str], list[str]]:
        """Run one file of checks.

        Returns:
            Check -> what to read about it, "" where it is met; and what the code has replaced of what judges it.
        """
        lessons: dict[str, str] = {}
        otherwise = GONE
        for _ in range(MOST_STOPS):
            outcome = self._run(work, file, tuple(lessons), self.seconds / LATE if grade.late else self.seconds)
            grade.late |= outcome.late
            if outcome.replaced:
                reason = (
                    f"The code replaces {', '.join(outcome.replaced)}, by which it is judged. That gives no points."
                )
                return dict.fromkeys(names, reason), outcome.replaced
            lessons |= outcome.lessons
            if outcome.finished:
                otherwise = outcome.broken or GONE
                break
            if outcome.running is None:  # it never came to a check, and would not the next time
                otherwise = outcome.why
                break
            lessons[outcome.running], otherwise = outcome.why, NOT_TRIED
        return {name: lessons.get(name, otherwise) for name in names}, []

    def _run(self, work: HandedIn, file: Path, leave_out: tuple[str, ...], seconds: float) -> Outcome:
        with _sandbox() as sandbox:
            self._fill(sandbox, work, file)
            task = Examination(
                sandbox, self.lab.name, file.name, leave_out, self.secret, self.public, self.gigabytes,
                secrets.token_bytes(32),
            )  # fmt: skip
            return run(task, seconds, self.stop)

    def _fill(self, sandbox: Path, work: HandedIn, file: Path) -> None:
        """Copy the lab with one file of checks, and put in what the student has handed in.

        Raises:
            UserError: there is no place for it.
        """
        lab = sandbox / self.lab.name
        others = [path.name for path in (self.lab / "homework").glob(CHECKS)]
        try:
            shutil.copytree(self.lab, lab, ignore=shutil.ignore_patterns(*LEFT_OUT, *others))
            shutil.copy(file, lab / "homework" / file.name)
            for name, content in work.files.items():
                (lab / name).write_bytes(content)
        except OSError as error:
            what = error.args[0][-1][-1] if isinstance(error, shutil.Error) else error
            raise UserError(
                f"{lab.name} cannot be copied into {sandbox.parent}: {what}. TMPDIR=FOLDER in front of the command "
                "names another folder."
            ) from error


@contextmanager
def _sandbox() -> Iterator[Path]:
    """Make a folder, and remove it with whatever was left in it."""
    folder = Path(tempfile.mkdtemp(prefix="grade-")).resolve()
    try:
        yield folder
    finally:
        with suppress(RecursionError):  # folders in folders in folders
            shutil.rmtree(folder, ignore_errors=True)
        if folder.exists() and shutil.which("rm"):
            subprocess.run(["rm", "-rf", str(folder)], check=False, stderr=subprocess.DEVNULL)
