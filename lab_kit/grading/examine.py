"""Run one file of checks against one student's code, in a process of its own, and say how each check ends.

Nothing that the student's code prints or writes counts. Each message carries a signature, and a process that ends
without its last message has not passed.
"""

import hmac
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import pytest

from lab_kit.grading import restrict
from lab_kit.grading.printable import printable
from lab_kit.grading.tampering import Watch

READY, START, DONE, BROKEN, TAMPERED, END = "ready", "start", "done", "broken", "tampered", "end"  # kinds of messages


@dataclass(frozen=True)
class Examination:
    """What to run, and how.

    Args:
        sandbox: a folder with the lab, its checks and what the student has handed in; the process may write there.
        lab: name of the lab's folder in the sandbox.
        file: name of the check file, in the lab's `homework/`.
        leave_out: checks that have been made, or that have ended an earlier process.
        secret: folders that the student's code must not read.
        public: folders within these that it may read.
        gigabytes: of memory that the process may take, besides what Python and PyTorch have.
        key: signs the messages.
    """

    sandbox: Path
    lab: str
    file: str
    leave_out: tuple[str, ...]
    secret: tuple[Path, ...]
    public: tuple[Path, ...]
    gigabytes: float
    key: bytes


def sign(key: bytes, message: Sequence[object]) -> bytes:
    """Return a message as bytes, its signature first."""
    content = json.dumps(message).encode()
    return hmac.digest(key, content, "sha256") + content


def verify(key: bytes, content: bytes) -> list | None:
    """Return what `sign` was given; None if somebody else has written it."""
    signature, message = content[:32], content[32:]
    return json.loads(message) if hmac.compare_digest(signature, hmac.digest(key, message, "sha256")) else None


def examine(task: Examination, connection: Connection) -> None:
    """Run the checks; the messages, signed, are lists: a kind, the name of a check, and more."""
    messenger = _Messenger(task, connection)
    try:
        pytest.main(_prepare(task, connection.fileno()), plugins=[messenger])
    except Exception:
        if not messenger.ready:  # no student is to blame, so nobody should get a zero for it
            connection.send_bytes(sign(task.key, [READY, "", traceback.format_exc()]))
        raise


def _prepare(task: Examination, channel: int) -> list[str]:
    """Shut this process in, with nothing open but the channel of the results; returns pytest's arguments."""
    if hasattr(os, "setsid"):
        os.setsid()  # so that whatever the code starts can be ended with it
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    if hasattr(os, "fork"):  # the pipes of the process that forked this one: who writes there ends all the others
        os.closerange(3, channel)
        os.closerange(channel + 1, os.sysconf("SC_OPEN_MAX"))
    for name, stream in (("stdout", 1), ("stderr", 2)):  # also where there was none, or of another language
        setattr(sys, name, os.fdopen(stream, "w", encoding="utf-8", closefd=False))
    import torch

    torch.set_num_threads(1)  # several students are examined at once
    lab, own = task.sandbox / task.lab, task.sandbox / "tmp"
    own.mkdir()
    os.chdir(lab)
    tempfile.tempdir = str(own)  # it is asked for only once
    os.environ.update(HOME=str(own), TMPDIR=str(own), MPLCONFIGDIR=str(own), TEXT_RECOGNIZER_DATA=str(own))
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        del os.environ[name]  # settings of whoever grades
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    secret = [os.path.realpath(path) for path in task.secret]
    sys.path[:] = [str(lab), *(path for path in sys.path if path and os.path.realpath(path) not in secret)]
    sys.dont_write_bytecode = True
    restrict.become_nobody(task.sandbox, *task.public, Path(sys.prefix), Path(os.__file__))
    restrict.limit_memory(task.gigabytes)
    restrict.install(task.secret, task.public, task.sandbox)
    # Output goes nowhere, as it is; pytest would keep it, be it as large as the disk.
    return [f"homework/{task.file}", "-p", "no:cacheprovider", "--capture=no", f"--basetemp={own / 'pytest'}"]


class _Messenger:
    """A pytest plugin that sends what happens to whoever grades."""

    def __init__(self, task: Examination, connection: Connection) -> None:
        self._send = lambda *message: connection.send_bytes(sign(task.key, message))
        self._leave_out = task.leave_out
        self._failed: str | None = None
        self.ready = False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        self._watch = Watch()  # before any of the student's code, and after pytest's own preparations
        self.ready = True
        self._send(READY, "", "")

    @pytest.hookimpl(trylast=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._send(BROKEN, "", printable(getattr(report, "lesson", "")))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.originalname not in self._leave_out]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._report_replaced()  # what runs at import
        self._watch = Watch(*{item.module for item in session.items if isinstance(item.module, ModuleType)})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        name, self._failed = item.originalname, None
        self._send(START, name)
        result = yield
        self._report_replaced()
        self._send(DONE, name, self._failed is None, printable(self._failed or ""))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed and self._failed is None:
            self._failed = getattr(report, "lesson", "") or f"The check was {report.outcome}."

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._report_replaced()
        self._send(END, "")

    def _report_replaced(self) -> None:
        if names := self._watch.replaced():
            self._send(TAMPERED, "", [printable(name, 100) for name in names[:5]])
