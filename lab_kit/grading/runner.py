"""Start a process that runs checks, listen to it, and end it where it takes too long or too much."""

import multiprocessing
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

import psutil

from lab_kit.grading.examine import BROKEN, DONE, END, READY, START, TAMPERED, Examination, examine, verify

START_SECONDS = 30  # more than a check gets, until the first one begins: imports take seconds on a busy machine
PYTHON_BYTES = 1.5e9  # what Python takes with PyTorch and Lightning, and more
FILE = 2  # all checks of a file together may take so many times what one may
LONGEST = 1_000_000  # bytes of a message
MOST_DISK = 1_000_000_000  # bytes that a process may write
ENDED = "ended"  # in place of a message: there is no more
PRELOADED = ["torch", "pytorch_lightning", "torchmetrics", "pytest", "lab_kit.grading.examine"]


@dataclass
class Outcome:
    """What came of one process.

    Args:
        lessons: check -> what to read about it; "" where it has passed.
        broken: why the checks could not start; None if they could.
        replaced: what the code has replaced of what judges it.
        running: the check that had begun, and not ended.
        why: why the process was ended, or ended by itself.
        late: the process was ended because it took too long.
        finished: it made all its checks.
        ready: it was prepared, and the student's code could begin.
    """

    lessons: dict[str, str] = field(default_factory=dict)
    broken: str | None = None
    replaced: list[str] = field(default_factory=list)
    running: str | None = None
    why: str = ""
    late: bool = False
    finished: bool = False
    ready: bool = False

    def take(self, message: list | None) -> None:
        """Take note of a message; None is one that somebody else has written."""
        kind, name, *rest = message or [TAMPERED, "", ["the channel of the results"]]
        if kind == READY:
            if rest[0]:
                raise RuntimeError(f"The checks could not be prepared:\n{rest[0]}")
            self.ready = True
        elif kind == START:
            self.running = name
        elif kind == DONE:
            passed, lesson = rest
            self.lessons[name] = self.lessons.get(name) or ("" if passed else lesson or "It does not pass.")
            self.running = None
        elif kind == BROKEN:
            self.broken = rest[0]
        elif kind == TAMPERED:
            self.replaced += rest[0]
        elif kind == END:
            self.finished = self.running is None  # else the code has ended pytest in the middle of a check


def run(task: Examination, seconds: float, stop: Event) -> Outcome:
    """Run one file of checks.

    Args:
        task: which, and how.
        seconds: that each check may take.
        stop: end it once this is set.

    Raises:
        KeyboardInterrupt: it was ended by `stop`.
        RuntimeError: the checks could not be prepared; no student is to blame for that.
    """
    linux = sys.platform == "linux"  # macOS's libraries do not bear forking once they are loaded; Windows has no fork
    free = shutil.disk_usage(task.sandbox).free
    context = multiprocessing.get_context("forkserver" if linux else "spawn")
    if linux:
        context.set_forkserver_preload(PRELOADED)  # once for all processes: it takes seconds
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=examine, args=(task, theirs), daemon=True)
    process.start()
    theirs.close()
    outcome, messages = Outcome(), SimpleQueue()
    reader = Thread(target=_receive, args=(ours, task.key, messages), daemon=True)  # it may wait for ever, for the rest
    reader.start()
    try:
        _listen(task, seconds, process, messages, outcome, free, stop)
    except EOFError:  # the process has ended, by itself
        process.join(5)
        if not outcome.ready:
            raise RuntimeError(f"A process for checks has ended with exit code {process.exitcode}.") from None
        outcome.why = (
            f"Python ended in the middle (exit code {process.exitcode}). Does the code end the program, or use more "
            "memory than there is?"
        )
    finally:
        _end(process)
        reader.join(5)
        ours.close()
    return outcome


def _listen(
    task: Examination, seconds: float, process: BaseProcess, messages: SimpleQueue, outcome: Outcome, free: int,
    stop: Event,
) -> None:  # fmt: skip
    deadline = latest = time.monotonic() + START_SECONDS + seconds
    while not (outcome.finished or outcome.replaced):
        if stop.is_set():
            raise KeyboardInterrupt
        with suppress(Empty):
            if (message := messages.get(timeout=0.1)) is ENDED:
                raise EOFError
            begins = not outcome.ready
            outcome.take(message)
            latest = time.monotonic() + FILE * seconds if begins else latest
            deadline = min(time.monotonic() + seconds, latest)
            continue
        if time.monotonic() > deadline:
            outcome.late = True
            outcome.why = (
                f"This took longer than {seconds:g} seconds, or all checks up to here longer than {FILE * seconds:g}, "
                "and was ended. Is there a loop without an end?"
            )
            return
        if _bytes(process) > task.gigabytes * 1e9 + PYTHON_BYTES:  # where the system sets no limit
            outcome.why = f"This took more than {task.gigabytes:g} GB of memory, and was ended."
            return
        if free - shutil.disk_usage(task.sandbox).free > MOST_DISK and _size(task.sandbox) > MOST_DISK:
            outcome.why = f"This wrote more than {MOST_DISK / 1e9:g} GB to the disk, and was ended."
            return


def _receive(connection: Connection, key: bytes, messages: SimpleQueue) -> None:
    """Put the messages of a process into a queue: None for one that somebody else has written, at last ENDED."""
    try:
        while True:
            messages.put(verify(key, connection.recv_bytes(LONGEST)))
    except EOFError:
        messages.put(ENDED)
    except OSError:  # no message at all
        messages.put(None)


def _size(folder: Path) -> int:
    """Return how many bytes the files in a folder have."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it is gone
                total += Path(parent, name).lstat().st_size
    return total


def _bytes(process: BaseProcess) -> int:
    with suppress(psutil.Error):
        return psutil.Process(process.pid).memory_info().rss
    return 0


def _end(process: BaseProcess) -> None:
    """End a process, and all that it has started."""
    if hasattr(os, "killpg"):
        with suppress(OSError):  # it leads a group of its own; before that, and after its end, there is none
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(10)
