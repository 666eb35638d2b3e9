"""The processes of a sweep on this machine: start them, say what they find, and start again what was killed."""

import logging
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import optuna

from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.sweeps import report
from lab_kit.sweeps import study as studies

PAUSE_S = 0.5  # between two looks at the study
PATIENCE_S = 20  # that a process gets to end after Ctrl-C
MOST_DEATHS = 3  # of processes, with no trial that ends between them
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

log = logging.getLogger(__name__)


def keep_working(
    study: optuna.Study, command: Sequence[str], folder: Path, figure: str, trials: int, workers: int, threads: int
) -> None:
    """Let processes train until there are enough trials.

    Args:
        study: what they share.
        command: starts one of them, followed by its number.
        folder: of the sweep; what the processes print goes to files in it.
        figure: what decides.
        trials: how many there shall be, of all processes and machines together.
        workers: how many processes.
        threads: of each.

    Raises:
        UserError: a process says that it cannot go on, or they keep dying.
    """
    said = {trial.number for trial in studies.finished(study)}
    if len(said) >= trials:
        return
    logs = folder / studies.WORKERS / uuid.uuid4().hex[:8]  # other starts of this sweep write to files of their own
    logs.parent.mkdir(parents=True, exist_ok=True)
    running: dict[int, subprocess.Popen] = {}
    deaths = 0
    try:
        running = {number: _start(command, number, logs, threads) for number in range(workers)}
        while running:
            time.sleep(PAUSE_S)
            if _say_what_is_new(study, said, figure):
                deaths = 0
            for number, process in list(running.items()):
                code = process.poll()
                if code is None:
                    continue
                del running[number]
                if code == 0:
                    continue
                if code == 2:
                    raise UserError(_last_line(logs, number).removeprefix("error: "))
                deaths += 1
                if deaths > MOST_DEATHS:
                    raise UserError(
                        f"A process ended {deaths} times, the last time with code {code}. What it said is in "
                        f"{readable(_log_file(logs, number))}"
                    )
                log.warning("Process %d ended with code %d; another one takes its place.", number, code)
                running[number] = _start(command, number, logs, threads)
        _say_what_is_new(study, said, figure)
    finally:
        _stop(running.values())


def stop_with_parent() -> None:
    """End this process when the one that started it has ended, however that was: its end of the pipe is then closed."""

    def wait() -> None:
        while os.read(0, 1):  # not by sys.stdin: Python could not end while this thread waits there
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _start(command: Sequence[str], number: int, logs: Path, threads: int) -> subprocess.Popen:
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    with _log_file(logs, number).open("ab") as output:
        return subprocess.Popen(
            [*command, f"--worker={number}"], env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output
        )


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    end = time.monotonic() + PATIENCE_S
    for process in running:
        try:
            process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def _say_what_is_new(study: optuna.Study, said: set[int], figure: str) -> bool:
    new = [trial for trial in studies.finished(study) if trial.number not in said]
    best = studies.best(study)
    for trial in new:
        log.info("%s", report.line(trial, figure, best))
        said.add(trial.number)
    return bool(new)


def _log_file(logs: Path, number: int) -> Path:
    return logs.with_name(f"process_{logs.name}_{number}.log")


def _last_line(logs: Path, number: int) -> str:
    lines = _log_file(logs, number).read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "It said nothing.")
