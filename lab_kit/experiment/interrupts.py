"""End a program cleanly after Ctrl-C, SIGTERM or the end of its terminal, and say how to go on."""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from types import FrameType

# Ctrl-C; what `kill` and job queues send; what a terminal sends that is closed, which Windows does not know.
SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class Interrupted(BaseException):
    """The run was told to stop; `advice` says how to go on.

    It is no KeyboardInterrupt, because Lightning would swallow that one.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.advice = ""


Program = Callable[[Sequence[str]], None]


def graceful_exit(program: Program) -> Program:
    """Let `program(arguments)` end with one line and exit code 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP)."""

    @wraps(program)
    def run(arguments: Sequence[str]) -> None:
        with _signals_raise():
            try:
                program(arguments)
            except Interrupted as stopped:
                for number in SIGNALS:  # an impatient second Ctrl-C must not garble the last words
                    signal.signal(number, signal.SIG_IGN)
                name = "Ctrl-C" if stopped.number == signal.SIGINT else signal.Signals(stopped.number).name
                with suppress(OSError):  # the terminal may be gone
                    sys.stderr.write(f"\nStopped by {name}. {stopped.advice}".rstrip() + "\n")
                sys.exit(128 + stopped.number)

    return run


@contextmanager
def _signals_raise() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as in the background, or after nohup
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    if multiprocessing.parent_process() is not None:  # Ctrl-C reaches a DataLoader's workers too, who know only this:
        raise KeyboardInterrupt
    if hasattr(signal, "SIGCHLD"):  # PyTorch would raise an error for each worker that ends of the same Ctrl-C
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    raise Interrupted(number)
